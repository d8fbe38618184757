"""A budget of instructions per hop, counted in an emulator: unlike time, the same on a busy machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from networks import random_tensors, random_tracker
from percepnet import _core
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors

ROOT = Path(__file__).parents[1]
SHORT, LONG = 20, 60  # hops: what both take to start cancels
# Instructions per hop, measured with gcc 12 on x86-64, and a quarter more for other compilers.
MARGIN = 1.25
BUDGETS = {
    "signal path and pitch tracker": (False, "sse", 300_000),
    "int8, SSSE3": (True, "sse", 980_000),
    "int8, portable": (True, "portable", 1_760_000),
}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of `make build`, and a model of the shipped one's size."""
    if not shutil.which("valgrind"):
        assert not os.environ.get("CI")
        pytest.skip("no valgrind")
    folder = tmp_path_factory.mktemp("hops")
    tensors = random_tensors(sizes=(64, 192, 64), cues=346 + 96) | random_tracker(dense=96, hidden=96)
    (folder / "model.pnw").write_bytes(write_weights(quantise_tensors(tensors), 2, {}))
    library = Path(_core._library._name)
    source = ROOT / "tests" / "native" / "hops.cpp"
    subprocess.run(
        ["c++", "-O1", "-std=c++17", source, library, f"-Wl,-rpath,{library.parent}", "-o", folder / "hops"], check=True
    )
    return folder / "hops"


def instructions(program: Path, hops: int, loud: bool, isa: str) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, program.parent / "model.pnw"]
    done = subprocess.run(
        [*map(str, command), str(hops), str(int(loud))],
        env=os.environ | {"PERCEPNET_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == isa
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])


@pytest.mark.parametrize("name", BUDGETS)
def test_a_hop_stays_within_its_instructions(name: str, program: Path) -> None:
    loud, isa, budget = BUDGETS[name]

    per_hop = (instructions(program, LONG, loud, isa) - instructions(program, SHORT, loud, isa)) / (LONG - SHORT)

    assert budget / 3 < per_hop < MARGIN * budget  # far below: it was not the hop that was counted
