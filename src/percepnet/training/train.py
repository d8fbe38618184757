"""The training loop: random crops of the shards, AdamW, averaged weights, exact resume, a log that plots."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch import Tensor

from percepnet import _core
from percepnet._core import FEATURES
from percepnet.errors import ArgumentError, AudioFormatError, ModelError
from percepnet.output import write_whole
from percepnet.training.config import Config, DatasetConfig, ModelConfig, TrainConfig, config_from_json, config_json
from percepnet.training.dataset import FRAMES_PER_HOUR, GATED, Shards, encode, feature_scaling
from percepnet.training.export import read_weights
from percepnet.training.listening import SCORES, Listener, listens
from percepnet.training.loss import LOSSES, Targets, total_loss, unpack
from percepnet.training.mixing import FULL_BANDWIDTH_HZ, Mixture
from percepnet.training.model import Network, load_tensors
from percepnet.training.plot import plot
from percepnet.training.process import prepare
from percepnet.training.prune import kept_blocks, prune
from percepnet.training.sound import unpack_sound
from percepnet.training.widen import n_cues, side_by_side, sizes, widened
from percepnet.weights import load_model

Floats = npt.NDArray[np.float32]

CPU = torch.device("cpu")
CHECKPOINT, LOG, PICTURE = "checkpoint.pt", "log.csv", "log.png"
LOG_FIELDS = ("step", "seconds", "audio_hours", "shard_hours", "learning_rate", "gradient_norm",
              *LOSSES, *(f"validation_{name}" for name in LOSSES), *SCORES)  # fmt: skip
CLIP_LEVEL_DB = 4.0  # clips are heard up to so much louder or softer than they are kept


@dataclass
class Run:
    """All that a checkpoint holds."""

    config: Config
    network: Network
    average: Network  # exponential moving average of the weights: what is validated and exported
    optimiser: torch.optim.AdamW
    rng: np.random.Generator
    step: int = 0
    seconds: float = 0.0  # of training, over all sessions
    teacher: Network | None = None  # not in the checkpoint: the configuration names it


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a half cosine down to the end of the budget; both anew from ``restart_step``."""
    step, budget = step - config.restart_step, config.steps - config.restart_step
    if step < 0:
        raise ArgumentError(f"restart_step {config.restart_step} lies ahead of step {step + config.restart_step}")
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    progress = min((step - config.warm_up) / max(budget - config.warm_up, 1), 1.0)
    share = 0.5 + 0.5 * math.cos(math.pi * progress)
    return config.learning_rate_end + (config.learning_rate - config.learning_rate_end) * share


def average_decay(step: int, config: TrainConfig) -> float:
    """Decay of the averaged weights, smaller in the first steps so that the start is forgotten."""
    return min(config.ema, (1 + step) / (10 + step))


