"""The learned pitch tracker: shards of cues and lags, the network in PyTorch, its training, its tensors.

It sees the cues of each hop (native/src/pitch_cues.h) and tells the lag of the frame ``lookahead`` hops ago. What it should
tell is the lag that the plain tracker finds in the clean signal, where that is voiced.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from percepnet import _core
from percepnet._core import PERIOD_MIN, PITCH_CUES, PITCH_LAGS
from percepnet.training.config import Config, PitchConfig
from percepnet.training.dataset import FRAMES_PER_HOUR, SPEECH_RANGE_DB, prepare_mixer, shard_path, shard_paths
from percepnet.training.export import TRACKER, read_tensors, write_weights
from percepnet.training.int8 import quantise_tensors
from percepnet.training.layers import affine, run_gru
from percepnet.training.mixing import Mixer, Mixture
from percepnet.training.process import prepare
from percepnet.training.train import Log, read_pairs
from percepnet.weights import Model, load_model

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

DECIMATION = 3  # samples at 48 kHz per lag
VOICED = 0.6  # correlation of the clean signal from which its lag is to be trusted
LAG = PITCH_CUES  # column of a shard behind the cues: index of the lag, -1 where unvoiced
COLUMNS = PITCH_CUES + 1
CHECKPOINT, LOG, MODEL = "pitch.pt", "pitch.csv", "pitch.pnw"
LOSSES = ("lags", "voicing", "gross_errors")
LOG_FIELDS = ("step", "seconds", "audio_hours", *LOSSES, *(f"validation_{name}" for name in LOSSES))


def encode(mixture: Mixture, lookahead: int) -> Halves:
    """A mixture through the core: (frames, COLUMNS) float16, cues of a hop beside the clean lag of the frame it completes."""
    clean = _core.analyze(mixture.clean, lookahead=lookahead)
    level_db = 10 * np.log10(clean.energy.sum(1) + 1e-9)
    loud = level_db > np.percentile(level_db, 95) - SPEECH_RANGE_DB
    voiced = loud & (clean.correlation > VOICED) & (mixture.snr_db > -np.inf)
    lag = np.clip(np.rint((clean.period - PERIOD_MIN) / DECIMATION), 0, PITCH_LAGS - 1)
    rows = np.empty((len(lag), COLUMNS), dtype=np.float16)
    rows[:, :PITCH_CUES] = _core.pitch_cues(mixture.noisy)[lookahead:]
    rows[:, LAG] = np.where(voiced, lag, -1)
    return rows


def generate(config: Config, report: Callable[[str], None] = print) -> None:
    """Makes the shards that are not there yet, ``pitch.shards`` in all."""
    mixer, folder = prepare_mixer(config), Path(config.pitch.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(config.pitch.shards):
        path = shard_path(folder, index)
        if path.exists():
            continue
        started = time.perf_counter()
        partial = folder / f"partial_{index:06d}.npy"
        np.save(partial, make_shard(mixer, config, index))
        partial.replace(path)
        report(f"pitch shard {index} of {config.pitch.shards}: {time.perf_counter() - started:.1f} s")


def make_shard(mixer: Mixer, config: Config, index: int) -> Halves:
    """Shard number ``index``: (mixtures, frames, COLUMNS)."""
    seeds = ((config.mixing.seed, config.pitch.seed, index, i) for i in range(config.dataset.mixtures_per_shard))
    return np.stack([encode(mixer.mix(np.random.default_rng(seed)), config.dataset.lookahead) for seed in seeds])


class Tracker(nn.Module):
    """Cues (batch, hops, PITCH_CUES) to scores of all lags (batch, hops, PITCH_LAGS) and a logit of voicing (batch, hops)."""

    def __init__(self, config: PitchConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(PITCH_CUES, config.dense)
        self.gru1 = nn.GRU(config.dense, config.hidden, batch_first=True)
        self.gru2 = nn.GRU(config.hidden, config.hidden, batch_first=True)
        self.lags = nn.Linear(config.hidden, PITCH_LAGS)
        self.voicing = nn.Linear(config.hidden, 1)
        self.quantised = False

    def forward(self, cues: Tensor) -> tuple[Tensor, Tensor]:
        """From a fresh state."""
        x = torch.tanh(affine(cues, self.dense.weight, self.dense.bias, self.quantised))
        for gru in (self.gru1, self.gru2):
            fresh = torch.zeros(1, len(x), gru.hidden_size)
            x = run_gru(gru, x, fresh, self.quantised)[0]
        lags, voicing = (affine(x, head.weight, head.bias, self.quantised) for head in (self.lags, self.voicing))
        return lags, voicing[..., 0]


def named_tensors(tracker: Tracker) -> dict[str, Floats]:
    """The tensors of the weight file, under its names and shapes."""
    tensors: dict[str, Tensor] = {}
    for name in ("dense", "lags", "voicing"):
        layer = getattr(tracker, name)
        tensors |= {f"pitch.{name}.weight": layer.weight, f"pitch.{name}.bias": layer.bias}
    for name in ("gru1", "gru2"):
        gru = getattr(tracker, name)
        tensors |= {f"pitch.{name}.input_weight": gru.weight_ih_l0, f"pitch.{name}.input_bias": gru.bias_ih_l0}
        tensors |= {f"pitch.{name}.recurrent_weight": gru.weight_hh_l0, f"pitch.{name}.recurrent_bias": gru.bias_hh_l0}
    return {name: np.atleast_2d(tensor.detach().cpu().numpy().astype(np.float32)) for name, tensor in tensors.items()}


def export(tracker: Tracker, model: Model) -> bytes:
    """The weight file of a model with its pitch tracker replaced by this one, in int8; its network has yet to learn from it.

    A network that hears the cues of a tracker of another size becomes deaf to them.
    """
    tensors = {name: tensor for name, tensor in read_tensors(model.contents).items() if not name.startswith(TRACKER)}
    if "cues.weight" in tensors and tensors["cues.weight"].shape[1] != PITCH_CUES + tracker.lags.in_features:
        del tensors["cues.weight"], tensors["cues.bias"]
    return write_weights({**tensors, **quantise_tensors(named_tensors(tracker))}, model.lookahead, model.card)


def soft_lags() -> Tensor:
    """(lags, lags): what a frame of each lag should score, as probabilities; neighbours within a percent are nearly as good."""
    lag = torch.arange(PITCH_LAGS, dtype=torch.float32) + PERIOD_MIN // DECIMATION
    width = torch.clamp(0.01 * lag, min=0.7)[:, None]
    return torch.softmax(-0.5 * ((lag[None] - lag[:, None]) / width) ** 2, 1)


def loss(tracker: Tracker, rows: Tensor, targets: Tensor, burn_in: int) -> dict[str, Tensor]:
    """Cross-entropies of lags, in voiced frames, and of voicing; the share of voiced frames whose lag is 10 % off."""
    scores, voicing = tracker(rows[..., :PITCH_CUES])
    lag = rows[:, burn_in:, LAG].long()
    scores, voicing, voiced = scores[:, burn_in:], voicing[:, burn_in:], lag >= 0
    first = PERIOD_MIN // DECIMATION
    ratio = (scores[voiced].argmax(1) + first) / (lag[voiced] + first)
    return {
        "lags": -(targets[lag[voiced]] * torch.log_softmax(scores[voiced], 1)).sum(1).mean(),
        "voicing": functional.binary_cross_entropy_with_logits(voicing, voiced.float()),
        "gross_errors": ((ratio - 1).abs() > 0.1).float().mean(),
    }


def read_shards(folder: Path) -> list[Halves]:
    """All that are there, in memory that processes share."""
    return [np.load(path, mmap_mode="r") for path in shard_paths(folder)]


def batch(shards: list[Halves], rng: np.random.Generator, config: PitchConfig) -> Tensor:
    """(batch, frames, COLUMNS) from random places."""
    out = np.empty((config.batch, config.frames, COLUMNS), dtype=np.float32)
    for row in out:
        mixtures = shards[rng.integers(len(shards))]
        start = int(rng.integers(mixtures.shape[1] - config.frames + 1))
        row[:] = mixtures[rng.integers(len(mixtures)), start : start + config.frames]
    return torch.from_numpy(out)


def validation_rows(folder: Path, lookahead: int) -> Tensor:
    """The pairs of a folder, as many frames of each as all of them have."""
    pairs = [encode(pair, lookahead).astype(np.float32) for pair in read_pairs(folder)]
    shortest = min(len(rows) for rows in pairs)
    return torch.from_numpy(np.stack([rows[:shortest] for rows in pairs]))


@dataclass
class Run:
    """All that a checkpoint holds."""

    tracker: Tracker
    average: Tracker
    optimiser: torch.optim.AdamW
    rng: np.random.Generator
    step: int = 0
    seconds: float = 0.0


def new_run(config: PitchConfig) -> Run:
    """A fresh one."""
    torch.manual_seed(config.seed)
    tracker, average = Tracker(config), Tracker(config)
    average.load_state_dict(tracker.state_dict())
    optimiser = torch.optim.AdamW(tracker.parameters(), config.learning_rate, (0.8, 0.98), weight_decay=1e-2, foreach=True)
    return Run(tracker, average, optimiser, np.random.default_rng(config.seed))


def save_run(run: Run, path: Path) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".part")
    parts: dict[str, Any] = {name: getattr(run, name).state_dict() for name in ("tracker", "average", "optimiser")}
    torch.save(parts | {"rng": run.rng.bit_generator.state, "step": run.step, "seconds": run.seconds}, partial)
    partial.replace(path)


def load_run(path: Path, config: PitchConfig) -> Run:
    """A run as it was, or a new one if there is no checkpoint."""
    run = new_run(config)
    if path.exists():
        contents: dict[str, Any] = torch.load(path, weights_only=True)
        for name in ("tracker", "average", "optimiser"):
            getattr(run, name).load_state_dict(contents[name])
        run.rng.bit_generator.state = contents["rng"]
        run.step, run.seconds = contents["step"], contents["seconds"]
    return run


def train(config: Config, report: Callable[[str], None] = print) -> Tracker:
    """Trains on the shards until the budget is spent, going on from the checkpoint if there is one; writes the weight file.

    Equal seeds and shards give equal weights, bit for bit, interrupted or not.
    """
    prepare(torch.device("cpu"))
    pitch, folder = config.pitch, Path(config.pitch.folder)
    shards, targets = read_shards(folder), soft_lags()
    held = validation_rows(Path(config.train.validation), config.dataset.lookahead) if config.train.validation else None
    run = load_run(folder / CHECKPOINT, pitch)
    log = Log(folder / LOG, run.step, LOG_FIELDS)
    report(f"step {run.step} of {pitch.steps}, {len(shards)} shards")
    started, seconds = time.perf_counter(), run.seconds
    while run.step < pitch.steps:
        values = train_step(run, batch(shards, run.rng, pitch), targets, pitch)
        run.seconds = seconds + time.perf_counter() - started
        if run.step % pitch.log_steps == 0 or run.step == pitch.steps:
            row = {"step": run.step, "seconds": run.seconds, "audio_hours": audio_hours(run.step, pitch)}
            row |= {name: float(value) for name, value in values.items()}
            if held is not None:
                with torch.no_grad():
                    held_values = loss(run.average, held, targets, pitch.burn_in)
                row |= {f"validation_{name}": float(value) for name, value in held_values.items()}
            log.write(row)
            report("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
            save_run(run, folder / CHECKPOINT)
    log.close()
    partial = folder / f"{MODEL}.part"
    partial.write_bytes(export(run.average, load_model(pitch.model)))
    partial.replace(folder / MODEL)
    return run.average


def audio_hours(step: int, config: PitchConfig) -> float:
    """What was heard by then."""
    return step * config.batch * config.frames / FRAMES_PER_HOUR


def train_step(run: Run, rows: Tensor, targets: Tensor, config: PitchConfig) -> dict[str, Tensor]:
    """One step; the losses before it."""
    warm, progress = min((run.step + 1) / config.warm_up, 1.0), run.step / config.steps
    for group in run.optimiser.param_groups:
        group["lr"] = config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * progress))
    run.tracker.quantised = run.average.quantised = 0 < config.quantise_from_step <= run.step
    values = loss(run.tracker, rows, targets, config.burn_in)
    run.optimiser.zero_grad(set_to_none=True)
    (values["lags"] + config.voicing * values["voicing"]).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.tracker.parameters(), 1.0)
    run.optimiser.step()
    decay = min(0.998, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        torch._foreach_lerp_(list(run.average.parameters()), list(run.tracker.parameters()), 1 - decay)
    run.step += 1
    return {name: value.detach() for name, value in values.items()}
