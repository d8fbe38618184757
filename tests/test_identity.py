"""The same bits everywhere: compilers, optimisation levels and vector widths give one output (SPEC 7, identity rule)."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import pytest

import percepnet

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = sorted((ROOT / "native" / "src").glob("*.cpp"))
FLAGS = ["-std=c++17", "-shared", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden"]
BASELINE = "g++ -O0"

# Everything that a stranger could see of the core, hashed bit by bit.
PROBE = """
import hashlib, sys
import numpy as np
import percepnet
from percepnet import _core

sys.path.insert(0, sys.argv[2])
import signals

digest = hashlib.sha256()
clean = signals.speech_like(3.0, 1)
noisy = signals.at_snr(clean, signals.noise(3.0, exponent=1, seed=1), 5)
for lookahead in (0, 2):
    analysis = _core.analyze(noisy, clean, lookahead)
    for name in ("features", "period", "correlation", "gated", "gains", "strengths", "statistics"):
        digest.update(getattr(analysis, name).tobytes())
for rate in (16000, 44100, 48000):
    digest.update(percepnet.enhance(noisy.astype(np.float32)[: 2 * rate], rate, model=sys.argv[1]).tobytes())
stereo = np.stack([noisy, 0.5 * noisy[::-1]]).astype(np.float32)
digest.update(percepnet.enhance(stereo, 48000, model=sys.argv[1], attenuation_limit_db=20).tobytes())
for name in _core.ELEMENTARY_FUNCTIONS:
    digest.update(_core.stage_elementary(name, np.linspace(0, 1, 9999)).tobytes())
print(digest.hexdigest())
"""


def cpu_has(feature: str) -> bool:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    return cpuinfo.exists() and feature in cpuinfo.read_text().split()


def builds() -> dict[str, list[str]]:
    """Compiler commands that this machine can run, by name."""
    found: dict[str, list[str]] = {}
    if shutil.which("g++"):
        found |= {BASELINE: ["g++", "-O0"], "g++ -O3": ["g++", "-O3"]}
        if cpu_has("avx2"):
            found["g++ -O3 -mavx2 -mfma"] = ["g++", "-O3", "-mavx2", "-mfma"]
    clang = shutil.which("clang++")
    if clang:
        found["clang++ -O3"] = [clang, "-O3"]
    elif importlib.util.find_spec("ziglang"):
        found["zig c++ -O3"] = [sys.executable, "-m", "ziglang", "c++", "-O3"]
    return found


def compile_core(command: list[str], folder: pathlib.Path) -> pathlib.Path:
    library = folder / "libpercepnet.so"
    subprocess.run([*command, *FLAGS, "-o", str(library), *map(str, SOURCES)], check=True, capture_output=True, text=True)
    return library


def fingerprint(library: pathlib.Path | None, model: pathlib.Path) -> str:
    """Hash of the outputs of a library, in a process of its own; None is the installed one."""
    environment = os.environ | ({"PERCEPNET_LIBRARY": str(library)} if library else {})
    package = str(pathlib.Path(percepnet.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join([package, environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", PROBE, str(model), str(ROOT / "tests")]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture(scope="module")
def installed(model_paths: list[pathlib.Path]) -> str:
    """Fingerprint of the library that the package uses."""
    return fingerprint(None, model_paths[2])


@pytest.mark.slow
@pytest.mark.skipif(platform.system() != "Linux", reason="builds shared objects by hand")
@pytest.mark.parametrize("name", builds())
def test_every_build_gives_the_same_bits(
    name: str, installed: str, model_paths: list[pathlib.Path], tmp_path: pathlib.Path
) -> None:
    library = compile_core(builds()[name], tmp_path)

    assert fingerprint(library, model_paths[2]) == installed


def test_two_compilers_are_at_hand() -> None:
    """Without a second compiler the identity rule would go untested unnoticed."""
    assert len({name.split()[0] for name in builds()}) >= 2


def test_fingerprint_sees_a_change_of_model(installed: str, model_paths: list[pathlib.Path]) -> None:
    assert fingerprint(None, model_paths[1]) != installed
