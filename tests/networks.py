"""Random networks for tests: small, of the weight file's graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DENSE, HIDDEN, STRENGTH = 16, 32, 16
Floats = npt.NDArray[np.float32]
Tensors = dict[str, Floats]


def without_blocks(tensors: Tensors, density: float, seed: int = 0) -> Tensors:
    """Random blocks of 16 rows by 4 columns become zero in conv2 and the GRUs, and all of one strip."""
    rng, pruned = np.random.default_rng(seed), dict(tensors)
    for name, tensor in tensors.items():
        if name.endswith("weight") and name.startswith(("conv2", "gru")):
            kept = rng.random((-(-tensor.shape[0] // 16), -(-tensor.shape[1] // 4))) < density
            kept[1:2] = False
            mask = kept.repeat(16, 0).repeat(4, 1)[: tensor.shape[0], : tensor.shape[1]]
            pruned[name] = tensor * mask.astype(np.float32)
    return pruned


def random_tensors(
    seed: int = 0,
    speech: bool = True,
    sizes: tuple[int, int, int] = (DENSE, HIDDEN, STRENGTH),
    dereverb: bool = False,
    cues: int = 0,
) -> Tensors:
    """A network of the format's graph, about 25 000 weights, whose outputs move with its inputs."""
    rng = np.random.default_rng(seed)
    dense, hidden, strength = sizes
    shapes = {
        "dense": (dense, 72 + dereverb),
        "conv1": (hidden, 5 * dense),
        "conv2": (hidden, 3 * hidden),
        "gains": (34, 5 * hidden),
        "strengths": (34, strength),
    }
    shapes |= ({"speech": (1, 5 * hidden)} if speech else {}) | ({"cues": (dense, cues)} if cues else {})
    tensors: Tensors = {}
    for name, (rows, columns) in shapes.items():
        tensors[f"{name}.weight"] = rng.normal(0, 1.5 / columns**0.5, (rows, columns)).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(0, 0.3, (1, rows)).astype(np.float32)
    grus = {f"gru{i}": (hidden, hidden) for i in (1, 2, 3)} | {"gru_gain": (hidden, hidden)}
    for name, (inputs, size) in (grus | {"gru_strength": (2 * hidden, strength)}).items():
        tensors[f"{name}.input_weight"] = rng.normal(0, 1.5 / inputs**0.5, (3 * size, inputs)).astype(np.float32)
        tensors[f"{name}.recurrent_weight"] = rng.normal(0, 0.7 / size**0.5, (3 * size, size)).astype(np.float32)
        tensors[f"{name}.input_bias"] = rng.normal(0, 0.2, (1, 3 * size)).astype(np.float32)
        tensors[f"{name}.recurrent_bias"] = rng.normal(0, 0.2, (1, 3 * size)).astype(np.float32)
    tensors["gains.bias"] += np.float32(4)  # estimated SNR about 13 dB: the postfilter is half faded
    mean, scale = np.zeros((1, 72), np.float32), np.ones((1, 72), np.float32)
    mean[0, :34], scale[0, :34] = -35, 1 / 20  # dB
    mean[0, 34:68], scale[0, 34:68] = 0.3, 1 / 0.3
    return tensors | {"features.mean": mean, "features.scale": scale}


def cued_tensors(seed: int = 0) -> Tensors:
    """A network that hears the cues of its tracker."""
    return random_tensors(seed, dereverb=True, cues=346 + 48) | random_tracker(seed)


def random_tracker(seed: int = 0, dense: int = 32, hidden: int = 48) -> Tensors:
    """The tensors of a pitch tracker whose lag moves with its inputs."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, (rows, columns) in {"dense": (dense, 346), "lags": (225, hidden), "voicing": (1, hidden)}.items():
        tensors[f"pitch.{name}.weight"] = rng.normal(0, 3 / columns**0.5, (rows, columns)).astype(np.float32)
        tensors[f"pitch.{name}.bias"] = rng.normal(0, 0.3, (1, rows)).astype(np.float32)
    for name, inputs in {"gru1": dense, "gru2": hidden}.items():
        for part, columns in {"input": inputs, "recurrent": hidden}.items():
            matrix = rng.normal(0, 1.5 / columns**0.5, (3 * hidden, columns))
            tensors[f"pitch.{name}.{part}_weight"] = matrix.astype(np.float32)
            tensors[f"pitch.{name}.{part}_bias"] = rng.normal(0, 0.2, (1, 3 * hidden)).astype(np.float32)
    return tensors