def fastest_device() -> torch.device:
    """A GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def new_run(config: Config, device: torch.device = CPU) -> Run:
    """A fresh run; mean and scale of the features stay to be set."""
    torch.manual_seed(config.train.seed)
    network, average = Network(config.model).to(device), Network(config.model).to(device)
    average.load_state_dict(network.state_dict())
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": config.train.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=config.train.learning_rate,
        betas=(config.train.beta1, config.train.beta2),
        foreach=True,
    )
    return Run(config, network, average, optimiser, np.random.default_rng(config.train.seed))


def save_checkpoint(run: Run, path: Path) -> None:
    """Written under another name, then renamed: a checkpoint is whole or absent."""
    partial = path.with_suffix(".part")
    contents = {
        "config": config_json(run.config),
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "rng": run.rng.bit_generator.state,
        "step": run.step,
        "seconds": run.seconds,
    }
    torch.save(contents, partial)
    partial.replace(path)


def read_checkpoint(path: Path, device: torch.device = CPU) -> dict[str, Any]:
    """What is in a checkpoint. Raises ModelError where it is none."""
    try:
        contents = torch.load(path, weights_only=True, map_location=device)
    except (RuntimeError, IndexError, EOFError, UnpicklingError) as error:
        raise ModelError(f"{path} is not a checkpoint of a training ({type(error).__name__})") from error
    if not isinstance(contents, dict) or "network" not in contents:
        raise ModelError(f"{path} is not a checkpoint of a training")
    return contents


def load_checkpoint(path: Path, config: Config | None = None, device: torch.device = CPU) -> Run:
    """A run as it was; ``config`` replaces the saved one, for example to extend the budget."""
    contents = read_checkpoint(path, device)
    run = new_run(config or config_from_json(contents["config"]), device)
    run.network.load_state_dict(contents["network"])
    run.average.load_state_dict(contents["average"])
    run.optimiser.load_state_dict(contents["optimiser"])
    run.rng.bit_generator.state = contents["rng"]
    run.step, run.seconds = contents["step"], contents["seconds"]
    return run


def read_pairs(folder: Path) -> Iterator[Mixture]:
    """The pairs of a folder (clean/ and noisy/), cut to whole hops. Raises AudioFormatError where they are none."""
    paths = sorted((folder / "noisy").glob("*.wav"))
    if not paths:
        raise AudioFormatError(f"expected pairs of WAV files in {folder / 'noisy'} and {folder / 'clean'}, got none")
    for path in paths:
        noisy, clean = (_read_mono(folder / kind / path.name) for kind in ("noisy", "clean"))
        if len(noisy) != len(clean):
            raise AudioFormatError(f"{path}: expected as many samples as in its clean file, {len(clean)}, got {len(noisy)}")
        whole = len(noisy) // _core.HOP * _core.HOP
        yield Mixture(noisy[:whole], clean[:whole], FULL_BANDWIDTH_HZ, "", 0.0)


def _read_mono(path: Path) -> Floats:
    try:
        samples, sample_rate = soundfile.read(path, dtype="float32")
    except soundfile.SoundFileError as error:
        raise AudioFormatError(f"cannot read {path}: {error}") from error
    if sample_rate != _core.SAMPLE_RATE or samples.ndim != 1:
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        raise AudioFormatError(f"{path}: expected one channel of {_core.SAMPLE_RATE} Hz, got {channels} of {sample_rate} Hz")
    mono: Floats = samples
    return mono


def validation_rows(folder: Path, config: DatasetConfig) -> Floats:
    """The pairs of a folder through the core: (pairs, frames, COLUMNS or more), padded with uncounted frames."""
    pairs = [encode(pair, config) for pair in read_pairs(folder)]
    rows = np.zeros((len(pairs), max(len(p) for p in pairs), pairs[0].shape[1]), dtype=np.float32)
    rows[..., GATED] = 1
    for row, pair in zip(rows, pairs, strict=True):
        row[: len(pair)] = pair
    return rows


def validate(run: Run, rows: Floats) -> dict[str, float]:
    """Losses of the averaged network on whole recordings."""
    with torch.no_grad():
        on_device = torch.from_numpy(rows).to(run.average.mean.device)
        targets = unpack(on_device, torch.ones_like(on_device[..., 0]))
        gains, strengths, speech, _ = run.average(targets.features)
        total, parts = total_loss(gains, strengths, speech, targets, run.config.loss)
    return {"validation_loss": float(total)} | {f"validation_{name}": float(part) for name, part in parts.items()}


def counted_frames(rng: np.random.Generator, config: TrainConfig) -> Tensor:
    """(batch, frames): 0 in the burn-in of those sequences that have one."""
    counted = np.ones((config.batch, config.frames), dtype=np.float32)
    counted[rng.random(config.batch) < config.burn_in_share, : config.burn_in] = 0
    return torch.from_numpy(counted)


def estimates(run: Run, targets: Targets) -> tuple[Tensor, Tensor, Tensor | None]:
    """What the network in training makes of the features: gains, strengths and speech probability."""
    with torch.autocast(targets.features.device.type, torch.bfloat16, enabled=run.config.train.bfloat16):
        gains, strengths, speech, _ = run.network(targets.features)
    return gains, strengths, speech


def taught(run: Run, targets: Targets) -> Targets:
    """With the gains, strengths and speech probability of the teacher, if there is one, in place of the ideal ones."""
    if run.teacher is None:
        return targets
    with torch.no_grad(), torch.autocast(targets.features.device.type, torch.bfloat16, enabled=run.config.train.bfloat16):
        gains, strengths, speech, _ = run.teacher(targets.features)
    strengths = torch.where(targets.strengths < 0, targets.strengths, strengths)
    return replace(targets, gains=gains, strengths=strengths, speech=targets.speech if speech is None else speech)


def batch_loss(run: Run, rows: Floats) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a batch of (batch, frames, COLUMNS or more), and its parts."""
    device = run.network.mean.device
    targets = taught(run, unpack(torch.from_numpy(rows).to(device), counted_frames(run.rng, run.config.train).to(device)))
    gains, strengths, speech = estimates(run, targets)
    return total_loss(gains, strengths, speech, targets, run.config.loss)


