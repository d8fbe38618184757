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
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from percepnet import _core
from percepnet._core import BANDS, FEATURES
from percepnet.errors import ArgumentError, PercepNetError
from percepnet.output import write_whole
from percepnet.training import int8
from percepnet.training.bands import BAND_CENTRES
from percepnet.training.int8 import Int8, Tensor
from percepnet.weights import load_model

if TYPE_CHECKING:
    from percepnet.training.config import Config
    from percepnet.training.model import Network
    from percepnet.training.train import Run

Floats = npt.NDArray[np.float32]

MAGIC, VERSION = b"PERCEPNT", 2
VERSIONS = {"cues.": 4, "pitch.": 3}  # of files with such tensors: readers of older versions must not ignore them
COMB_HALF_ORDER = 5
HEADER_SIZE, ENTRY_SIZE, ALIGNMENT = 256, 96, 64
TRACKER = "pitch."  # how the names of its tensors begin
CHECKED_FROM = 16  # the checksum covers everything from here
EQUALITY = 1e-4  # largest difference between core and PyTorch that an export tolerates


def write_weights(tensors: Mapping[str, Tensor], lookahead: int, card: Mapping[str, object]) -> bytes:
    """A weight file of tensors, each (rows, columns), float32 or int8, under their names of docs/weight-file.md.

    An int8 tensor is stored block-sparse where that is smaller: where enough blocks of 16 rows by 4 columns are zero.
    """
    text = json.dumps(card, ensure_ascii=False, sort_keys=True).encode()
    table, values = b"", b""
    start = _aligned(HEADER_SIZE + ENTRY_SIZE * len(tensors))
    for name, tensor in tensors.items():
        is_int8 = isinstance(tensor, Int8)
        data, scales, index = _bytes(tensor)
        offset = start + len(values)
        scales_offset = offset + _aligned(len(data)) if is_int8 else 0
        index_offset = scales_offset + _aligned(len(scales)) if index else 0
        place = (offset, len(data), scales_offset, index_offset, len(index))
        table += struct.pack("<40sIIIIQQQQQ", name.encode(), is_int8, bool(index), *tensor.shape, *place)
        values += _padded(data) + _padded(scales) + _padded(index)
    card_start = start + len(values)
    scalars = tensors["dense.weight"].shape[1] - FEATURES if "dense.weight" in tensors else 0
    header = struct.pack("<IIIIQQII", lookahead, FEATURES, scalars, len(tensors), card_start, len(text), BANDS, COMB_HALF_ORDER)
    body = (header + struct.pack(f"<{BANDS}I", *BAND_CENTRES)).ljust(HEADER_SIZE - 24, b"\0") + table
    body = body.ljust(start - 24, b"\0") + values + text
    checked = struct.pack("<Q", 24 + len(body)) + body
    version = max([VERSION, *(v for prefix, v in VERSIONS.items() if any(name.startswith(prefix) for name in tensors))])
    return MAGIC + struct.pack("<II", version, zlib.crc32(checked)) + checked


