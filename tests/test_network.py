"""Network: core == reference step by step; weight files that are damaged are refused."""

from __future__ import annotations

import pathlib
import zlib

import numpy as np
import pytest

import networks
from percepnet import _core
from percepnet.errors import ModelError
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors
from reference.network import Network


def random_features(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (n, 72)).astype(np.float32)
    features[:, :34] = features[:, :34] * 20 - 15
    return features


PLAIN, WITH_DEREVERB, WITH_CUES = (
    networks.random_tensors(0),
    networks.random_tensors(1, dereverb=True),
    networks.cued_tensors(2),
)


@pytest.mark.parametrize(
    ("tensors", "more"), [(PLAIN, 0), (WITH_DEREVERB, 1), (WITH_CUES, 1 + 346 + 48)], ids=["plain", "dereverb", "cues"]
)
def test_equals_reference_step_by_step(tensors: networks.Tensors, more: int) -> None:
    features = np.hstack((random_features(200), np.random.default_rng(5).uniform(-1, 1, (200, more)).astype(np.float32)))
    handle = _core.ModelHandle(write_weights(tensors, 2, {}))

    gains, strengths, speech = _core.network_run(handle, features)

    reference = Network(tensors)
    expected = [reference.step(row.astype(np.float64)) for row in features]
    np.testing.assert_allclose(gains, [g for g, _, _ in expected], atol=1e-5)  # float32 sums of up to 160 terms, 200 steps
    np.testing.assert_allclose(strengths, [r for _, r, _ in expected], atol=1e-5)
    np.testing.assert_allclose(np.asarray(speech), [s for _, _, s in expected], atol=1e-5)


def test_outputs_depend_on_past_inputs_only() -> None:
    handle = _core.ModelHandle(write_weights(networks.random_tensors(), 2, {}))
    features = random_features(60)
    changed = features.copy()
    changed[40:] += 1

    first, second = _core.network_run(handle, features), _core.network_run(handle, changed)

    assert np.array_equal(first[0][:40], second[0][:40])
    assert not np.array_equal(first[0][40], second[0][40])


def test_speech_head_is_optional() -> None:
    with_head, without = networks.random_tensors(), networks.random_tensors(speech=False)

    handles = [_core.ModelHandle(write_weights(tensors, 2, {})) for tensors in (with_head, without)]

    assert [handle.has_speech for handle in handles] == [True, False]
    assert not handles[0].has_dereverb
    assert _core.network_run(handles[1], random_features(3))[2] is None


def test_model_knows_its_facts(model_paths: list[pathlib.Path]) -> None:
    handles = [_core.ModelHandle(path.read_bytes()) for path in model_paths]

    assert [handle.lookahead for handle in handles] == [0, 1, 2, 3]
    n_weights = sum(v.size for name, v in networks.random_tensors(dereverb=True).items() if not name.startswith("features."))
    assert handles[2].n_weights == n_weights
    assert handles[2].has_dereverb


def damaged(contents: bytes, offset: int, patch: bytes, checksum: bool = True) -> bytes:
    """`contents` with bytes replaced; the checksum made right again, so that the damage itself must be seen."""
    changed = bytearray(contents)
    changed[offset : offset + len(patch)] = patch
    if checksum:
        changed[12:16] = zlib.crc32(bytes(changed[16:])).to_bytes(4, "little")
    return bytes(changed)


def table_offset(contents: bytes, name: str) -> int:
    """Offset of a tensor's entry."""
    return contents.index(name.encode() + b"\0", 256)


