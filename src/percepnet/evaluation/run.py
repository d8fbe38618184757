"""evaluate(): scores a folder of recordings."""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import percepnet
from percepnet import Model
from percepnet.controls import Preset, resolve
from percepnet.evaluation import summary
from percepnet.evaluation.pairs import Pair, find_pairs
from percepnet.evaluation.scores import METRICS, choose_metrics, package_versions
from percepnet.evaluation.workers import Exhibit, PairScores, Settings, Workers

__all__ = ["Evaluation", "Settings", "evaluate"]

GROUPINGS = ("snr_db", "kind", "noise_kind")  # columns of a manifest by which means are shown
N_WORST = 8
Progress = Callable[[str, int, int], None]  # what is being done, how many of how many


@dataclass(frozen=True)
class Evaluation:
    """What evaluate() found.

    system: what made the enhanced files
    results: of every file, those that failed included
    overall: means of all files, and by_group: by column, then value
    exhibits: the worst cases, to hear and see
    """

    system: str
    metrics: list[str]
    results: list[PairScores]
    overall: summary.Table
    by_group: dict[str, dict[str, summary.Table]]
    model: dict[str, Any] | None
    exhibits: list[Exhibit] = field(default_factory=list)

    @property
    def scored(self) -> list[PairScores]:
        """The results with scores."""
        return [result for result in self.results if not result.pair.error]

    @property
    def failed(self) -> list[Pair]:
        """What could not be scored, with the reasons."""
        return [result.pair for result in self.results if result.pair.error]

    @property
    def with_clean(self) -> bool:
        """Whether there were clean files to compare with."""
        return any(result.pair.clean for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: scores that are infinite or not defined are null, and the file's notes say why."""
        return {
            "percepnet": percepnet.__version__,
            "created": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            "system": self.system,
            "model": self.model,
            "packages": package_versions(self.metrics),
            "metrics": {
                name: {"meaning": METRICS[name].meaning, "higher_is_better": METRICS[name].higher_is_better}
                for name in self.metrics
            },
            "interval": "95 %, Student's t, of the mean over files; that of a change is of the paired differences",
            "summary": {
                "all": _table_as_dict(self.overall),
                **{column: {v: _table_as_dict(t) for v, t in tables.items()} for column, tables in self.by_group.items()},
            },
            "files": [result.as_dict() for result in self.scored],
            "failed": [{"file": pair.name, "error": pair.error} for pair in self.failed],
        }


def evaluate(
    noisy: str | PathLike[str],
    clean: str | PathLike[str] | None = None,
    enhanced: str | PathLike[str] | None = None,
    *,
    model: "str | PathLike[str] | Model" = "default",
    attenuation_limit_db: float | None = None,
    post_filter: bool | None = None,
    dereverb: float | None = None,
    preset: Preset = "default",
    metrics: Iterable[str] | None = None,
    manifest: str | PathLike[str] | None = None,
    where: Mapping[str, str] | None = None,
    group_by: Iterable[str] | None = None,
    system: str = "",
    gallery: int = 0,
    jobs: int = 1,
    progress: Progress = lambda *_: None,
) -> Evaluation:
    """Scores every file of a folder, noisy and enhanced, against its clean twin.

    noisy, clean: folders (or single files) whose files have the same names; without `clean`, only DNSMOS
    enhanced: the output of any system; without it, the model enhances with the settings that follow
    metrics: names of METRICS; all by default
    manifest: CSV with a column `file`; by default pairs.csv or manifest.csv in the folder of the noisy files or beside it
    where: only files with these values in the manifest
    group_by: columns by whose values means are shown; snr_db, kind and noise_kind by default
    system: what the report calls the enhanced side
    gallery: of how many of the worst cases to keep the sound and the picture
    jobs: processes of one thread each; with more than 1, scripts need `if __name__ == "__main__"`

    Raises PercepNetError where nothing can be scored. A file that fails is reported in the result.
    """
    names = choose_metrics(metrics, clean is not None)
    pairs = find_pairs(Path(noisy), *(None if x is None else Path(x) for x in (clean, enhanced, manifest)), where=where or {})
    controls = resolve(preset, attenuation_limit_db, post_filter, dereverb)
    settings = Settings(names, controls, percepnet.load_model(model) if enhanced is None else None)
    with Workers(settings, min(jobs, len(pairs))) as workers:
        results = list(workers.scores(pairs, progress))
        scored = [result for result in results if not result.pair.error]
        exhibits = list(workers.exhibits(_worst(scored, names, gallery), progress))
    tables = {column: _tables_by(column, scored, names) for column in (GROUPINGS if group_by is None else group_by)}
    return Evaluation(
        system=system or (settings.model.id if settings.model else Path(str(enhanced)).resolve().name),
        metrics=names,
        results=results,
        overall=summary.summarise([result.row for result in scored], names),
        by_group={column: table for column, table in tables.items() if table},
        model=settings.as_dict(),
        exhibits=exhibits,
    )


def _tables_by(column: str, scored: list[PairScores], names: list[str]) -> dict[str, summary.Table]:
    groups = summary.groups_of([result.pair.about for result in scored], column)
    return {value: summary.summarise([scored[i].row for i in members], names) for value, members in groups.items()}


def _table_as_dict(table: summary.Table) -> dict[str, dict[str, dict[str, float | int | None]]]:
    return {name: {system: mean.as_dict() for system, mean in row.items()} for name, row in table.items()}


def _worst(scored: list[PairScores], names: list[str], count: int) -> list[tuple[PairScores, str]]:
    """The worst cases by each of three complaints in turn, with the complaint in words."""
    lists = [
        _ranked(scored, "damage", names, "most speech lost: {} %", lambda row: -(row["enhanced"].get("damage") or 0)),
        _ranked(scored, "pesq", names, "PESQ-WB changed by {}", lambda row: _or_infinite(summary.change(row, "pesq"))),
        _ranked(scored, "ovrl", names, "DNSMOS OVRL changed by {}", lambda row: _or_infinite(summary.change(row, "ovrl"))),
        _ranked(scored, names[0], names, METRICS[names[0]].title + " changed by {}", lambda row: _loss(row, names[0])),
    ]
    chosen: dict[str, tuple[PairScores, str]] = {}
    for rank in range(len(scored)):
        for ranked in lists:
            if rank < len(ranked) and len(chosen) < count:
                result, complaint = ranked[rank]
                chosen.setdefault(result.pair.name, (result, complaint))
    return list(chosen.values())


def _ranked(
    scored: list[PairScores], name: str, names: list[str], complaint: str, badness: Callable[[summary.Row], float]
) -> list[tuple[PairScores, str]]:
    """All files, worst first, if the metric was computed."""
    if name not in names:
        return []
    metric = METRICS[name]
    in_order = sorted(scored, key=lambda result: badness(result.row))
    value: Callable[[summary.Row], str] = (
        (lambda row: metric.show(row["enhanced"].get(name)))
        if name == "damage"
        else (lambda row: metric.show(summary.change(row, name), signed=True))
    )
    return [(result, complaint.format(value(result.row))) for result in in_order if math.isfinite(badness(result.row))]


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def _loss(row: summary.Row, name: str) -> float:
    value = summary.change(row, name)
    return math.inf if value is None else value if METRICS[name].higher_is_better else -value