def read_tensors(contents: bytes) -> dict[str, Tensor]:
    """The tensors of a weight file that the core accepts: (rows, columns) each, by name."""
    _core.ModelHandle(contents)  # refuses what is damaged
    (count,) = struct.unpack_from("<I", contents, 36)
    tensors: dict[str, Tensor] = {}
    for i in range(count):
        entry = struct.unpack_from("<40sIIIIQQQQQ", contents, HEADER_SIZE + ENTRY_SIZE * i)
        padded_name, is_int8, is_sparse, rows, columns, offset, size, scales_offset, index_offset, index_size = entry
        values = np.frombuffer(contents, np.int8 if is_int8 else "<f4", size // (1 if is_int8 else 4), offset)
        index = np.frombuffer(contents, "<u2", index_size // 2, index_offset)
        matrix = _from_blocks(values, index, rows, columns) if is_sparse else values.reshape(rows, columns)
        scales = np.frombuffer(contents, "<f4", rows * is_int8, scales_offset).astype(np.float32)
        tensors[padded_name.decode().rstrip("\0")] = Int8(matrix, scales) if is_int8 else matrix.astype(np.float32)
    return tensors


def read_weights(contents: bytes) -> dict[str, Floats]:
    """The tensors of a network in float32, those of its pitch tracker left out; int8 is multiplied by its scales."""
    tensors = {name: tensor for name, tensor in read_tensors(contents).items() if not name.startswith(TRACKER)}
    return {
        name: tensor.integers * tensor.scales[:, None] if isinstance(tensor, Int8) else tensor
        for name, tensor in tensors.items()
    }


def tracker_tensors(config: Config) -> dict[str, Tensor]:
    """The pitch tracker of the model that ``dataset.tracker`` names, which made a run's features; nothing for the plain one."""
    if not config.dataset.tracker:
        return {}
    tensors = read_tensors(load_model(config.dataset.tracker).contents)
    return {name: tensor for name, tensor in tensors.items() if name.startswith(TRACKER)}


def _bytes(tensor: Tensor) -> tuple[bytes, bytes, bytes]:
    """Values, scales, block index."""
    if not isinstance(tensor, Int8):
        return np.asarray(tensor, dtype="<f4").tobytes(), b"", b""
    scales, dense = tensor.scales.astype("<f4").tobytes(), tensor.integers.tobytes()
    blocks = int8.blocks(tensor.integers)
    kept = np.asarray(blocks.any(axis=(2, 3)))
    index = b"".join(np.array([strip.sum(), *np.flatnonzero(strip)], "<u2").tobytes() for strip in kept)
    sparse = blocks[kept].tobytes()
    return (sparse, scales, index) if len(sparse) + len(index) < len(dense) else (dense, scales, b"")


def _from_blocks(values: npt.NDArray[np.int8], index: npt.NDArray[np.uint16], rows: int, columns: int) -> npt.NDArray[np.int8]:
    """The matrix whose blocks that are not all zero are ``values``: (rows, columns)."""
    blocks = int8.blocks(np.zeros((rows, columns), np.int8)).copy()
    position, taken = 0, 0
    stored = values.reshape(-1, *blocks.shape[2:])
    for strip in blocks:
        count = int(index[position])
        strip[index[position + 1 : position + 1 + count]] = stored[taken : taken + count]
        position, taken = position + 1 + count, taken + count
    return int8.from_blocks(blocks, rows, columns)


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
    """The largest difference; raises PercepNetError where it is not below EQUALITY."""
    difference = largest_difference(network, contents, features)
    if not difference < EQUALITY:
        raise PercepNetError(f"core and PyTorch differ by {difference:.2e}, more than {EQUALITY}: nothing was written")
    return difference


def prove_int8(tensors: Mapping[str, Tensor], contents: bytes, features: Floats) -> None:
    """Raises PercepNetError where the core's outputs are not, to the last bit, those of ``int8.run``."""
    wanted, got = int8.run(tensors, features), _core.network_run(_core.ModelHandle(contents), features)
    if not all(np.array_equal(a, b) for a, b in zip(wanted, got, strict=True) if a is not None and b is not None):
        raise PercepNetError("the core does not compute the quantised network bit for bit: nothing was written")


def quantisation_cost(contents: bytes, quantised: bytes, features: Floats) -> dict[str, float]:
    """Root mean square difference that int8 makes to gains and strengths."""
    before, after = (_core.network_run(_core.ModelHandle(file), features)[:2] for file in (contents, quantised))
    names = ("rms_gains", "rms_strengths")
    return {name: round(float(np.sqrt(np.mean((b - a) ** 2))), 5) for name, a, b in zip(names, before, after, strict=True)}


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
    """What the network sees of real audio, (frames, inputs): validation pairs if there are any, else the first shard."""
    from percepnet.training.dataset import COLUMNS, INPUT, Shards
    from percepnet.training.train import validation_rows

    if run.config.train.validation:
        rows = validation_rows(Path(run.config.train.validation), run.config.dataset)[:8]
    else:
        rows = np.stack(list(Shards(Path(run.config.dataset.folder), 1).mixtures(8))).astype(np.float32)
    model = run.config.model
    rows = rows.reshape(-1, rows.shape[2])
    return np.hstack((rows[:, INPUT][:, : FEATURES + model.dereverb], rows[:, COLUMNS : COLUMNS + model.cues]))


def export_run(run: Run, features: Floats, card: Mapping[str, object], to_int8: bool = False) -> tuple[bytes, float]:
    """The weight file of a run's averaged weights, and how far core and PyTorch differ on ``features`` in float32.

    With ``to_int8``, matrices are quantised after that proof, a second one asks for equal bits, and the card tells the cost.
    """
    from percepnet.training.model import named_tensors

    tensors, lookahead = named_tensors(run.average), run.config.dataset.lookahead
    tracker = tracker_tensors(run.config)
    contents = write_weights({**tensors, **tracker}, lookahead, card)
    difference = prove_equality(run.average, contents, features)
    if to_int8:
        quantised = {**int8.quantise_tensors(tensors), **tracker}
        cost = quantisation_cost(contents, write_weights(quantised, lookahead, card), features)
        contents = write_weights(quantised, lookahead, {**card, "quantisation": {"type": "int8"} | cost})
        prove_int8(quantised, contents, features)
    return contents, difference


def export_checkpoint(checkpoint: Path, output: Path, card: Path | None, identity: str, to_int8: bool = False) -> float:
    """Writes the weight file of a checkpoint and returns the largest difference between core and PyTorch."""
    from percepnet.training.corpus import INDEX_FILE, Corpus, licence_table, read_set_aside
    from percepnet.training.train import load_checkpoint

    run = load_checkpoint(checkpoint)
    corpus = run.config.corpus
    sources: list[dict[str, object]] = []
    if (Path(corpus.cache) / INDEX_FILE).exists():
        set_aside = read_set_aside(Path(corpus.set_aside) if corpus.set_aside else None)
        sources = licence_table(Corpus(Path(corpus.cache), set_aside))
    extra = read_card(card) if card else {}
    contents, difference = export_run(run, check_features(run), model_card(run, identity, sources, extra), to_int8)
    try:
        write_whole(output, contents)
    except OSError as error:
        raise PercepNetError(f"cannot write {output}: {error.strerror}") from error
    return difference


def read_card(path: Path) -> dict[str, object]:
    """Entries for a model card. Raises ArgumentError where there are none."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"cannot read card {path}: {error}") from error
    if not isinstance(card, dict):
        raise ArgumentError(f"expected a JSON object in {path}, got {type(card).__name__}")
    return card
