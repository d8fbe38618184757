"""Peak memory of the command line on a long file against a short one: constant memory, or not.

    python bench/memory.py [--hours 3] [--model NAME_OR_PATH] [--folder DIR]

Writes noise as WAV (48 kHz mono 16-bit: 1 GB for 3 hours, and as much again for the output), enhances it with
`python -m percepnet enhance` and prints the peak resident memory. Exit code 1 if the difference exceeds 60 MB.

Standard library only: a child's peak counts from before it is itself, so that this process must be the smaller.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import machine

SAMPLE_RATE = 48000
SHORT_S = 10
LIMIT_MB = 60.0


def write_noise(path: Path, duration_s: int) -> None:
    """White noise, the same ten seconds again and again."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        ten_seconds = random.Random(0).randbytes(2 * SHORT_S * SAMPLE_RATE)
        for _ in range(duration_s // SHORT_S):
            file.writeframesraw(ten_seconds)


def peak_mb(usage: resource.struct_rusage) -> float:
    """Peak resident memory in MB; Linux counts in KiB, macOS in bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def enhance(path: Path, model: str) -> tuple[float, float]:
    """Enhances a file in a process of its own: its peak in MB, and the seconds it took."""
    command = [
        sys.executable,
        "-m",
        "percepnet",
        "enhance",
        str(path),
        "-o",
        str(path.with_suffix(".out.wav")),
        "--model",
        model,
    ]
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("percepnet enhance failed")
    return peak_mb(usage), time.monotonic() - start


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    parser.add_argument("--folder", type=Path, help="where the files go, and are deleted; default: the system's")
    arguments = parser.parse_args()
    durations_s = (SHORT_S, round(arguments.hours * 3600))
    print(machine.line())
    print("\n| seconds of audio | peak MB | times real time |\n| --- | --- | --- |")
    peaks = []
    for duration_s in durations_s:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            write_noise(Path(folder) / "noise.wav", duration_s)
            peak, wall_s = enhance(Path(folder) / "noise.wav", arguments.model)
        peaks.append(peak)
        print(f"| {duration_s} | {peak:.1f} | {duration_s / wall_s:.0f} |", flush=True)
    own = peak_mb(resource.getrusage(resource.RUSAGE_SELF))
    difference = peaks[1] - peaks[0]
    print(f"\ndifference {difference:.1f} MB, limit {LIMIT_MB:.0f} MB (this process: {own:.1f} MB)")
    return int(difference > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
