"""Nothing allocates, frees or locks between create and destroy; a stream takes the memory that it says."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from networks import cued_tensors, without_blocks
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors

ROOT = Path(__file__).parents[1]


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or not shutil.which("c++"), reason="needs glibc and a C++ compiler"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("allocation") / "allocation"
    sources = [ROOT / "tests" / "native" / "allocation.cpp", *sorted((ROOT / "native" / "src").glob("*.cpp"))]
    subprocess.run(["c++", "-std=c++17", "-O1", "-ffp-contract=off", "-o", built, *sources, "-ldl"], check=True)
    return built


@pytest.fixture(scope="module", params=["int8", "float32", "sparse"])
def counts(request: pytest.FixtureRequest, program: Path) -> list[int]:
    """What allocation.cpp prints for a model of this kind."""
    tensors = cued_tensors()
    kinds = {"int8": quantise_tensors(tensors), "float32": tensors, "sparse": quantise_tensors(without_blocks(tensors, 0.4))}
    model = program.with_suffix(".pnw")
    model.write_bytes(write_weights(kinds[request.param], 2, {}))
    return [int(count) for count in subprocess.run([program, model], check=True, capture_output=True).stdout.split()]


def test_streams_allocate_and_lock_nothing(counts: list[int]) -> None:
    creating, running, locks, _, _ = counts

    assert creating > 0  # so that it is known to count
    assert (running, locks) == (0, 0)


def test_a_stream_takes_the_memory_that_it_says(counts: list[int]) -> None:
    *_, taken, told = counts

    assert told == pytest.approx(taken, rel=0.01)
