"""Calls at 8 and 16 kHz: the noisy pairs of make_pairs.py, brought to a telephone's rate before they are enhanced.

    python bench/narrow.py PAIRS_DIR [--model NAME_OR_PATH] [--folder DIR]

Mean PESQ, narrow-band (ITU-T P.862) at 8 kHz and wideband (P.862.2) at 16 kHz, of the pairs as they are, of what percepnet
makes of them at that rate, of what it makes of the full band before the rate is lowered, and of RNNoise 0.2, which is given the
narrow signal at 48 kHz (its environment is made as in bench/peers.py). The reference is the clean signal at the lower rate.
"""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import machine
import numpy as np
import numpy.typing as npt
import peers
import pesq
import soundfile

import percepnet
from percepnet import metrics

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

FULL_RATE = 48000
MODES = {8000: "nb", 16000: "wb"}
SYSTEMS = ("noisy", "percepnet", "percepnet at 48 kHz", "RNNoise 0.2")


def read(folder: Path, name: str) -> Floats:
    """(samples,) at 48 kHz."""
    samples, rate = soundfile.read(folder / name)
    if rate != FULL_RATE:
        raise SystemExit(f"{folder / name}: expected {FULL_RATE} Hz, got {rate} Hz")
    result: Floats = samples
    return result


def narrow(samples: Floats, rate: int) -> Floats:
    """The same at a lower rate."""
    return metrics.resample(samples, FULL_RATE, rate)


def rnnoise(pairs: Path, names: list[str], rate: int, environments: Path, scratch: Path) -> Path:
    """The folder with RNNoise's outputs, at 48 kHz, for noisy signals that were at a lower rate before."""
    source = scratch / f"{rate}"
    source.mkdir()
    for name in names:
        samples = metrics.resample(narrow(read(pairs / "noisy", name), rate), rate, FULL_RATE)
        soundfile.write(source / name, samples, FULL_RATE, subtype="FLOAT")
    out = scratch / f"{rate}-enhanced"
    peers.enhance_folder("RNNoise 0.2", source, out, environments)
    return out / peers.ENHANCING["RNNoise 0.2"][0]


def outputs(pairs: Path, name: str, rate: int, model: percepnet.Model, of_rnnoise: Path) -> dict[str, Floats]:
    """What every system makes of a pair, at the lower rate."""
    noisy = read(pairs / "noisy", name)
    low = narrow(noisy, rate)
    signals = (
        low,
        percepnet.enhance(low, rate, model=model),
        narrow(percepnet.enhance(noisy, FULL_RATE, model=model), rate),
        narrow(read(of_rnnoise, name), rate),
    )
    return {system: signal[: len(low)] for system, signal in zip(SYSTEMS, signals, strict=True)}


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS_DIR")
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    parser.add_argument("--folder", type=Path, default=peers.ROOT / "build" / "peers", help="environments of the peers")
    arguments = parser.parse_args()
    with (arguments.pairs / "pairs.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["kind"] == "noisy"]
    model = percepnet.load_model(arguments.model)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    lines = [f"| rate | {' | '.join(SYSTEMS)} |", "| --- |" + " --- |" * len(SYSTEMS)]
    with tempfile.TemporaryDirectory() as scratch:
        for rate, mode in MODES.items():
            of_rnnoise = rnnoise(arguments.pairs, names, rate, arguments.folder, Path(scratch))
            scores: dict[str, list[float]] = {system: [] for system in SYSTEMS}
            for name in names:
                clean = narrow(read(arguments.pairs / "clean", name), rate)
                for system, signal in outputs(arguments.pairs, name, rate, model, of_rnnoise).items():
                    scores[system].append(pesq.pesq(rate, clean, signal, mode))
            means = [np.mean(scores[system]) for system in SYSTEMS]
            lines.append(f"| {rate // 1000} kHz, {mode} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    print(f"{machine.line()}; {model}\n\n{len(names)} noisy pairs of {arguments.pairs.name}, mean PESQ\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
