"""What a model costs on this machine: time per hop by instruction set and stage, many streams, files, memory, start-up."""

import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from percepnet import _core
from percepnet._core import ISAS, EnhancerHandle, ModelHandle
from percepnet.errors import PercepNetError
from percepnet.weights import Model

Floats: TypeAlias = npt.NDArray[np.float32]
Times: TypeAlias = npt.NDArray[np.float64]

HOP_S = 0.010
SIGNAL_S = 5.0
CHUNK_S = 0.5  # what a file is read in
WARM_UP = 100  # hops: caches, branch predictors and clock
# Not the wall's time: other programs may come in between. That of Windows counts in 16 ms.
cpu_time = time.perf_counter if sys.platform == "win32" else time.thread_time
STATISTICS = ("min", "median", "p99", "max")
GATED_DB = -100.0  # white noise at this level is below the silence gate: everything but the network runs
STREAMS = 100  # at once in one call
ISA_VARIABLE = "PERCEPNET_ISA"

_START_UP = """
import time; t0 = time.perf_counter()
import percepnet; t1 = time.perf_counter()
model = percepnet.load_model({name!r}); enhancer = percepnet.Enhancer(model=model); t2 = time.perf_counter()
import json, sys
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
except ImportError:
    peak = None
print(json.dumps({{"import_ms": round(1000 * (t1 - t0), 1), "load_ms": round(1000 * (t2 - t1), 1), "peak_bytes": peak}}))
"""


def signal(sample_rate: int, channels: int) -> Floats:
    """(hops, channels, samples): a gliding voice in white noise, loud enough that the silence gate stays open."""
    hop = round(sample_rate * HOP_S)
    t = np.arange(round(SIGNAL_S / HOP_S) * hop) / sample_rate
    phase = 2 * np.pi * (120 * t + 10 * np.sin(2 * np.pi * 0.5 * t))
    voice = sum(np.cos(k * phase) / k for k in range(1, 30))
    noise = np.random.default_rng(0).standard_normal((channels, t.size))
    samples = (0.05 * voice + 0.02 * noise).astype(np.float32)
    return np.ascontiguousarray(samples.reshape(channels, -1, hop).swapaxes(0, 1))


@contextmanager
def forced(isa: str) -> Iterator[None]:
    """Models that are made inside use this instruction set, if the processor has it."""
    before = os.environ.get(ISA_VARIABLE)
    os.environ[ISA_VARIABLE] = isa
    try:
        yield
    finally:
        del os.environ[ISA_VARIABLE]
        if before is not None:
            os.environ[ISA_VARIABLE] = before


def handles(model: Model) -> dict[str, ModelHandle]:
    """The model once for each instruction set that this processor has, best first."""
    made = {}
    for isa in ISAS:
        with forced(isa):
            handle = ModelHandle(model.contents)
        if handle.isa == isa:
            made[isa] = handle
    return made


def output(handle: ModelHandle, hops: Floats, sample_rate: int) -> Floats:
    """(channels, samples) of the first second, without the delay."""
    _, channels, hop = hops.shape
    enhancer = EnhancerHandle(handle, sample_rate, channels, False, hop)
    samples = np.ascontiguousarray(np.concatenate(list(hops[:100]), axis=1))
    out = np.empty((channels, enhancer.max_output(samples.shape[1])), np.float32)
    return out[:, : enhancer.process(samples, out)]


def blocks_output(handle: ModelHandle, hops: Floats, sample_rate: int) -> Floats:
    """What `output` returns, by the call that is timed."""
    _, channels, hop = hops.shape
    enhancer = EnhancerHandle(handle, sample_rate, channels, False, hop)
    out = np.empty((100, channels, hop), np.float32)
    for block, samples in zip(out, hops[:100], strict=True):
        enhancer.process_block(samples, block)
    return np.concatenate(list(out), axis=1)[:, enhancer.block_latency :]


def check(made: dict[str, ModelHandle], hops: Floats, sample_rate: int) -> None:
    """All that is timed gives one output; a fast wrong answer is worth nothing."""
    expected = output(next(iter(made.values())), hops, sample_rate)
    for isa, handle in made.items():
        blocks = blocks_output(handle, hops, sample_rate)
        n = min(blocks.shape[1], expected.shape[1])
        equal = np.array_equal(output(handle, hops, sample_rate), expected)
        if not equal or not np.array_equal(blocks[:, :n], expected[:, :n]):
            raise PercepNetError(f"{isa} does not give the same output; not timing that")


def hop_times(handle: ModelHandle, hops: Floats, sample_rate: int, n: int, paced: bool) -> Times:
    """(n,) microseconds of each call of 10 ms; paced: one every 10 ms, when caches hold other things."""
    _, channels, hop = hops.shape
    enhancer = EnhancerHandle(handle, sample_rate, channels, False, hop)
    out, times = np.empty((channels, hop), np.float32), np.empty(n + WARM_UP)
    next_start = time.perf_counter()
    for i in range(n + WARM_UP):
        samples = hops[i % len(hops)]
        if paced:
            next_start = max(next_start + HOP_S, time.perf_counter())
            time.sleep(max(0.0, next_start - time.perf_counter()))
        start = time.perf_counter_ns()
        enhancer.process_block(samples, out)
        times[i] = (time.perf_counter_ns() - start) / 1000
    return times[WARM_UP:]


