"""Distill-MOS of enhanced files: a guess of listeners' scores that no model here was trained on.

    pip install --no-deps distillmos==0.9.1 xls-r-sqa==0.1.0
    python bench/witness.py PAIRS_DIR [--model NAME_OR_PATH] [--enhanced NAME=DIR]...

The models are trained with DNSMOS and PESQ among their losses (docs/experiments.md, run 9), so these two scores are no
witnesses of theirs any more. Distill-MOS (Stahl and Gamper, 2025, MIT licence) was distilled from another network, learnt from
other listening tests, and needs no clean signal. PAIRS_DIR is as for bench/quality.py; only its noisy pairs count. The package
asks for torchaudio, which only its command line uses: it is not needed.
"""

import argparse
import csv
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

import percepnet
from percepnet import metrics

RATE = 16000


def estimator() -> Any:
    """The network, with its weights."""
    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
    import distillmos  # noqa: PLC0415

    return distillmos.ConvTransformerSQAModel().eval()


def score(network: Any, samples: npt.NDArray[np.float32], sample_rate: int) -> float:
    """1 to 5."""
    resampled = np.clip(metrics.resample(samples, sample_rate, RATE), -1, 1).astype(np.float32)
    with torch.no_grad():
        return float(network(torch.from_numpy(resampled)[None])[0])


def outputs(folder: Path, files: list[str], model: percepnet.Model | None) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
    """The files of a folder, enhanced if there is a model."""
    for name in files:
        samples, sample_rate = soundfile.read(folder / name, dtype="float32")
        yield (percepnet.enhance(samples, sample_rate, model=model) if model else samples), sample_rate


def main() -> None:
    """Scores and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS_DIR")
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    parser.add_argument("--enhanced", action="append", default=[], metavar="NAME=DIR", help="may be repeated")
    arguments = parser.parse_args()
    with (arguments.pairs / "pairs.csv").open(newline="") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["kind"] == "noisy"]
    model = percepnet.load_model(arguments.model)
    systems: list[tuple[str, Path, percepnet.Model | None]] = [("noisy", arguments.pairs / "noisy", None)]
    systems += [("clean", arguments.pairs / "clean", None), (model.id, arguments.pairs / "noisy", model)]
    systems += [(name, Path(folder), None) for name, _, folder in (text.partition("=") for text in arguments.enhanced)]
    network = estimator()
    print(f"| system | Distill-MOS, mean of {len(files)} | 95 % interval of the mean |\n| --- | --- | --- |")
    for name, folder, of_model in systems:
        scores = [score(network, *output) for output in outputs(folder, files, of_model)]
        half = 1.96 * np.std(scores, ddof=1) / len(scores) ** 0.5
        print(f"| {name} | {np.mean(scores):.3f} | +-{half:.3f} |", flush=True)


if __name__ == "__main__":
    main()