def clips_loss(run: Run, listener: Listener, clips: Floats) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Loss of clips with spectra by their bands, by their sound, and their scores."""
    rows = torch.from_numpy(clips).to(run.network.mean.device)
    level_db = run.rng.uniform(-CLIP_LEVEL_DB, CLIP_LEVEL_DB, len(clips)).astype(np.float32)
    targets = taught(run, unpack(rows, torch.ones_like(rows[..., 0])))
    gains, strengths, speech = estimates(run, targets)
    total, _ = total_loss(gains, strengths, speech, targets, run.config.loss)
    heard, scores = listener.loss(gains, strengths, targets, unpack_sound(rows, torch.from_numpy(level_db).to(rows.device)))
    return total, heard, scores


def train_step(run: Run, rows: Floats, listener: Listener | None = None, clips: Floats | None = None) -> dict[str, float]:
    """One update from a batch of (batch, frames, COLUMNS or more), and from clips with spectra where a loss listens."""
    config = run.config.train
    run.network.quantised = run.average.quantised = 0 < config.quantise_from_step <= run.step
    rate = learning_rate(run.step, config)
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    total, parts = batch_loss(run, rows)
    if listener is not None and clips is not None:
        of_clips, heard, scores = clips_loss(run, listener, clips)
        total, parts = 0.5 * (total + of_clips) + heard, parts | scores
    run.optimiser.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(run.network.parameters(), config.clip)
    kept = kept_blocks(run.network, run.step, config)
    run.optimiser.step()
    if kept:
        prune(run.network, kept)
    decay = average_decay(run.step - config.restart_step, config)
    with torch.no_grad():
        torch._foreach_lerp_(list(run.average.parameters()), list(run.network.parameters()), 1 - decay)
    if kept:
        prune(run.average, kept)
    run.step += 1
    values = {"loss": total, "gradient_norm": norm} | parts
    return {"learning_rate": rate} | {name: float(value.detach()) for name, value in values.items()}


class Log:
    """A CSV file with one row every few steps; a resumed run drops the rows that its checkpoint does not know."""

    def __init__(self, path: Path, step: int, fields: Sequence[str] = LOG_FIELDS) -> None:
        rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        kept = io.StringIO()
        writer = csv.DictWriter(kept, fields, restval="", extrasaction="ignore", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(path, kept.getvalue().encode())
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, fields, restval="")

    def write(self, row: dict[str, float]) -> None:
        """One row, on disk at once."""
        self._writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})
        self._file.flush()

    def close(self) -> None:
        """No more rows."""
        self._file.close()


def wait_for_shards(config: Config, report: Callable[[str], None]) -> Shards:
    """The shards of the folder, as soon as there are ``min_shards`` of them."""
    shards = Shards(Path(config.dataset.folder), config.train.frames)
    while len(shards) < config.train.min_shards:
        report(f"waiting for shards: {len(shards)} of {config.train.min_shards}")
        time.sleep(10)
        shards.refresh()
    if shards.n_cues() < config.model.cues:
        raise ArgumentError(
            f"expected shards with {config.model.cues} cues (model.cues), got {shards.n_cues()} in {config.dataset.folder}; "
            "make them anew with dataset.cues=true and dataset.tracker"
        )
    if config.model.cues not in (0, _core.PITCH_CUES, shards.n_cues()):
        known = f"0, {_core.PITCH_CUES} or {shards.n_cues()}, all that the shards hold"
        raise ArgumentError(f"expected model.cues of {known}, got {config.model.cues}")
    if listens(config.loss) and not shards.has_spectra():
        raise ArgumentError(
            f"expected shards with spectra for loss.dnsmos, loss.pesq or loss.si_sdr, got none in {config.dataset.folder}; "
            "make them anew with dataset.spectra=true"
        )
    return shards


def start_tensors(config: Config) -> dict[str, Floats]:
    """Those of the start weights, widened, or of two models side by side."""
    train, model = config.train, config.model
    first = read_weights(load_model(train.start_weights).contents)
    if not train.start_beside:
        return widened(first, model, train.seed)
    return side_by_side([first, read_weights(load_model(train.start_beside).contents)], model, train.seed)


def teacher(config: Config, device: torch.device) -> Network | None:
    """The network to learn from, if the configuration names one."""
    if not config.train.teacher:
        return None
    tensors = read_weights(load_model(config.train.teacher).contents)
    cues, dereverb = n_cues(tensors), tensors["dense.weight"].shape[1] > FEATURES
    if cues not in (0, config.model.cues):
        raise ArgumentError(f"expected a teacher that hears {config.model.cues} cues (model.cues), got one that hears {cues}")
    network = Network(ModelConfig(*sizes(tensors), "speech.weight" in tensors, dereverb, cues)).to(device)
    load_tensors(network, tensors)
    return network


def start(config: Config, shards: Shards, device: torch.device) -> Run:
    """The run of the folder's checkpoint, or a new one: from the start weights if there are any."""
    path = Path(config.train.folder) / CHECKPOINT
    if path.exists():
        return load_checkpoint(path, config, device)
    run = new_run(config, device)
    if config.train.start_weights:
        tensors = start_tensors(config)
        for network in (run.network, run.average):
            load_tensors(network, tensors)
        return run
    mean, scale = feature_scaling(shards.mixtures(config.train.scaling_mixtures))
    run.network.set_scaling(mean, scale)
    run.average.set_scaling(mean, scale)
    return run


