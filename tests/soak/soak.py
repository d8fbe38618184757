"""Fuzzers with the address and undefined-behaviour sanitizers, threads with theirs, a day of audio: `make soak`.

    python tests/soak/soak.py [--seconds 600] [--hours 24] [--jobs N] [--log docs/soak.log]

Builds the fuzzers (tests/fuzzing.py, needs clang) and soak.cpp, both with the whole core, and runs them: each fuzzer and the
threads for --seconds, and the hours at full speed. Ends with 1 if anything was found; the log tells what was run, on what and
how it ended.
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

import fuzzing  # noqa: E402

FLAGS = ("-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-pthread", "-g")
BUILDS = {"thread": ("-O1", "-fsanitize=thread"), "plain": ("-O3",)}
FUZZED = "address,undefined"
# (build, mode, how long: seconds or hours)
RUNS = (
    *((FUZZED, f"fuzz {target}", "seconds") for target in fuzzing.TARGETS),
    ("thread", "threads", "seconds"),
    ("plain", "hours", "hours"),
)


def build(kind: str, folder: Path) -> None:
    """soak.cpp and the core, one file after the other."""
    sources = [ROOT / "tests" / "soak" / "soak.cpp", *sorted((ROOT / "native" / "src").glob("*.cpp"))]
    subprocess.run(["c++", *FLAGS, *BUILDS[kind], "-o", folder / kind, *sources], check=True)


def run(kind: str, mode: str, amount: str, models: list[Path]) -> tuple[bool, str]:
    """Whether it found nothing, and its lines of the log."""
    folder, number = models[0].parent, amount.split(maxsplit=1)[0]
    if kind == FUZZED:
        done = fuzzing.fuzz(folder, mode.split()[1], f"-max_total_time={number}")
        said = fuzzing.summary(done.stdout) if done.returncode == 0 else done.stdout
    else:
        command = [folder / kind, mode, number, *models]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        said = done.stdout
    how = "clean" if done.returncode == 0 else f"FAILED with {done.returncode}"
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
    return done.returncode == 0, f"{now} UTC, {kind} build, {mode}, {amount}: {how}\n{said.strip()}\n"


def main() -> int:
    """Builds, runs, logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="builds and runs at a time")
    parser.add_argument("--log", type=Path, default=ROOT / "docs" / "soak.log")
    arguments = parser.parse_args()
    head = f"{machine.line()}; {arguments.jobs} runs at a time, niceness {os.nice(0)}, load {os.getloadavg()[0]:.1f} before\n"
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(arguments.jobs) as pool:
        if reason := fuzzing.missing(Path(name)):
            raise SystemExit(f"the fuzzers cannot be built: {reason}; install clang and its compiler-rt")
        models = fuzzing.write_models(Path(name))
        builds = [pool.submit(fuzzing.build, Path(name)), *(pool.submit(build, kind, Path(name)) for kind in BUILDS)]
        for built in builds:
            built.result()
        runs = [pool.submit(run, kind, mode, f"{getattr(arguments, unit):g} {unit}", models) for kind, mode, unit in RUNS]
        results = [future.result() for future in runs]
    log = head + "".join(lines for _, lines in results)
    arguments.log.write_text(log)
    sys.stdout.write(log)
    return int(not all(clean for clean, _ in results))


if __name__ == "__main__":
    sys.exit(main())
