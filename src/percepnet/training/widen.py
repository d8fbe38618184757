"""A larger network that computes what a smaller one does, to go on from: Net2Net (Chen et al., 2016) for this graph.

Units are repeated: copies hear the same and say the same, and whoever listens to them shares its weight among them,
unevenly, so that training tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from percepnet.training.config import ModelConfig

Floats = npt.NDArray[np.float32]
Units = npt.NDArray[np.int64]  # (new,): which old unit each new one repeats

GRUS = {  # and what they hear
    "gru1": ("hidden",),
    "gru2": ("hidden",),
    "gru3": ("hidden",),
    "gru_gain": ("hidden",),
    "gru_strength": ("hidden", "hidden"),
}


def sizes(tensors: Mapping[str, Floats]) -> tuple[int, int, int]:
    """Dense, hidden and strength of a network."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return shapes["dense.weight"][0], shapes["conv1.weight"][0], shapes["strengths.weight"][1]


def widened(tensors: Mapping[str, Floats], config: ModelConfig, seed: int) -> dict[str, Floats]:
    """The tensors of a network of the sizes in ``config``, none smaller than those of ``tensors``, with the same outputs.

    A network that hears no cues may become one that does.
    Raises ValueError where one is smaller.
    """
    old, new = sizes(tensors), (config.dense, config.hidden, config.strength)
    if any(n < o for o, n in zip(old, new, strict=True)):
        raise ValueError(f"expected sizes of at least {old} (dense, hidden, strength), got {new}")
    rng = np.random.default_rng(seed)
    dense, hidden, strength = (repeated(o, n, rng) for o, n in zip(old, new, strict=True))
    nothing = np.arange(tensors["dense.weight"].shape[1])
    units = {"dense": dense, "hidden": hidden, "strength": strength}
    wide = {name: tensors[name] for name in ("features.mean", "features.scale")}

    def put(prefix: str, rows: Units | None, columns: list[Units]) -> None:
        weight, bias = tensors[f"{prefix}weight"], tensors[f"{prefix}bias"]
        shared = share_columns(weight, columns, rng)
        wide[f"{prefix}weight"] = shared if rows is None else shared[rows]
        wide[f"{prefix}bias"] = bias if rows is None else bias[:, rows]

    put("dense.", dense, [nothing])
    if "cues.weight" in tensors:
        put("cues.", dense, [np.arange(tensors["cues.weight"].shape[1])])
    elif config.cues:  # not heard so far
        wide["cues.weight"], wide["cues.bias"] = (
            np.zeros(shape, np.float32) for shape in ((config.dense, config.cues), (1, config.dense))
        )
    put("conv1.", hidden, [dense] * 5)
    put("conv2.", hidden, [hidden] * 3)
    for name, inputs in GRUS.items():
        own = strength if name == "gru_strength" else hidden
        gates = np.concatenate([own + gate * (own.max() + 1) for gate in range(3)])
        put(f"{name}.input_", gates, [units[part] for part in inputs])
        put(f"{name}.recurrent_", gates, [own])
    put("gains.", None, [hidden] * 5)
    put("strengths.", None, [strength])
    if "speech.weight" in tensors:
        put("speech.", None, [hidden] * 5)
    return wide


def repeated(old: int, new: int, rng: np.random.Generator) -> Units:
    """Every old unit once, then random ones again."""
    again = np.resize(rng.permutation(old), new - old) if new > old else np.arange(0)
    return np.concatenate((np.arange(old), again))


def share_columns(weight: Floats, parts: list[Units], rng: np.random.Generator) -> Floats:
    """The columns of each part in turn, each old one shared among its copies by random parts of the whole."""
    out, start = [], 0
    for units in parts:
        size = int(units.max()) + 1
        share = rng.uniform(0.5, 1.5, (len(weight), len(units)))
        total = share @ (units[:, None] == np.arange(size))
        out.append(weight[:, start : start + size][:, units] * (share / total[:, units]))
        start += size
    return np.hstack(out).astype(np.float32)
