"""What int8 costs: scores of a checkpoint's weights in float32 and in int8, on pairs of clean and noisy recordings.

    python bench/int8.py CHECKPOINT PAIRS_DIR [--metrics pesq,dnsmos] [--jobs N]

PAIRS_DIR holds clean/ and noisy/. Prints both means and the mean of the paired differences with its 95 % interval.
"""

import argparse
from pathlib import Path

import machine
import numpy as np

import percepnet
from percepnet.evaluation import Evaluation, evaluate
from percepnet.training.export import tracker_tensors, write_weights
from percepnet.training.int8 import quantise_tensors
from percepnet.training.model import named_tensors
from percepnet.training.train import load_checkpoint

COLUMNS = {"pesq": "PESQ-WB", "stoi": "STOI", "estoi": "ESTOI", "si_sdr": "SI-SDR dB", "ovrl": "DNSMOS OVRL"}


def models(checkpoint: Path) -> dict[str, percepnet.Model]:
    """The averaged weights, as float32 and as int8, each with the pitch tracker of the run, which is int8."""
    run = load_checkpoint(checkpoint)
    tensors, lookahead = named_tensors(run.average), run.config.dataset.lookahead
    tracker = tracker_tensors(run.config)
    kinds = {"float32": {**tensors, **tracker}, "int8": {**quantise_tensors(tensors), **tracker}}
    return {kind: percepnet.Model.from_bytes(write_weights(t, lookahead, {"id": kind})) for kind, t in kinds.items()}


def scores(evaluation: Evaluation, name: str) -> np.ndarray:
    """The enhanced files' values of one score, NaN where it is not defined."""
    values = (result.row["enhanced"].get(name) for result in evaluation.scored)
    return np.array([np.nan if value is None else value for value in values])


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--metrics", default="pesq,stoi,dnsmos")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    found = {
        kind: evaluate(
            arguments.pairs / "noisy",
            arguments.pairs / "clean",
            model=model,
            metrics=arguments.metrics.split(","),
            jobs=arguments.jobs,
        )
        for kind, model in models(arguments.checkpoint).items()
    }
    print(machine.line())
    print("\n| score | float32 | int8 | difference |\n| --- | --- | --- | --- |")
    for name, title in COLUMNS.items():
        if name in found["int8"].overall:
            before, after = (scores(evaluation, name) for evaluation in found.values())
            change = (after - before)[np.isfinite(after - before)]
            half = 1.96 * change.std(ddof=1) / len(change) ** 0.5
            means = f"{np.nanmean(before):.3f} | {np.nanmean(after):.3f}"
            print(f"| {title} | {means} | {change.mean():+.4f} +- {half:.4f} |")


if __name__ == "__main__":
    main()
