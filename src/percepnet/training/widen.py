"""A larger network that computes what smaller ones do, to go on from.

``widened`` repeats the units of one (Net2Net, Chen et al., 2016): copies hear the same and say the same, and whoever listens to
them shares its weight among them, unevenly, so that training tells them apart. ``side_by_side`` joins several into their mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from percepnet.errors import ArgumentError
from percepnet.training.config import ModelConfig

Floats = npt.NDArray[np.float32]
Units = npt.NDArray[np.int64]

SCALING = ("features.mean", "features.scale")
SIZES = ("dense", "hidden", "strength")


def _gru(name: str, own: str, heard: list[str]) -> dict[str, tuple[list[str], list[str]]]:
    return {f"{name}.input_": ([own] * 3, heard), f"{name}.recurrent_": ([own] * 3, [own])}


LAYERS = {  # whose units the rows and the columns of a matrix belong to
    "dense.": (["dense"], ["inputs"]),
    "cues.": (["dense"], ["cues"]),
    "conv1.": (["hidden"], ["dense"] * 5),
    "conv2.": (["hidden"], ["hidden"] * 3),
    **_gru("gru1", "hidden", ["hidden"]),
    **_gru("gru2", "hidden", ["hidden"]),
    **_gru("gru3", "hidden", ["hidden"]),
    **_gru("gru_gain", "hidden", ["hidden"]),
    **_gru("gru_strength", "strength", ["hidden", "hidden"]),
    "gains.": (["bands"], ["hidden"] * 5),
    "strengths.": (["bands"], ["strength"]),
    "speech.": (["speech"], ["hidden"] * 5),
}
HEADS = ("gains.", "strengths.", "speech.")


def sizes(tensors: Mapping[str, Floats]) -> tuple[int, int, int]:
    """Dense, hidden and strength of a network."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return shapes["dense.weight"][0], shapes["conv1.weight"][0], shapes["strengths.weight"][1]


def counts(tensors: Mapping[str, Floats], config: ModelConfig) -> dict[str, int]:
    """How many rows or columns each kind of units takes in a network of the sizes in ``config``."""
    inputs, bands = tensors["dense.weight"].shape[1], len(tensors["gains.weight"])
    own = {"dense": config.dense, "hidden": config.hidden, "strength": config.strength, "cues": config.cues}
    return own | {"inputs": inputs, "bands": bands, "speech": 1}


def n_cues(tensors: Mapping[str, Floats]) -> int:
    """How many cues a network hears."""
    return tensors["cues.weight"].shape[1] if "cues.weight" in tensors else 0


def in_turn(kinds: list[str], units: Mapping[str, Units], count: Mapping[str, int]) -> Units:
    """The rows or columns of units, where those of each kind begin behind those of the kind before."""
    starts = np.cumsum([0, *(count[kind] for kind in kinds)])
    return np.concatenate([start + units[kind] for start, kind in zip(starts, kinds, strict=False)])


def check_sizes(needed: tuple[int, ...], config: ModelConfig) -> None:
    """Raises ArgumentError where ``config`` has fewer units."""
    given = (config.dense, config.hidden, config.strength)
    if any(n < o for o, n in zip(needed, given, strict=True)):
        raise ArgumentError(f"expected sizes of at least {needed} (dense, hidden, strength), got {given}")


