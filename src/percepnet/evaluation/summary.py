"""Means over files, with 95 % intervals, in all and by group."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np

__all__ = ["Mean", "Row", "Table", "change", "change_of", "groups_of", "mean_of", "summarise"]

Row: TypeAlias = dict[str, dict[str, float | None]]  # one file: metric by system
Table: TypeAlias = dict[str, dict[str, "Mean"]]  # metric, then system, or "change"

MOST_GROUPS = 12  # more values than this, and a column of the manifest is no grouping


@dataclass(frozen=True)
class Mean:
    """The mean of n finite values and its 95 % interval by Student's t, None where n is too small."""

    mean: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)


def mean_of(values: Iterable[float | None]) -> Mean:
    """Values that are None or infinite are left out."""
    finite = np.array([value for value in values if value is not None and math.isfinite(value)])
    if not finite.size:
        return Mean(None, None, None, 0)
    mean = float(finite.mean())
    if finite.size == 1:
        return Mean(mean, None, None, 1)
    from scipy.special import stdtrit  # noqa: PLC0415 - extra `eval`

    half_width = float(stdtrit(finite.size - 1, 0.975) * finite.std(ddof=1) / math.sqrt(finite.size))
    return Mean(mean, mean - half_width, mean + half_width, finite.size)


def summarise(rows: list[Row], names: list[str]) -> Table:
    """Of every metric: noisy, enhanced, and their change, whose interval is that of the paired differences.

    All three over the same files: those where both scores are defined and finite.
    """
    table: Table = {}
    for name in names:
        comparable = [row for row in rows if change(row, name) is not None]
        table[name] = {system: mean_of(row[system][name] for row in comparable) for system in ("noisy", "enhanced")}
        table[name]["change"] = mean_of(change(row, name) for row in comparable)
    return table


def change(row: Row, name: str) -> float | None:
    """Enhanced minus noisy of one file."""
    return change_of(row["noisy"].get(name), row["enhanced"].get(name))


def change_of(before: float | None, after: float | None) -> float | None:
    """The difference; None where either is missing or infinite."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return None
    return after - before


def groups_of(about: list[dict[str, str]], column: str) -> dict[str, list[int]]:
    """Indices of the files by their value in a column, numbers in order; empty if it is no grouping."""
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(about):
        if row.get(column):
            groups.setdefault(row[column], []).append(i)
    if len(groups) < 2 or len(groups) > MOST_GROUPS:  # one group is the whole
        return {}
    return dict(sorted(groups.items(), key=lambda item: _order(item[0])))


def _order(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, value
