"""The fuzzers of `make soak` for some seconds: what they begin with, and what they soon find, breaks no promise."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import fuzzing
from percepnet import _core

FEW = {"weights": 3000, "interface": 300}  # inputs: with the build 30 s of a core

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    if reason := fuzzing.missing(folder):
        pytest.skip(reason)
    fuzzing.build(folder)
    return folder


@pytest.mark.parametrize("target", fuzzing.TARGETS)
def test_fuzzer_soon_finds_nothing(target: str, built: Path) -> None:
    done = fuzzing.fuzz(built, target, f"-runs={FEW[target]}", "-seed=1")

    assert done.returncode == 0, done.stdout[-5000:]


def test_seeds_are_networks_of_every_kind() -> None:
    handles = {kind: _core.ModelHandle(contents) for kind, contents in fuzzing.weight_files().items()}

    optional = {kind: handle.has_speech and handle.has_dereverb for kind, handle in handles.items()}

    assert optional == {
        "int8": True,
        "float32": True,
        "sparse": True,
        "bare": False,
        "bare-int8": False,
        "tracker": False,
        "cues": False,
    }


def test_seeds_hold_blocks() -> None:
    contents = fuzzing.weight_files()["sparse"]
    (count,) = struct.unpack_from("<I", contents, 36)

    storages = {struct.unpack_from("<I", contents, 256 + 96 * i + 44)[0] for i in range(count)}

    assert storages == {0, 1}
