"""What block sparsity costs per byte: random int8 networks that store as much, dense and with 50 % and 25 % of their blocks.

    python bench/sparse.py [--rounds 5] [--hot 100] [--paced 50] [--core N]

conv2 and the GRUs lose blocks of 16 rows by 4 columns, as in training, and the network is as much wider. Prints microseconds
per hop of the network alone, by instruction set, hot and paced (one hop every 10 ms, when caches hold other things), and behind
it the time per stored byte as a multiple of the dense network's. Whole hops are timed in turns, and what a hop of near silence
takes, which skips the network, is taken off: of hot ones the best of all rounds, of paced ones the median.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import machine
import numpy as np

import percepnet
from percepnet import benchmark
from percepnet._core import ModelHandle
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from networks import random_tensors, without_blocks

STORED = (1.2e6, 8e6)  # bytes, about
DENSITIES = (1.0, 0.5, 0.25)
STEP = 24  # of the hidden size, which is three times that of the dense layer and of the strengths' GRU
RATE = 48000


class Network(NamedTuple):
    """Random weights, once for each instruction set."""

    density: float
    hidden: int
    stored: int  # bytes of the weight file
    handles: dict[str, ModelHandle]


def make(stored: float, density: float) -> Network:
    """The network of this density that stores so many bytes: of H units it has 31 H^2 weights, 29.3 H^2 of them in blocks."""
    hidden = STEP * round((stored / (1.67 + 29.33 * density)) ** 0.5 / STEP)
    tensors = random_tensors(sizes=(hidden // 3, hidden, hidden // 3))
    contents = write_weights(
        quantise_tensors(without_blocks(tensors, density) if density < 1 else tensors), 2, {"id": "random"}
    )
    return Network(density, hidden, len(contents), benchmark.handles(percepnet.Model.from_bytes(contents)))


def measure(networks: list[Network], rounds: int, n: int, paced: bool) -> list[dict[str, float]]:
    """Microseconds of each network by instruction set, without the signal path; n hops of each in a round."""
    loud = benchmark.signal(RATE, 1)
    near_silence = (np.random.default_rng(1).standard_normal(loud.shape) * 10 ** (benchmark.GATED_DB / 20)).astype(np.float32)
    first, statistic = next(iter(networks[0].handles.values())), np.median if paced else np.min
    jobs = [(first, near_silence), *((handle, loud) for network in networks for handle in network.handles.values())]
    rows = [[benchmark.hop_times(handle, hops, RATE, n, paced) for handle, hops in jobs] for _ in range(rounds)]
    path, *hops = (float(statistic(np.concatenate(times))) for times in zip(*rows, strict=True))
    left = iter(hops)
    return [{isa: next(left) - path for isa in network.handles} for network in networks]


def table(networks: list[Network], times: list[dict[str, float]]) -> list[str]:
    """Markdown."""
    lines = [
        f"| blocks kept | hidden | stored, MB | {' | '.join(times[0])} |",
        "| --- | --- | --- |" + " --- |" * len(times[0]),
    ]
    dense = 0
    for i, (network, row) in enumerate(zip(networks, times, strict=True)):
        dense = i if network.density == 1 else dense
        cells = []
        for isa, us in row.items():
            ratio = us / network.stored / (times[dense][isa] / networks[dense].stored)
            cells.append(f"{us:.0f} ({ratio:.2f})")
        lines.append(f"| {network.density:.0%} | {network.hidden} | {network.stored / 1e6:.2f} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hot", type=int, default=100, help="hops in a round")
    parser.add_argument("--paced", type=int, default=50, help="likewise")
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    networks = [make(stored, density) for stored in STORED for density in DENSITIES]
    benchmark.pin(arguments.core)
    print(f"{machine.line()}; {arguments.rounds} rounds")
    for name, n, paced in (("hot", arguments.hot, False), ("paced", arguments.paced, True)):
        print(f"\nMicroseconds per hop, {name}:\n")
        print("\n".join(table(networks, measure(networks, arguments.rounds, n, paced))), flush=True)


if __name__ == "__main__":
    main()
