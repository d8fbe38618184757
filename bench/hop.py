"""Time per hop of the whole path, and what share of a core that is.

    python bench/hop.py [--model NAME_OR_PATH] [--sample-rate HZ] [--channels N] [--core N] [--json]

Each call hands 10 ms to Enhancer.process_block with `out`, so the binding's few microseconds are included. Hot: one call
after the other. Paced: one call every 10 ms, as in a live stream, when the caches hold other things; this is the cost
that counts. The process is pinned to one core. 100 microseconds are 1 % of a core.
"""

import argparse
import gc
import json
import os
import time
from typing import Any, TypeAlias

import machine
import numpy as np
import numpy.typing as npt

import percepnet

Array: TypeAlias = npt.NDArray[np.float32]

HOP_S = 0.010
SIGNAL_S = 5.0
WARM_UP = 200  # hops: caches, branch predictors and clock
STATISTICS = ("min", "median", "p99", "max")


def signal(sample_rate: int, channels: int) -> Array:
    """(hops, channels, samples): a gliding voice in white noise, loud enough that the silence gate stays open."""
    hop = round(sample_rate * HOP_S)
    t = np.arange(round(SIGNAL_S / HOP_S) * hop) / sample_rate
    phase = 2 * np.pi * (120 * t + 10 * np.sin(2 * np.pi * 0.5 * t))
    voice = sum(np.cos(k * phase) / k for k in range(1, 30))
    noise = np.random.default_rng(0).standard_normal((channels, t.size))
    samples = (0.05 * voice + 0.02 * noise).astype(np.float32)
    return np.ascontiguousarray(samples.reshape(channels, -1, hop).swapaxes(0, 1))


def check(model: percepnet.Model, hops: Array, sample_rate: int) -> None:
    """The timed call gives what process gives; a fast wrong answer is worth nothing."""
    channels, hop = hops.shape[1:]
    whole = np.concatenate(list(hops[:100]), axis=1)
    enhancer = percepnet.Enhancer(sample_rate, channels, model, block_size=hop)
    expected = enhancer.process(whole)
    enhancer.reset()
    blocks = [enhancer.process_block(np.ascontiguousarray(block)) for block in hops[:100]]
    delayed = np.concatenate(blocks, axis=1)[:, enhancer.block_latency :]
    n = min(delayed.shape[1], expected.shape[1])
    if not np.array_equal(delayed[:, :n], expected[:, :n]):
        raise SystemExit("process_block and process disagree; not timing that")


def measure(model: percepnet.Model, hops: Array, sample_rate: int, n: int, paced: bool) -> npt.NDArray[np.float64]:
    """(n,) microseconds of each call."""
    channels, hop = hops.shape[1:]
    enhancer = percepnet.Enhancer(sample_rate, channels, model, block_size=hop)
    out, times = np.empty((channels, hop), np.float32), np.empty(n + WARM_UP)
    next_start = time.perf_counter()
    for i in range(n + WARM_UP):
        block = hops[i % len(hops)]
        if paced:
            next_start = max(next_start + HOP_S, time.perf_counter())
            time.sleep(max(0.0, next_start - time.perf_counter()))
        start = time.perf_counter_ns()
        enhancer.process_block(block, out)
        times[i] = (time.perf_counter_ns() - start) / 1000
    return times[WARM_UP:]


def summary(times: npt.NDArray[np.float64]) -> dict[str, float]:
    """Microseconds, and the median's share of a core in per cent."""
    values = (times.min(), np.median(times), np.percentile(times, 99), times.max())
    result = {name: round(float(value), 1) for name, value in zip(STATISTICS, values, strict=True)}
    return result | {"percent_of_core": round(float(np.median(times)) / (HOP_S * 1e6) * 100, 2)}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    parser.add_argument("--sample-rate", type=int, default=48000, metavar="HZ")
    parser.add_argument("--channels", type=int, default=1, metavar="N")
    parser.add_argument("--core", type=int, metavar="N", help="default: the last one that this process may use")
    parser.add_argument("--hot", type=int, default=5000, metavar="HOPS", help="default 5000")
    parser.add_argument("--paced", type=int, default=2000, metavar="HOPS", help="default 2000: 20 s")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    arguments = parse()
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0)) if arguments.core is None else arguments.core
        os.sched_setaffinity(0, {core})
    model = percepnet.load_model(arguments.model)
    hops = signal(arguments.sample_rate, arguments.channels)
    check(model, hops, arguments.sample_rate)
    gc.disable()
    rows = {
        name: summary(measure(model, hops, arguments.sample_rate, n, name == "paced"))
        for name, n in (("hot", arguments.hot), ("paced", arguments.paced))
    }
    about: dict[str, Any] = {"machine": machine.describe(), "model": {"id": model.id, "n_weights": model.n_weights}}
    about |= {"sample_rate": arguments.sample_rate, "channels": arguments.channels}
    print(json.dumps(about | rows, indent=1) if arguments.json else text(about, rows))


def text(about: dict[str, Any], rows: dict[str, dict[str, float]]) -> str:
    """The table, in Markdown."""
    channels = about["channels"]
    lines = [f"{about['model']['id']}, {about['model']['n_weights']} weights, {about['sample_rate']} Hz, {channels} channel(s)"]
    lines += [
        machine.line(),
        "",
        "| us per hop | min | median | p99 | max | % of a core |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        times = " | ".join(f"{row[statistic]:.0f}" for statistic in STATISTICS)
        lines.append(f"| {name} | {times} | {row['percent_of_core']:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
