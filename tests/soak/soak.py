"""Sanitizers, damaged weight files, random calls, threads and a day of audio: `make soak`.

    python tests/soak/soak.py [--seconds 600] [--hours 24] [--jobs N] [--log docs/soak.log]

Builds soak.cpp with the whole core three times and runs it: four times --seconds, and the hours at full speed. Ends with 1 if
anything was found; the log tells what was run, on what and how it ended.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import machine  # noqa: E402

from networks import random_tensors, without_blocks  # noqa: E402
from percepnet.training.export import write_weights  # noqa: E402
from percepnet.training.int8 import quantise_tensors  # noqa: E402

FLAGS = ("-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-pthread", "-g")
BUILDS = {
    "address,undefined": ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"),
    "thread": ("-O1", "-fsanitize=thread"),
    "plain": ("-O3",),
}
# (build, mode, how long: seconds or hours)
RUNS = (
    ("address,undefined", "weights", "seconds"),
    ("address,undefined", "interface", "seconds"),
    ("thread", "threads", "seconds"),
    ("plain", "interface", "seconds"),
    ("plain", "hours", "hours"),
)


def write_models(folder: Path) -> list[Path]:
    """A small network in every type, that mutations and threads reach every part of it soon."""
    tensors = random_tensors(dereverb=True)
    sparse = quantise_tensors(without_blocks(tensors, 0.5))
    kinds = {"int8": quantise_tensors(tensors), "float32": tensors, "sparse": sparse}
    for kind, contents in kinds.items():
        (folder / f"{kind}.pnw").write_bytes(write_weights(contents, 2, {"id": kind}))
    return [folder / f"{kind}.pnw" for kind in kinds]


def build(kind: str, folder: Path) -> None:
    """soak.cpp and the core, one file after the other."""
    sources = [ROOT / "tests" / "soak" / "soak.cpp", *sorted((ROOT / "native" / "src").glob("*.cpp"))]
    subprocess.run(["c++", *FLAGS, *BUILDS[kind], "-o", folder / kind, *sources], check=True)


def run(kind: str, mode: str, amount: str, models: list[Path]) -> tuple[bool, str]:
    """Whether it found nothing, and its lines of the log."""
    command = [models[0].parent / kind, mode, amount.split(maxsplit=1)[0], *models]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    how = "clean" if done.returncode == 0 else f"FAILED with {done.returncode}"
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
    return done.returncode == 0, f"{now} UTC, {kind} build, {mode}, {amount}: {how}\n{done.stdout.strip()}\n"


def main() -> int:
    """Builds, runs, logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="builds and runs at a time")
    parser.add_argument("--log", type=Path, default=ROOT / "docs" / "soak.log")
    arguments = parser.parse_args()
    head = f"{machine.line()}, {arguments.jobs} runs at a time\n"
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(arguments.jobs) as pool:
        models = write_models(Path(name))
        for built in [pool.submit(build, kind, Path(name)) for kind in BUILDS]:
            built.result()
        runs = [pool.submit(run, kind, mode, f"{getattr(arguments, unit):g} {unit}", models) for kind, mode, unit in RUNS]
        results = [future.result() for future in runs]
    log = head + "".join(lines for _, lines in results)
    arguments.log.write_text(log)
    sys.stdout.write(log)
    return int(not all(clean for clean, _ in results))


if __name__ == "__main__":
    sys.exit(main())
