"""Shared by all tests: small random models, and Hypothesis without deadlines (the machine may be busy)."""

from __future__ import annotations

import pathlib

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest

import percepnet
from percepnet.training.export import write_weights

hypothesis.settings.register_profile("percepnet", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.load_profile("percepnet")

DENSE, HIDDEN, STRENGTH = 16, 32, 16
Tensors = dict[str, npt.NDArray[np.float32]]


def random_tensors(seed: int = 0, speech: bool = True) -> Tensors:
    """A network of the format's graph, about 25 000 weights, whose outputs move with its inputs."""
    rng = np.random.default_rng(seed)
    shapes = {
        "dense": (DENSE, 72),
        "conv1": (HIDDEN, 5 * DENSE),
        "conv2": (HIDDEN, 3 * HIDDEN),
        "gains": (34, 5 * HIDDEN),
        "strengths": (34, STRENGTH),
    } | ({"speech": (1, 5 * HIDDEN)} if speech else {})
    tensors: Tensors = {}
    for name, (rows, columns) in shapes.items():
        tensors[f"{name}.weight"] = rng.normal(0, 1.5 / columns**0.5, (rows, columns)).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(0, 0.3, (1, rows)).astype(np.float32)
    grus = {f"gru{i}": (HIDDEN, HIDDEN) for i in (1, 2, 3)} | {"gru_gain": (HIDDEN, HIDDEN)}
    for name, (inputs, size) in (grus | {"gru_strength": (2 * HIDDEN, STRENGTH)}).items():
        tensors[f"{name}.input_weight"] = rng.normal(0, 1.5 / inputs**0.5, (3 * size, inputs)).astype(np.float32)
        tensors[f"{name}.recurrent_weight"] = rng.normal(0, 0.7 / size**0.5, (3 * size, size)).astype(np.float32)
        tensors[f"{name}.input_bias"] = rng.normal(0, 0.2, (1, 3 * size)).astype(np.float32)
        tensors[f"{name}.recurrent_bias"] = rng.normal(0, 0.2, (1, 3 * size)).astype(np.float32)
    mean, scale = np.zeros((1, 72), np.float32), np.ones((1, 72), np.float32)
    mean[0, :34], scale[0, :34] = -15, 1 / 20  # dB
    mean[0, 34:68], scale[0, 34:68] = 0.3, 1 / 0.3
    return tensors | {"features.mean": mean, "features.scale": scale}


@pytest.fixture(scope="session")
def model_paths(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    """Weight files of one random network with look-ahead 0, 1, 2, 3."""
    folder = tmp_path_factory.mktemp("models")
    paths = [folder / f"lookahead{lookahead}.pnw" for lookahead in range(4)]
    for lookahead, path in enumerate(paths):
        path.write_bytes(write_weights(random_tensors(), lookahead, {"id": path.stem, "licence": "CC0-1.0"}))
    return paths


@pytest.fixture(scope="session")
def models(model_paths: list[pathlib.Path]) -> list[percepnet.Model]:
    """The random models, by look-ahead."""
    return [percepnet.load_model(path) for path in model_paths]


@pytest.fixture(scope="session")
def model(models: list[percepnet.Model]) -> percepnet.Model:
    """The random model with the default look-ahead of 2."""
    return models[2]
