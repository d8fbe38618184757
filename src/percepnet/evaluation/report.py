"""Where an evaluation goes: a page, JSON, CSV."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from percepnet.evaluation.run import Evaluation
from percepnet.evaluation.webpage import OURS, render
from percepnet.output import write_whole

__all__ = ["FILES", "to_csv", "to_json", "write"]


def write(evaluation: Evaluation, report: Path) -> list[Path]:
    """Writes the file that `report` names by its suffix, or all of FILES into the folder `report`."""
    paths = [report] if report.suffix.lower() in WRITERS and not report.is_dir() else [report / name for name in FILES]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = WRITERS[path.suffix.lower()](evaluation)
        write_whole(path, text.encode(errors="backslashreplace"))  # names of files need not be UTF-8
    return paths


def to_json(evaluation: Evaluation) -> str:
    """All scores and means."""
    return json.dumps(evaluation.as_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def to_csv(evaluation: Evaluation) -> str:
    """One row a file; columns noisy_pesq, enhanced_pesq and so on. Infinite is inf, not defined is empty."""
    about = [k for k in dict.fromkeys(k for result in evaluation.scored for k in result.pair.about) if k not in OURS]
    signals = list(dict.fromkeys(name for result in evaluation.scored for name in result.delays))
    scores = [f"{system}_{name}" for name in evaluation.metrics for system in ("noisy", "enhanced")]
    delays = [f"{name}_delay_samples" for name in signals]
    columns = [
        "file",
        *about,
        "sample_rate",
        "channels",
        "seconds",
        *delays,
        "trimmed_samples",
        *scores,
        "worst_moment_s",
        "notes",
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    for result in evaluation.scored:
        writer.writerow(
            result.pair.about
            | result.as_dict()
            | {f"{name}_delay_samples": delay for name, delay in result.delays.items()}
            | {f"{system}_{name}": _rounded(value) for system, row in result.row.items() for name, value in row.items()}
            | {"notes": "; ".join(result.notes), "worst_moment_s": result.enhanced.worst[0][0] if result.enhanced.worst else ""}
        )
    return text.getvalue()


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)


WRITERS: Final[dict[str, Callable[[Evaluation], str]]] = {".html": render, ".json": to_json, ".csv": to_csv}
FILES: Final = ("report.html", "scores.json", "scores.csv")
