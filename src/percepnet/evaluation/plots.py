"""Plots as inline SVG; page.css gives the classes their colours."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from percepnet.evaluation.pictures import erb_share
from percepnet.evaluation.summary import Mean

__all__ = ["Dot", "band_plot", "group_plot", "scatter_plot"]

WIDTH, HEIGHT = 330, 210
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 10, 34
SYSTEMS = ("noisy", "enhanced")
SMALL_GROUP = 5


@dataclass(frozen=True)
class Dot:
    """One file in a scatter plot; link: where a click leads."""

    x: float
    y: float
    label: str
    link: str


class _Canvas:
    """Data coordinates to the page's, and the pieces drawn so far."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float], width: int = WIDTH) -> None:
        self.width, self._x, self._y = width, x_range, y_range
        self.pieces: list[str] = []

    def x(self, value: float) -> float:
        return round(LEFT + (value - self._x[0]) / (self._x[1] - self._x[0]) * (self.width - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        value = min(max(value, self._y[0]), self._y[1])
        return round(HEIGHT - BOTTOM - (value - self._y[0]) / (self._y[1] - self._y[0]) * (HEIGHT - TOP - BOTTOM), 1)

    def y_axis(self) -> None:
        for tick in _ticks(*self._y):
            self.pieces.append(f'<path class="grid" d="M{LEFT} {self.y(tick)}H{self.width - RIGHT}"/>')
            self.text(LEFT - 6, self.y(tick) + 4, f"{tick:g}", "end")

    def x_axis(self) -> None:
        for tick in _ticks(*self._x):
            self.text(self.x(tick), HEIGHT - BOTTOM + 16, f"{tick:g}")

    def text(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        self.pieces.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>')

    def svg(self, label: str) -> str:
        inside = "".join(self.pieces)
        return f'<svg viewBox="0 0 {self.width} {HEIGHT}" role="img" aria-label="{html.escape(label)}">{inside}</svg>'


def group_plot(title: str, groups: Sequence[str], means: Sequence[dict[str, Mean]], factor: float, unit: str = "") -> str:
    """Means and intervals, noisy and enhanced, by group; joined by a line where the groups are numbers.

    The intervals of small groups, which may be huge, are cut where the others end.
    """
    shown = [row[system] for row in means for system in SYSTEMS]
    ends = [mean.mean for mean in shown] + [end for mean in shown if mean.n >= SMALL_GROUP for end in (mean.low, mean.high)]
    canvas = _Canvas((-0.5, len(groups) - 0.5), _padded([factor * end for end in ends if end is not None]))
    canvas.y_axis()
    for i, group in enumerate(groups):
        canvas.text(canvas.x(i), HEIGHT - BOTTOM + 16, group)
    if unit:
        canvas.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, unit)
    for system, shift in (("noisy", -0.06), ("enhanced", 0.06)):
        points = [(i + shift, row[system]) for i, row in enumerate(means)]
        canvas.pieces.append(f'<g class="{system}">{_whiskers(canvas, points, factor, joined=_are_numbers(groups))}</g>')
    return canvas.svg(f"{title} by group")


def scatter_plot(title: str, dots: Sequence[Dot]) -> str:
    """Enhanced over noisy, one dot a file; above the diagonal is more than noisy."""
    both = _padded([value for dot in dots for value in (dot.x, dot.y)])
    canvas = _Canvas(both, both)
    canvas.y_axis()
    canvas.x_axis()
    low, high = both
    canvas.pieces.append(f'<path class="diagonal" d="M{canvas.x(low)} {canvas.y(low)}L{canvas.x(high)} {canvas.y(high)}"/>')
    for dot in dots:
        place = f'cx="{canvas.x(dot.x)}" cy="{canvas.y(dot.y)}"'
        label = f"<title>{html.escape(dot.label)}</title>"
        canvas.pieces.append(f'<a href="{html.escape(dot.link)}"><circle class="dot" {place} r="4">{label}</circle></a>')
    canvas.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "noisy")
    canvas.pieces.append(f'<text transform="translate(11 {(HEIGHT - BOTTOM + TOP) / 2})rotate(-90)">enhanced</text>')
    return canvas.svg(f"{title}, enhanced over noisy")


def band_plot(title: str, centres_hz: Sequence[float], noisy: Sequence[float | None], enhanced: Sequence[float | None]) -> str:
    """Values in % by band: a bar for enhanced, a line across it for noisy."""
    values = [value for value in (*noisy, *enhanced) if value is not None]
    top_hz = 24000.0
    shares = erb_share(centres_hz, top_hz)
    edges = np.concatenate([[0], (shares[1:] + shares[:-1]) / 2, [1]])
    canvas = _Canvas((0, 1), (0, max(5.0, *values) * 1.08 if values else 5.0), width=2 * WIDTH)
    canvas.y_axis()
    for i, (before, after) in enumerate(zip(noisy, enhanced, strict=True)):
        left, right = canvas.x(edges[i]) + 1, canvas.x(edges[i + 1]) - 1
        label = f"<title>{centres_hz[i]:.0f} Hz: noisy {_percent(before)}, enhanced {_percent(after)}</title>"
        if after is not None:
            box = f'x="{left}" y="{canvas.y(after)}" width="{right - left:.1f}" height="{canvas.y(0) - canvas.y(after):.1f}"'
            canvas.pieces.append(f'<rect class="bar" {box}>{label}</rect>')
        if before is not None:
            canvas.pieces.append(f'<path class="mark" d="M{left} {canvas.y(before)}H{right}">{label}</path>')
    for f_hz in (100, 250, 500, 1000, 2000, 4000, 8000, 16000):
        text = f"{f_hz} Hz" if f_hz < 1000 else f"{f_hz // 1000} kHz"
        canvas.text(canvas.x(float(erb_share(f_hz, top_hz))), HEIGHT - BOTTOM + 16, text)
    return canvas.svg(title)


def _whiskers(canvas: _Canvas, points: Sequence[tuple[float, Mean]], factor: float, *, joined: bool) -> str:
    pieces = []
    at = [(canvas.x(x), canvas.y(factor * mean.mean)) for x, mean in points if mean.mean is not None]
    if joined and at:
        pieces.append(f'<path class="line" d="M{"L".join(f"{x} {y}" for x, y in at)}"/>')
    for x, mean in points:
        if mean.mean is None:
            continue
        text = f"{factor * mean.mean:.3g}, {mean.n} files"
        if mean.low is not None and mean.high is not None:
            pieces.append(
                f'<path class="whisker" d="M{canvas.x(x)} {canvas.y(factor * mean.low)}V{canvas.y(factor * mean.high)}"/>'
            )
            text += f", 95 % interval {factor * mean.low:.3g} to {factor * mean.high:.3g}"
        pieces.append(f'<circle cx="{canvas.x(x)}" cy="{canvas.y(factor * mean.mean)}" r="4"><title>{text}</title></circle>')
    return "".join(pieces)


def _percent(value: float | None) -> str:
    return "no speech" if value is None else f"{value:.1f} %"


def _are_numbers(groups: Sequence[str]) -> bool:
    try:
        return all(math.isfinite(float(group)) for group in groups)
    except ValueError:
        return False


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers between."""
    raw = (high - low) / 5
    unit = 10 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
