"""int8 layers: the same bits from every kernel that this processor has, and those of their definition in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from networks import random_tensors, without_blocks
from percepnet import _core
from percepnet.training import int8
from percepnet.training.export import write_weights
from percepnet.training.int8 import Int8

SHAPES = [(16, 32, 16), (5, 7, 3), (33, 50, 17), (64, 192, 64)]  # dense, hidden, strength


def features(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (n, 72)).astype(np.float32)


def run_all(contents: bytes, isa: str, monkeypatch: pytest.MonkeyPatch, n: int = 120) -> tuple[np.ndarray, ...]:
    """Outputs with that instruction set; skips where the processor lacks it."""
    monkeypatch.setenv("PERCEPNET_ISA", isa)
    handle = _core.ModelHandle(contents)
    if handle.isa != isa:
        pytest.skip(f"this processor has no {isa}")
    outputs = _core.network_run(handle, features(n))
    return tuple(output for output in outputs if output is not None)


@pytest.mark.parametrize("isa", [isa for isa in _core.ISAS if isa != "portable"])
@pytest.mark.parametrize("quantised", [True, False], ids=["int8", "float32"])
def test_every_kernel_gives_the_same_bits(isa: str, quantised: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for shape in SHAPES:
        tensors = random_tensors(sizes=shape)
        contents = write_weights(int8.quantise_tensors(tensors) if quantised else tensors, 2, {})

        outputs, expected = (run_all(contents, name, monkeypatch) for name in (isa, "portable"))

        assert all(np.array_equal(a, b) for a, b in zip(outputs, expected, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("isa", _core.ISAS)
def test_blocks_that_are_not_there_are_zeros(isa: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = int8.quantise_tensors(without_blocks(random_tensors(sizes=shape), 0.3))
    contents = write_weights(tensors, 2, {})

    outputs = run_all(contents, isa, monkeypatch)

    assert len(contents) < len(write_weights(int8.quantise_tensors(random_tensors(sizes=shape)), 2, {}))
    assert all(np.array_equal(a, b) for a, b in zip(outputs, int8.run(tensors, features(120)), strict=True))


def test_a_quarter_of_the_blocks_takes_a_quarter_of_the_bytes() -> None:
    tensors = random_tensors(sizes=(64, 192, 64))
    sparse = without_blocks(tensors, 0.25)
    names = [name for name in tensors if name.endswith("weight") and name.startswith(("conv2", "gru"))]
    cut = sum(np.count_nonzero(sparse[name] == 0) for name in names)

    before, after = (len(write_weights(int8.quantise_tensors(t), 2, {})) for t in (tensors, sparse))

    assert before - after > 0.95 * cut


@pytest.mark.parametrize("extreme", [-127, 127])
@pytest.mark.parametrize("isa", _core.ISAS)
def test_largest_products_do_not_overflow(isa: str, extreme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = int8.quantise_tensors(random_tensors(sizes=(64, 192, 64)))
    for name, tensor in tensors.items():
        if isinstance(tensor, Int8):
            tensors[name] = Int8(np.full_like(tensor.integers, extreme), np.full_like(tensor.scales, 1e-4))
    tensors["dense.bias"] = np.full((1, 64), 20, np.float32)  # tanh gives 1: the code is 127

    outputs = run_all(write_weights(tensors, 2, {}), isa, monkeypatch, n=10)

    expected = int8.run(tensors, features(10))
    assert all(np.array_equal(a, b) for a, b in zip(outputs, expected, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_core_computes_the_definition_bit_for_bit(shape: tuple[int, int, int]) -> None:
    tensors = int8.quantise_tensors(random_tensors(sizes=shape))

    outputs = _core.network_run(_core.ModelHandle(write_weights(tensors, 2, {})), features(120))

    assert all(np.array_equal(a, b) for a, b in zip(outputs, int8.run(tensors, features(120)), strict=True))


def test_definition_agrees_with_float32_bit_for_bit() -> None:
    tensors = random_tensors()

    outputs = _core.network_run(_core.ModelHandle(write_weights(tensors, 2, {})), features(40))

    assert all(np.array_equal(a, b) for a, b in zip(outputs, int8.run(tensors, features(40)), strict=True))


def test_rounding_costs_little() -> None:
    tensors = random_tensors(sizes=(64, 192, 64))

    exact, rounded = (int8.run(t, features(100))[0] for t in (tensors, int8.quantise_tensors(tensors)))

    assert np.sqrt(np.mean((exact - rounded) ** 2)) < 0.01


@pytest.mark.parametrize("name", ["nonsense", ""])
def test_unknown_instruction_set_is_not_heeded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = write_weights(random_tensors(), 2, {})
    best = _core.ModelHandle(contents).isa

    monkeypatch.setenv("PERCEPNET_ISA", name)

    assert _core.ModelHandle(contents).isa == best


def test_int8_takes_one_byte_a_weight() -> None:
    tensors = random_tensors(sizes=(64, 192, 64))

    contents = write_weights(int8.quantise_tensors(tensors), 2, {})

    assert len(contents) < 1.06 * _core.ModelHandle(contents).n_weights


def test_features_layer_must_be_float() -> None:
    tensors = random_tensors()
    quantised = tensors | {"dense.weight": int8.quantise(tensors["dense.weight"])}

    with pytest.raises(_core.ModelError):
        _core.ModelHandle(write_weights(quantised, 2, {}))


def test_zero_rows_stay_zero() -> None:
    matrix = np.zeros((3, 4), np.float32)
    matrix[1] = (0.5, -1, 0.25, 0)

    quantised = int8.quantise(matrix)

    np.testing.assert_array_equal(quantised.integers, [[0, 0, 0, 0], [64, -127, 32, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(quantised.scales, np.array([0, 1 / 127, 0], np.float32))
