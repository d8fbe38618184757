"""Hours of audio and hundreds of files, too long for every day: `make soak`."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from test_jobs import SOURCE, finish_after_kills

pytestmark = [pytest.mark.soak, pytest.mark.slow]

MEMORY = (
    "import resource, sys; from percepnet.cli import app; app(sys.argv[1:], standalone_mode=False); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def test_500_files_killed_three_times(tmp_path: Path) -> None:
    finish_after_kills(tmp_path, n_files=500, n_kills=3)


def test_three_hours_of_stereo_take_80_mb_more_than_10_s(tmp_path: Path) -> None:
    peaks_kb = []
    for length_s in (10, 3 * 3600):
        path = tmp_path / "in.flac"
        rng = np.random.default_rng(1)
        with soundfile.SoundFile(path, "w", 48000, 2, "PCM_16") as file:
            for _ in range(length_s):
                file.write(0.05 * rng.standard_normal((48000, 2)))
        command = [sys.executable, "-c", MEMORY, "enhance", str(path), "-o", str(tmp_path / "out.flac")]
        result = subprocess.run(command, env={"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=True)
        peaks_kb.append(int(result.stdout))
        print(f"{length_s} s: peak {peaks_kb[-1] / 1000:.1f} MB, of all children {children_s():.0f} s of processor time")

    assert peaks_kb[1] - peaks_kb[0] < 80000


def children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
