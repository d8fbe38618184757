"""The log of a run as a picture."""

import csv
from pathlib import Path

from matplotlib.figure import Figure

PANELS = ("loss", "gains", "strengths", "spectral", "loudness", "intelligibility", "speech", "ovrl", "pesq", "si_sdr")


def plot(log: Path, image: Path) -> None:
    """Losses over steps, trained and validated."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    panels = [name for name in PANELS if any(row.get(name) for row in rows)]
    figure = Figure(figsize=(4 * len(panels), 4), layout="tight")
    axes = figure.subplots(1, len(panels))
    for axis, name in zip(axes, panels, strict=True):
        for column, style in ((name, "-"), (f"validation_{name}", "o-")):
            points = [(int(row["step"]), float(row[column])) for row in rows if row.get(column)]
            axis.plot([step for step, _ in points], [value for _, value in points], style, label=column)
        axis.set(xlabel="step", title=name, yscale="linear" if name == "si_sdr" else "log")
        axis.legend()
    figure.savefig(image)
