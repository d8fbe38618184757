"""Checkpoint to weight file (docs/weight-file.md), written only after the native core gave PyTorch's outputs.

``write_weights`` needs NumPy alone, so that anybody can build a weight file.
"""

# ruff: noqa: PLC0415 - write_weights must work where PyTorch is not installed

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from percepnet import _core
from percepnet._core import BANDS, FEATURES
from percepnet.training.bands import BAND_CENTRES

if TYPE_CHECKING:
    from percepnet.training.model import Network
    from percepnet.training.train import Run

Floats = npt.NDArray[np.float32]

MAGIC, VERSION = b"PERCEPNT", 1
COMB_HALF_ORDER = 5
HEADER_SIZE, ENTRY_SIZE, ALIGNMENT = 256, 96, 64
CHECKED_FROM = 16  # the checksum covers everything from here
EQUALITY = 1e-4  # largest difference between core and PyTorch that an export tolerates


class Int8(NamedTuple):
    """A quantised matrix: row r is scales[r] * integers[r]."""

    integers: npt.NDArray[np.int8]  # (rows, columns), -127..127
    scales: Floats  # (rows,), not negative


def quantise(matrix: Floats) -> Int8:
    """The nearest multiples of each row's largest magnitude / 127."""
    largest = np.abs(matrix).max(axis=1).astype(np.float32)
    scales = largest / np.float32(127)
    integers = np.round(matrix / np.where(scales > 0, scales, 1)[:, None]).clip(-127, 127)
    return Int8(integers.astype(np.int8), scales)


def write_weights(
    tensors: Mapping[str, npt.NDArray[np.floating] | Int8], lookahead: int, card: Mapping[str, object]
) -> bytes:
    """A weight file of dense tensors, each (rows, columns), float32 or int8, under their names of docs/weight-file.md."""
    text = json.dumps(card, ensure_ascii=False, sort_keys=True).encode()
    table, values = b"", b""
    start = _aligned(HEADER_SIZE + ENTRY_SIZE * len(tensors))
    for name, tensor in tensors.items():
        is_int8 = isinstance(tensor, Int8)
        matrix = tensor.integers if isinstance(tensor, Int8) else np.ascontiguousarray(tensor, dtype="<f4")
        data = np.ascontiguousarray(matrix).tobytes()
        scales = tensor.scales.astype("<f4").tobytes() if isinstance(tensor, Int8) else b""
        offset = start + len(values)
        scales_offset = offset + _aligned(len(data)) if is_int8 else 0
        table += struct.pack(
            "<40sIIIIQQQQQ", name.encode(), is_int8, 0, *matrix.shape, offset, len(data), scales_offset, 0, 0
        )
        values += _padded(data) + _padded(scales)
    card_start = start + len(values)
    header = struct.pack("<IIIIQQII", lookahead, FEATURES, 0, len(tensors), card_start, len(text), BANDS, COMB_HALF_ORDER)
    body = (header + struct.pack(f"<{BANDS}I", *BAND_CENTRES)).ljust(HEADER_SIZE - 24, b"\0") + table
    body = body.ljust(start - 24, b"\0") + values + text
    checked = struct.pack("<Q", 24 + len(body)) + body
    return MAGIC + struct.pack("<II", VERSION, zlib.crc32(checked)) + checked


def _padded(data: bytes) -> bytes:
    return data.ljust(_aligned(len(data)), b"\0")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def largest_difference(network: Network, contents: bytes, features: Floats) -> float:
    """Between the outputs of PyTorch and of the core for features (frames, FEATURES), step by step from a fresh state."""
    import torch

    with torch.no_grad():
        gains, strengths, speech, _ = network(torch.from_numpy(features)[None])
    wanted = [gains[0].numpy(), strengths[0].numpy()] + ([speech[0].numpy()] if speech is not None else [])
    got = _core.network_run(_core.ModelHandle(contents), features)
    return max(float(np.abs(a - b).max()) for a, b in zip(wanted, got, strict=False))


def prove_equality(network: Network, contents: bytes, features: Floats) -> float:
    """The largest difference; raises ValueError where it is not below EQUALITY."""
    difference = largest_difference(network, contents, features)
    if not difference < EQUALITY:
        raise ValueError(f"core and PyTorch differ by {difference:.2e}, more than {EQUALITY}: nothing was written")
    return difference


def model_card(run: Run, identity: str, sources: list[dict[str, object]], extra: Mapping[str, Any]) -> dict[str, Any]:
    """What is known about the model: id, licence, data with licences, recipe; ``extra`` adds scores and limits."""
    from percepnet.training.dataset import FRAMES_PER_HOUR

    train, mixing, loss = (asdict(part) for part in (run.config.train, run.config.mixing, run.config.loss))
    recipe = {
        "steps": run.step,
        "audio_hours": round(run.step * train["batch"] * train["frames"] / FRAMES_PER_HOUR, 1),
        "core_hours": round(run.seconds / 3600, 2),
        "model": asdict(run.config.model),
        "train": {name: value for name, value in train.items() if name not in ("folder", "validation")},
        "mixing": mixing,
        "loss": loss,
    }
    return {"id": identity, "licence": "unknown", "data": sources, "recipe": recipe} | dict(extra)


def check_features(run: Run) -> Floats:
    """Real features, (frames, FEATURES): of validation pairs where there are some, else of the first shard."""
    from percepnet.training.dataset import FEATURE, Shards
    from percepnet.training.train import validation_rows

    if run.config.train.validation:
        rows = validation_rows(Path(run.config.train.validation), run.config.dataset.lookahead)[:8]
    else:
        rows = np.stack(list(Shards(Path(run.config.dataset.folder), 1).mixtures(8))).astype(np.float32)
    return np.ascontiguousarray(rows[..., FEATURE].reshape(-1, FEATURES))


def export_run(run: Run, features: Floats, card: Mapping[str, object]) -> tuple[bytes, float]:
    """The weight file of a run's averaged weights, and how far core and PyTorch differ on ``features``."""
    from percepnet.training.model import named_tensors

    contents = write_weights(named_tensors(run.average), run.config.dataset.lookahead, card)
    return contents, prove_equality(run.average, contents, features)


def export_checkpoint(checkpoint: Path, output: Path, card: Path | None, identity: str) -> float:
    """Writes the weight file of a checkpoint and returns the largest difference between core and PyTorch."""
    from percepnet.training.corpus import INDEX_FILE, Corpus, licence_table, read_set_aside
    from percepnet.training.train import load_checkpoint

    run = load_checkpoint(checkpoint)
    corpus = run.config.corpus
    sources: list[dict[str, object]] = []
    if (Path(corpus.cache) / INDEX_FILE).exists():
        set_aside = read_set_aside(Path(corpus.set_aside) if corpus.set_aside else None)
        sources = licence_table(Corpus(Path(corpus.cache), set_aside))
    extra = json.loads(card.read_text(encoding="utf-8")) if card else {}
    contents, difference = export_run(run, check_features(run), model_card(run, identity, sources, extra))
    partial = output.with_name(output.name + ".part")
    partial.write_bytes(contents)
    partial.replace(output)
    return difference
