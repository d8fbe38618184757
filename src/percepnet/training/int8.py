"""Matrices in int8, and what the core computes with them: the same arithmetic in NumPy, bit for bit.

A rounded activation turns the last bit of a float into a step of 1/127, so that a network with int8 weights can be
compared with PyTorch only loosely. ``run`` repeats the core's operations in their order instead; nothing but equality
will do. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

BLOCK_ROWS, BLOCK_COLUMNS = 16, 4
FLOAT_LAYERS = ("dense", "features")  # inputs that are not bounded
GRUS = {"gru1": "conv2", "gru2": "gru1", "gru3": "gru2", "gru_gain": "gru3"}  # and what feeds them


class Int8(NamedTuple):
    """A quantised matrix: row r is scales[r] * integers[r]."""

    integers: npt.NDArray[np.int8]  # (rows, columns), -127..127
    scales: Floats  # (rows,), not negative

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return self.integers.shape


Tensor: TypeAlias = Floats | Int8


def quantise(matrix: Floats) -> Int8:
    """The nearest multiples of each row's largest magnitude / 127."""
    scales = (np.abs(matrix).max(axis=1) / np.float32(127)).astype(np.float32)
    integers = np.round(matrix / np.where(scales > 0, scales, 1)[:, None])
    return Int8(integers.clip(-127, 127).astype(np.int8), scales)


def blocks(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(rows, columns) -> (strips, columns / 4, 16, 4): blocks of 16 rows by 4 columns, zeros beyond the edges."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, -rows % BLOCK_ROWS), (0, -columns % BLOCK_COLUMNS)))
    return padded.reshape(-1, BLOCK_ROWS, padded.shape[1] // BLOCK_COLUMNS, BLOCK_COLUMNS).swapaxes(1, 2)


def from_blocks(strips: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[Any]:
    """The inverse of ``blocks``."""
    return strips.swapaxes(1, 2).reshape(len(strips) * BLOCK_ROWS, -1)[:rows, :columns]


def quantise_tensors(tensors: Mapping[str, Floats]) -> dict[str, Tensor]:
    """Tensors of a weight file, with every matrix in int8 that may be."""
    return {
        name: quantise(tensor) if name.endswith("weight") and name.split(".")[0] not in FLOAT_LAYERS else tensor
        for name, tensor in tensors.items()
    }


def run(tensors: Mapping[str, Tensor], features: Floats) -> tuple[Floats, Floats, Floats | None]:
    """The network from a fresh state.

    features: (n, 72), dereverb behind them if the network takes it, then the cues if it hears them.

    Returns gains, strengths (n, 34), speech (n,) or None.
    """
    network = _Network(tensors)
    mean, scale = (np.asarray(tensors[f"features.{name}"], np.float32) for name in ("mean", "scale"))
    n_inputs = tensors["dense.weight"].shape[1]
    scaled = np.hstack(((features[:, : mean.shape[1]] - mean) * scale, features[:, mean.shape[1] : n_inputs]))
    heard = network.affine("dense.", scaled)
    if "cues.weight" in tensors:
        heard = heard + network.affine("cues.", features[:, n_inputs:])
    signals = {"dense": tanh(heard)}
    signals["conv1"] = tanh(network.affine("conv1.", last_frames(signals["dense"], 5)))
    signals["conv2"] = tanh(network.affine("conv2.", last_frames(signals["conv1"], 3)))
    for name, source in GRUS.items():
        signals[name] = network.gru(name, signals[source])
    strength = network.gru("gru_strength", np.hstack((signals["conv2"], signals["gru3"])))
    trunk = np.hstack([signals[name] for name in ("conv2", *GRUS)])
    speech = sigmoid(network.affine("speech.", trunk))[:, 0] if "speech.weight" in tensors else None
    return sigmoid(network.affine("gains.", trunk)), sigmoid(network.affine("strengths.", strength)), speech


def last_frames(frames: Floats, taps: int) -> Floats:
    """(n, size) -> (n, taps * size): each frame and those before it, oldest first; zeros before the start."""
    padded = np.vstack((np.zeros((taps - 1, frames.shape[1]), np.float32), frames))
    return np.hstack([padded[i : i + len(frames)] for i in range(taps)])


class _Network:
    """The layers by name; signals are (frames, size)."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        int8 = {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Int8)}
        self.integers = {name: tensor.integers.T.astype(np.float64) for name, tensor in int8.items()}

    def affine(self, prefix: str, x: Floats) -> Floats:
        weight, bias = self.tensors[f"{prefix}weight"], np.asarray(self.tensors[f"{prefix}bias"], np.float32)
        if isinstance(weight, Int8):
            sums = np.round(x * np.float32(127)).astype(np.float64) @ self.integers[f"{prefix}weight"]  # exact
            return bias + (weight.scales / np.float32(127)) * sums.astype(np.float32)
        out = np.repeat(bias, len(x), axis=0)
        for column, values in zip(np.asarray(weight, np.float32).T, x.T, strict=True):
            out += values[:, None] * column
        return out

    def gru(self, name: str, x: Floats) -> Floats:
        from_input = self.affine(f"{name}.input_", x)
        size = from_input.shape[1] // 3
        hidden = np.zeros((len(x) + 1, size), np.float32)
        for t, sums in enumerate(from_input):
            h = hidden[t]
            products = self.affine(f"{name}.recurrent_", h[None])[0]
            reset, update = sigmoid(sums[: 2 * size] + products[: 2 * size]).reshape(2, size)
            candidate = tanh(sums[2 * size :] + reset * products[2 * size :])
            hidden[t + 1] = (1 - update) * candidate + update * h
        return hidden[1:]


# ---- elementary.h, operation by operation ---------------------------------------------------------------------------


def exp(x: Floats) -> Floats:
    """The core's exp."""
    log2_e, ln2_high, ln2_low = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
    x = np.clip(x, np.float32(-87), np.float32(87))
    k = np.round(x * log2_e)
    r = (x - k * ln2_high) - k * ln2_low
    p = np.full_like(r, 1 / 720)
    for coefficient in (1 / 120, 1 / 24, 1 / 6, 0.5, 1, 1):
        p = p * r + np.float32(coefficient)
    power = ((k.astype(np.int32) + 127) << 23).view(np.float32)
    return np.asarray(p * power, np.float32)


def tanh(x: Floats) -> Floats:
    """The core's tanh."""
    x = np.clip(x, np.float32(-9), np.float32(9))
    return np.float32(1) - np.float32(2) / (exp(np.float32(2) * x) + np.float32(1))


def sigmoid(x: Floats) -> Floats:
    """The core's logistic function."""
    return np.float32(1) / (np.float32(1) + exp(-x))