def widened(tensors: Mapping[str, Floats], config: ModelConfig, seed: int) -> dict[str, Floats]:
    """The tensors of a network of the sizes in ``config``, none smaller than those of ``tensors``, with the same outputs.

    A network that hears no cues may become one that does.
    Raises ArgumentError where one is smaller, or it hears another number of cues.
    """
    dense, hidden, strength = old = sizes(tensors)
    check_sizes(old, config)
    heard = n_cues(tensors)
    if heard not in (0, config.cues):
        raise ArgumentError(f"expected model.cues={heard}, as many as the network to start from hears, got {config.cues}")
    rng = np.random.default_rng(seed)
    new, before = counts(tensors, config), counts(tensors, replace(config, dense=dense, hidden=hidden, strength=strength))
    units = {kind: np.arange(count) for kind, count in new.items()}
    units |= {kind: repeated(before[kind], new[kind], rng) for kind in SIZES}
    wide = {name: tensors[name] for name in SCALING}
    for prefix, (rows, columns) in LAYERS.items():
        if f"{prefix}weight" in tensors:
            chosen = in_turn(rows, units, before)
            weight = share_columns(tensors[f"{prefix}weight"], [units[kind] for kind in columns], rng)
            wide |= {f"{prefix}weight": weight[chosen], f"{prefix}bias": tensors[f"{prefix}bias"][:, chosen]}
    if config.cues and "cues.weight" not in tensors:  # not heard so far
        wide["cues.weight"] = np.zeros((config.dense, config.cues), np.float32)
        wide["cues.bias"] = np.zeros((1, config.dense), np.float32)
    return wide


def side_by_side(networks: Sequence[Mapping[str, Floats]], config: ModelConfig, seed: int) -> dict[str, Floats]:
    """The tensors of a network of the sizes in ``config`` that computes the mean of several, taken before the sigmoid.

    Its parts do not listen to each other yet. Units to spare start at random, and nobody listens to them yet.
    Raises ArgumentError where the networks have more units than there are, or do not hear and tell the same.
    """
    if any(set(tensors) != set(networks[0]) or n_cues(tensors) != config.cues for tensors in networks):
        raise ArgumentError(f"expected networks with the same heads that all hear {config.cues} cues (model.cues)")
    first, rng = networks[0], np.random.default_rng(seed)
    check_sizes(tuple(np.sum([sizes(tensors) for tensors in networks], 0).tolist()), config)
    count = counts(first, config)
    wide = {name: first[name] for name in SCALING}
    for prefix, (rows, columns) in LAYERS.items():
        if f"{prefix}weight" in first:
            shape = sum(count[kind] for kind in rows), sum(count[kind] for kind in columns)
            limit = 0.0 if prefix in HEADS else np.sqrt(6 / sum(shape))
            wide[f"{prefix}weight"] = rng.uniform(-limit, limit, shape).astype(np.float32)
            wide[f"{prefix}bias"] = np.zeros((1, shape[0]), np.float32)
    starts = np.zeros(len(SIZES), int)
    for tensors in networks:
        units = {kind: np.arange(n) for kind, n in count.items()}
        units |= {kind: start + np.arange(n) for kind, start, n in zip(SIZES, starts, sizes(tensors), strict=True)}
        _put(rescaled(tensors, first), wide, units, count, 1 / len(networks))
        starts += sizes(tensors)
    return wide


def _put(
    tensors: Mapping[str, Floats],
    wide: Mapping[str, Floats],
    units: Mapping[str, Units],
    count: Mapping[str, int],
    share: float,
) -> None:
    """Writes a network to its units of a wider one, which listen to nothing else; the outputs hear a share of it."""
    for prefix, kinds in LAYERS.items():
        if f"{prefix}weight" in wide:
            rows, columns = (in_turn(part, units, count) for part in kinds)
            part = share if prefix in HEADS else 1.0
            if prefix not in HEADS:
                wide[f"{prefix}weight"][rows] = 0
            wide[f"{prefix}weight"][np.ix_(rows, columns)] = part * tensors[f"{prefix}weight"]
            wide[f"{prefix}bias"][:, rows] += part * tensors[f"{prefix}bias"]


def rescaled(tensors: Mapping[str, Floats], other: Mapping[str, Floats]) -> dict[str, Floats]:
    """The same network behind the scaling of features of another."""
    mean, scale = (tensors[name].astype(np.float64) for name in SCALING)
    other_mean, other_scale = (other[name].astype(np.float64) for name in SCALING)
    weight, n = tensors["dense.weight"].astype(np.float64), mean.shape[1]
    bias = tensors["dense.bias"] + (scale * (other_mean - mean)) @ weight[:, :n].T
    weight = np.hstack((weight[:, :n] * (scale / other_scale), weight[:, n:]))
    return dict(tensors) | {"dense.weight": weight.astype(np.float32), "dense.bias": bias.astype(np.float32)}


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