def train(config: Config, report: Callable[[str], None] = print) -> Run:
    """Trains until the budget is spent, going on from the checkpoint in the folder if there is one; on a GPU if there is one.

    On a CPU, with ``watch_shards`` off, equal seeds and shards give equal weights, bit for bit, interrupted or not.
    """
    device = fastest_device()
    prepare(device)
    folder = Path(config.train.folder)
    folder.mkdir(parents=True, exist_ok=True)
    shards = wait_for_shards(config, report)
    run = start(config, shards, device)
    run.teacher = teacher(config, device)
    (folder / "config.json").write_text(config_json(config), encoding="utf-8")
    held = validation_rows(Path(config.train.validation), config.dataset) if config.train.validation else None
    log = Log(folder / LOG, run.step)
    report(f"step {run.step} of {config.train.steps}, {shards.hours():.1f} h of shards, {count_weights(run.network)} weights")
    try:
        _loop(run, shards, held, log, report)
    finally:
        log.close()
        plot(folder / LOG, folder / PICTURE)
    save_checkpoint(run, folder / CHECKPOINT)
    return run


def _loop(run: Run, shards: Shards, held: Floats | None, log: Log, report: Callable[[str], None]) -> None:
    config = run.config.train
    path = Path(config.folder) / CHECKPOINT
    listener = Listener(run.config.loss, run.network.mean.device) if listens(run.config.loss) else None
    sums, summed = dict[str, float](), 0
    started, seconds = time.perf_counter(), run.seconds
    while run.step < config.steps:
        rows = shards.batch(run.rng, config.batch)
        clips = shards.clips(run.rng, config.clips, config.clip_frames) if listener else None
        values = train_step(run, rows, listener, clips)
        run.seconds = seconds + time.perf_counter() - started
        if not math.isfinite(values["loss"]):
            raise FloatingPointError(f"the loss of step {run.step} is {values['loss']}")
        sums, summed = {name: sums.get(name, 0.0) + value for name, value in values.items()}, summed + 1
        validating = held is not None and (run.step % config.validation_steps == 0 or run.step == config.steps)
        if run.step % config.log_steps == 0 or validating:
            row: dict[str, float] = {name: value / summed for name, value in sums.items()}
            hours = run.step * config.batch * config.frames / FRAMES_PER_HOUR
            row |= {"step": run.step, "seconds": run.seconds, "audio_hours": hours, "shard_hours": shards.hours()}
            if validating and held is not None:
                row |= validate(run, held)
            log.write(row)
            report("  ".join(f"{name} {value:.5g}" for name, value in row.items()))
            sums, summed = {}, 0
            if config.watch_shards:
                shards.refresh()
        if run.step % config.checkpoint_steps == 0:
            save_checkpoint(run, path)


def count_weights(network: Network) -> int:
    """Weights and biases that are trained."""
    return sum(p.numel() for p in network.parameters())