REFUSED = {
    "magic": lambda c: damaged(c, 0, b"RNNOISE!"),
    "version": lambda c: damaged(c, 8, (1).to_bytes(4, "little")),
    "truncated": lambda c: c[:-1],
    "too long": lambda c: c + b"\0",
    "header only": lambda c: c[:200],
    "empty": lambda c: c[:0],
    "bit flip": lambda c: damaged(c, len(c) - 5, bytes([c[-5] ^ 1]), checksum=False),
    "lookahead": lambda c: damaged(c, 24, (4).to_bytes(4, "little")),
    "scalar inputs": lambda c: damaged(c, 32, (2).to_bytes(4, "little")),
    "weights without their input": lambda c: damaged(c, 32, (0).to_bytes(4, "little")),
    "features": lambda c: damaged(c, 28, (70).to_bytes(4, "little")),
    "bands": lambda c: damaged(c, 56, (32).to_bytes(4, "little")),
    "band centres": lambda c: damaged(c, 64, (3).to_bytes(4, "little")),
    "missing tensor": lambda c: damaged(c, table_offset(c, "gru2.input_weight"), b"GRU2"),
    "int8 tensor": lambda c: damaged(c, table_offset(c, "conv1.weight") + 40, (1).to_bytes(4, "little")),
    "sparse tensor": lambda c: damaged(c, table_offset(c, "conv1.weight") + 44, (1).to_bytes(4, "little")),
    "wrong shape": lambda c: damaged(c, table_offset(c, "conv2.weight") + 52, (7).to_bytes(4, "little")),
    "values outside": lambda c: damaged(c, table_offset(c, "conv2.weight") + 56, (1 << 40).to_bytes(8, "little")),
    "huge count": lambda c: damaged(c, 36, (0xFFFFFFFF).to_bytes(4, "little")),
    "card outside": lambda c: damaged(c, 48, (1 << 40).to_bytes(8, "little")),
}


@pytest.mark.parametrize("damage", REFUSED)
def test_damaged_file_is_refused(damage: str, model_paths: list[pathlib.Path]) -> None:
    contents = model_paths[2].read_bytes()

    with pytest.raises(ModelError):
        _core.ModelHandle(REFUSED[damage](contents))


@pytest.fixture(scope="module")
def sparse() -> bytes:
    """A file whose gru1.input_weight is block-sparse."""
    tensors = networks.without_blocks(networks.random_tensors(), 0.5)
    return write_weights(quantise_tensors(tensors), 2, {})


def index_of(contents: bytes, name: str) -> tuple[int, int]:
    """Offset and bytes of a tensor's block index."""
    entry = table_offset(contents, name)
    offset, n_bytes = (int.from_bytes(contents[entry + at : entry + at + 8], "little") for at in (80, 88))
    return offset, n_bytes


@pytest.mark.parametrize("patch", [(0, 0), (0, 200), (2, 8), (2, 0xFFFF), (4, 0)], ids=str)
def test_a_wrong_block_index_is_refused(patch: tuple[int, int], sparse: bytes) -> None:
    """The number of blocks in the first strip, and their columns, which ascend inside the matrix."""
    at, value = patch
    offset, _ = index_of(sparse, "gru1.input_weight")

    with pytest.raises(ModelError):
        _core.ModelHandle(damaged(sparse, offset + at, value.to_bytes(2, "little")))


@pytest.mark.parametrize("field", [80, 88])
def test_a_block_index_elsewhere_is_refused(field: int, sparse: bytes) -> None:
    at = table_offset(sparse, "gru1.input_weight") + field

    with pytest.raises(ModelError):
        _core.ModelHandle(damaged(sparse, at, (1 << 40).to_bytes(8, "little")))


def test_n_weights_counts_the_blocks_that_are_there(sparse: bytes) -> None:
    dense = write_weights(quantise_tensors(networks.random_tensors()), 2, {})
    n_index = sum(index_of(sparse, name)[1] > 0 for name in ("conv2.weight", "gru1.input_weight", "gru_strength.input_weight"))

    assert n_index == 3
    assert _core.ModelHandle(sparse).n_weights < 0.8 * _core.ModelHandle(dense).n_weights


def test_every_truncation_is_refused(model_paths: list[pathlib.Path]) -> None:
    contents = model_paths[2].read_bytes()

    for size in range(0, len(contents), 997):
        with pytest.raises(ModelError):
            _core.ModelHandle(contents[:size])


def test_unknown_tensor_is_ignored() -> None:
    tensors = networks.random_tensors() | {"later.weight": np.zeros((2, 3), np.float32)}

    assert _core.ModelHandle(write_weights(tensors, 2, {})).lookahead == 2
