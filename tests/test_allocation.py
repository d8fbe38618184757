"""Nothing allocates, frees or locks between create and destroy."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from networks import random_tensors
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or not shutil.which("c++"), reason="needs glibc and a C++ compiler")
@pytest.mark.parametrize("quantised", [True, False], ids=["int8", "float32"])
def test_streams_allocate_and_lock_nothing(quantised: bool, tmp_path: Path) -> None:
    tensors = random_tensors()
    (tmp_path / "model.pnw").write_bytes(write_weights(quantise_tensors(tensors) if quantised else tensors, 2, {}))
    sources = [ROOT / "tests" / "native" / "allocation.cpp", *sorted((ROOT / "native" / "src").glob("*.cpp"))]
    program = tmp_path / "allocation"
    subprocess.run(["c++", "-std=c++17", "-O1", "-ffp-contract=off", "-o", program, *sources, "-ldl"], check=True)

    counts = subprocess.run([program, tmp_path / "model.pnw"], check=True, capture_output=True).stdout
    creating, running, locks = map(int, counts.split())

    assert creating > 0  # so that it is known to count
    assert (running, locks) == (0, 0)
