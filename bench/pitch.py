"""Gross pitch errors on noisy speech, against the track of the same clean speech (SPEC 3.3, 10).

    python bench/pitch.py PAIRS_DIR [MODEL]

PAIRS_DIR is what make_pairs.py wrote: pairs.csv, clean/ and noisy/. MODEL: whose pitch tracker is tried, "default" if not
said; "plain" is the tracker without a network. A frame is voiced where the correlation of the clean
speech is at least 0.6; a gross error is a period found in the noise that is more than 10 % from the clean one.

The tracker is judged against itself: a change that raises correlations also changes which frames count. Compare two
builds only on frames that are voiced, with the same clean period, in both.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from percepnet import _core, load_model

VOICED_MIN = 0.6
GROSS = 0.1
OCTAVE = 0.1  # a ratio of 2, 3, 1/2 or 1/3 within this is an octave error: the comb then still passes, or halves, harmonics


def read(path: Path) -> npt.NDArray[np.float32]:
    """One file at 48 kHz, cut to whole hops."""
    samples, sample_rate = soundfile.read(path, dtype="float32")
    if sample_rate != _core.SAMPLE_RATE:
        sys.exit(f"{path}: expected {_core.SAMPLE_RATE} Hz, got {sample_rate}")
    return samples[: len(samples) // _core.HOP * _core.HOP]


def compare(clean_path: Path, noisy_path: Path, tracker: _core.ModelHandle | None) -> npt.NDArray[np.int64]:
    """Voiced frames, gross errors, of these multiples (2, 3 times), of these fractions (1/2, 1/3)."""
    clean, noisy = _core.analyze(read(clean_path)), _core.analyze(read(noisy_path), tracker=tracker)
    ratio = (noisy.period / clean.period)[clean.correlation >= VOICED_MIN]
    gross = np.abs(ratio - 1) > GROSS
    near = [np.any([np.abs(ratio / f - 1) < OCTAVE for f in factors], axis=0) for factors in ((2, 3), (1 / 2, 1 / 3))]
    return np.array([ratio.size, gross.sum(), (gross & near[0]).sum(), (gross & near[1]).sum()])


def main(pairs: Path, model: str) -> None:
    """Prints a table by kind and signal-to-noise ratio, in percent of voiced frames."""
    with (pairs / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tracker = None if model == "plain" else load_model(model).handle
    counts: dict[tuple[str, str], npt.NDArray[np.int64]] = defaultdict(lambda: np.zeros(4, np.int64))
    for row in rows:
        count = compare(pairs / "clean" / row["file"], pairs / "noisy" / row["file"], tracker)
        counts[row["kind"], f"{row['snr_db']:>5} dB"] += count
        counts[row["kind"], "all"] += count
        if row["kind"] == "noisy":
            counts["by noise", row["noise_kind"]] += count
    print(f"{'pairs':<10} {'':<12} {'voiced':>7} {'gross %':>8} {'multiple':>9} {'fraction':>9} {'other':>6}")
    for (kind, group), (voiced, gross, multiple, fraction) in sorted(counts.items()):
        shares = 100 * np.array([gross, multiple, fraction, gross - multiple - fraction]) / max(voiced, 1)
        print(f"{kind:<10} {group:<12} {voiced:>7} {shares[0]:>8.1f} {shares[1]:>9.1f} {shares[2]:>9.1f} {shares[3]:>6.1f}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "default")
