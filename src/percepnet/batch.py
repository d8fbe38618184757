"""Cleaning as a step of somebody else's engine: EnhanceBatch for Ray Data, map_in_pandas() for Spark. Imports no engine."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from percepnet.controls import Controls
from percepnet.enhancer import Enhancer
from percepnet.files import FileReport
from percepnet.jobs import Job, Options, do
from percepnet.weights import load_model

if TYPE_CHECKING:
    from typing_extensions import Unpack

Columns = dict[str, npt.NDArray[Any]]

# Columns that are added, in this order, and whether each is text; all others are numbers.
_RENAMED: Final = {"output": "enhanced_filepath"}
REPORT_COLUMNS: Final = {
    _RENAMED.get(field.name, field.name): "str" in str(field.type) for field in fields(FileReport) if field.name != "input"
}
SPARK_SCHEMA: Final = ", ".join(f"{name} {'string' if text else 'double'}" for name, text in REPORT_COLUMNS.items())


class EnhanceBatch:
    """A callable that cleans the files named in a batch, for engines that make one per worker and call it many times.

    out_dir: results go below it, in the folders of their sources: /data/a.wav becomes out_dir/data/a.clean.wav
    base: a folder whose own path is left out there
    path_column: names the files
    file_format, subtype: suffix and encoding of the results; None for those of the input
    skip_existing: results that exist are left alone, which makes a second run finish the first
    controls: those of Enhancer

    A failure is a row, never an exception. Uses one core; give each worker one. The same input gives the same bytes on
    any worker.
    """

    def __init__(
        self,
        out_dir: "str | PathLike[str]",
        *,
        base: "str | PathLike[str] | None" = None,
        model: str = "default",
        path_column: str = "audio_filepath",
        file_format: str | None = None,
        subtype: str | None = None,
        skip_existing: bool = True,
        **controls: "Unpack[Controls]",
    ) -> None:
        loaded = load_model(model)
        Enhancer(model=loaded, **controls).close()  # an error now, not once per file
        self._out_dir, self._base = Path(out_dir), None if base is None else Path(base).absolute()
        self._path_column = path_column
        self._suffix = None if file_format is None else f".{file_format.lower().lstrip('.')}"
        self._options = Options(loaded, subtype, skip_existing, controls)

    def __call__(self, batch: Mapping[str, Any]) -> Columns:
        """Columns of equal length -> the same, and those of REPORT_COLUMNS: text, or float64 with NaN where unknown."""
        reports = [self._clean(Path(str(path))) for path in batch[self._path_column]]
        kept = {name: np.asarray(column) for name, column in batch.items()}
        return kept | _columns(reports)

    def _clean(self, source: Path) -> FileReport:
        return do(Job(source, self._target(source), makes_folder=True), self._options, lambda *_: None)

    def _target(self, source: Path) -> Path:
        path = Path(os.path.normpath(source.absolute()))
        below = path.relative_to(self._base if self._base and path.is_relative_to(self._base) else path.anchor)
        return self._out_dir / below.parent / f"{path.stem}.clean{self._suffix or path.suffix}"


def map_in_pandas(out_dir: "str | PathLike[str]", **options: Any) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """For pyspark.sql.DataFrame.mapInPandas, with the arguments of EnhanceBatch.

    The schema is that of the input, a comma, and SPARK_SCHEMA.
    """

    def clean(frames: Iterator[Any]) -> Iterator[Any]:
        worker = EnhanceBatch(out_dir, **options)
        for frame in frames:
            yield type(frame)(worker({name: frame[name].to_numpy() for name in frame.columns}))

    return clean


def _columns(reports: list[FileReport]) -> Columns:
    rows = [{_RENAMED.get(name, name): value for name, value in report.as_dict().items()} for report in reports]
    return {
        name: np.array([row[name] or "" for row in rows], dtype=object)
        if text
        else np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
        for name, text in REPORT_COLUMNS.items()
    }
