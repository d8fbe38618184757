"""Shared by all tests: small random models, and Hypothesis without deadlines (the machine may be busy)."""

from __future__ import annotations

import pathlib

import hypothesis
import pytest

import percepnet
from networks import random_tensors
from percepnet.training.export import write_weights

hypothesis.settings.register_profile("percepnet", deadline=None, max_examples=15, derandomize=True)
hypothesis.settings.load_profile("percepnet")


@pytest.fixture(scope="session")
def model_paths(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    """Weight files of one random network with look-ahead 0, 1, 2, 3."""
    folder = tmp_path_factory.mktemp("models")
    paths = [folder / f"lookahead{lookahead}.pnw" for lookahead in range(4)]
    for lookahead, path in enumerate(paths):
        path.write_bytes(write_weights(random_tensors(dereverb=True), lookahead, {"id": path.stem, "licence": "CC0-1.0"}))
    return paths


@pytest.fixture(scope="session")
def weights(model_paths: list[pathlib.Path]) -> str:
    """The path of the random model with the default look-ahead of 2, for commands."""
    return str(model_paths[2])


@pytest.fixture(scope="session")
def models(model_paths: list[pathlib.Path]) -> list[percepnet.Model]:
    """The random models, by look-ahead."""
    return [percepnet.load_model(path) for path in model_paths]


@pytest.fixture(scope="session")
def model(models: list[percepnet.Model]) -> percepnet.Model:
    """The random model with the default look-ahead of 2."""
    return models[2]