def summary(times: Times) -> dict[str, float]:
    """Microseconds, and the median's share of a core in per cent."""
    values = (times.min(), np.median(times), np.percentile(times, 99), times.max())
    result = {name: round(float(value), 1) for name, value in zip(STATISTICS, values, strict=True)}
    return result | {"percent_of_core": round(float(np.median(times)) / (HOP_S * 1e6) * 100, 2)}


def file_speed(handle: ModelHandle, hops: Floats, sample_rate: int, n: int = 60) -> float:
    """How many times faster than real time a long file is enhanced; the best of n chunks."""
    _, channels, _ = hops.shape
    enhancer = EnhancerHandle(handle, sample_rate, channels, False, 0)
    chunk = np.ascontiguousarray(np.concatenate(list(hops[: round(CHUNK_S / HOP_S)]), axis=1))
    out = np.empty((channels, enhancer.max_output(chunk.shape[1])), np.float32)
    seconds = []
    for _ in range(n):
        start = time.perf_counter()
        enhancer.process(chunk, out)
        seconds.append(time.perf_counter() - start)
    return round(CHUNK_S / min(seconds), 1)


def stages(handle: ModelHandle, hops: Floats, sample_rate: int, hot: int) -> dict[str, float]:
    """Microseconds per hop of the parts, by the best of many: the networks, the tracker's too, are what silence saves."""
    channels = hops.shape[1]
    gated = (np.random.default_rng(1).standard_normal(hops.shape) * 10 ** (GATED_DB / 20)).astype(np.float32)
    everything = float(hop_times(handle, hops, sample_rate, hot, False).min())
    without_networks = float(hop_times(handle, gated, sample_rate, hot, False).min())
    recording = np.resize(gated[:, 0], (WARM_UP, _core.HOP)).ravel()
    analysis = []
    for _ in range(max(3, hot // WARM_UP)):
        start = cpu_time()
        _core.analyze(recording, lookahead=handle.lookahead, tracker=handle)
        analysis.append((cpu_time() - start) * 1e6 / WARM_UP * channels)
    nothing, times = EnhancerHandle(handle, sample_rate, channels, False, 0), []
    empty = np.empty((channels, 0), np.float32)
    for _ in range(hot):
        start = time.perf_counter()
        nothing.process_block(empty, empty)
        times.append((time.perf_counter() - start) * 1e6)
    parts = {"call from Python": min(times), "front end": min(analysis), "networks": everything - without_networks}
    parts["gains, synthesis, resampling"] = without_networks - parts["front end"] - parts["call from Python"]
    return {name: round(us, 1) for name, us in parts.items()}


def many_streams(handle: ModelHandle, hops: Floats, sample_rate: int, n: int) -> dict[str, float]:
    """STREAMS streams, a hop of each in one call, n calls: CPU time per stream and hop in microseconds, streams per core."""
    _, channels, hop = hops.shape
    made = [EnhancerHandle(handle, sample_rate, channels, False, 0) for _ in range(STREAMS)]
    samples = [np.empty((channels, hop), np.float32) for _ in made]
    outs = [np.empty((channels, enhancer.max_output(hop)), np.float32) for enhancer in made]
    batch, times = _core.Batch(made, samples, outs), np.empty(n)
    for i in range(n):
        for s, array in enumerate(samples):
            array[:] = hops[(i + 7 * s) % len(hops)]
        start = cpu_time()
        batch.run()
        times[i] = (cpu_time() - start) * 1e6 / STREAMS
    times = times[n // 10 :]
    best, median = float(times.min()), float(np.median(times))
    return {
        "at_once": STREAMS,
        "us_per_hop_min": round(best, 1),
        "us_per_hop_median": round(median, 1),
        "per_core": int(HOP_S * 1e6 / median),
    }


def start_up(name: str) -> dict[str, Any]:
    """Of new Python processes: milliseconds to import, and to load a model and open a stream; peak memory in bytes.

    help_ms: of `percepnet --help`, from start to end, the best of five
    """
    command = [sys.executable, "-c", _START_UP.format(name=name)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    return result | {"help_ms": round(1000 * min(_seconds([sys.executable, "-m", "percepnet", "--help"]) for _ in range(5)), 1)}


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - start


def pin(core: int | None) -> None:
    """To one core, the last that this process may use if none is given; nothing where the system cannot."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if core is None else core})


def processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def run(model: Model, sample_rate: int, channels: int, hot: int, paced: int) -> dict[str, Any]:
    """Everything, best instruction set first; paced only for that one. Counts are hops of 10 ms."""
    hops, made = signal(sample_rate, channels), handles(model)
    check(made, hops, sample_rate)
    best = next(iter(made))
    collecting = gc.isenabled()
    gc.disable()
    try:
        rows = {f"{isa}, hot": summary(hop_times(handle, hops, sample_rate, hot, False)) for isa, handle in made.items()}
        if paced:
            rows[f"{best}, paced"] = summary(hop_times(made[best], hops, sample_rate, paced, True))
        parts = stages(made[best], hops, sample_rate, hot)
        streams = many_streams(made[best], hops, sample_rate, max(20, hot // 20))
        speed = file_speed(made[best], hops, sample_rate)
    finally:
        if collecting:
            gc.enable()
    stream = EnhancerHandle(made[best], sample_rate, channels, False, 0)
    return {
        "model": {"id": model.id, "n_weights": model.n_weights, "bytes": len(model.contents)},
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"},
        "version": _core.version(),
        "sample_rate": sample_rate,
        "channels": channels,
        "hops": rows,
        "stages": parts,
        "streams": streams,
        "file_times_real_time": speed,
        "stream_bytes": stream.size,
    }
