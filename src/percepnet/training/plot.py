"""The log of a run as a picture."""

import csv
from pathlib import Path

from matplotlib.figure import Figure

from percepnet.training.listening import SCORES
from percepnet.training.loss import LOSSES


def plot(log: Path, image: Path) -> None:
    """Losses over steps, trained and validated, and scores of what was heard; nothing of an empty log."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    panels = [name for name in (*LOSSES, *SCORES) if any(row.get(name) for row in rows)]
    if not panels:
        return
    figure = Figure(figsize=(4 * len(panels), 4), layout="tight")
    axes = figure.subplots(1, len(panels))
    for axis, name in zip(axes, panels, strict=True):
        positive = True
        for column, style in ((name, "-"), (f"validation_{name}", "o-")):
            points = [(int(row["step"]), float(row[column])) for row in rows if row.get(column)]
            positive = positive and all(value > 0 for _, value in points)
            axis.plot([step for step, _ in points], [value for _, value in points], style, label=column)
        axis.set(xlabel="step", title=name, yscale="log" if name in LOSSES and positive else "linear")
        axis.legend()
    figure.savefig(image)
