"""percepnet eval: scores enhanced recordings."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from percepnet.cli.options import AttenuationLimit, Dereverb, PostFilter, PresetOption

if TYPE_CHECKING:
    from rich.table import Table

    from percepnet.evaluation import Evaluation
    from percepnet.evaluation.summary import Mean
    from percepnet.evaluation.summary import Table as Means

EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
SUFFIXES = (".html", ".json", ".csv")
N_GALLERY = 8

EXAMPLES = """Examples:

  percepnet eval --noisy pairs/noisy --clean pairs/clean -o report/

  percepnet eval --noisy noisy/ --clean clean/ --enhanced other-system/ -o other.html

  percepnet eval --noisy recordings/ -a 12 --metrics dnsmos

  percepnet eval --noisy noisy/ --clean clean/ --where kind=noisy --json > scores.json
"""


def evaluate(
    noisy: Annotated[Path, typer.Option("--noisy", metavar="DIR", help="Noisy recordings: a folder, or one file.")],
    clean: Annotated[
        Path | None, typer.Option("--clean", metavar="DIR", help="Their clean twins, of the same names. Without: DNSMOS only.")
    ] = None,
    enhanced: Annotated[
        Path | None,
        typer.Option("--enhanced", metavar="DIR", help="Any system's output, of the same names. Without: the model enhances."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="REPORT",
            help="A .html, .json or .csv file, or a folder for report.html, scores.json and scores.csv.",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Only these of pesq, stoi, estoi, si_sdr, dnsmos, lsd, damage."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Columns file, snr_db, kind, ... By default pairs.csv or manifest.csv in DIR or beside it; "
            "the SNR also from names like _snr+05.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Only files with this in the manifest. Repeatable.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Means by this column, instead of snr_db, kind and noise_kind. Repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", metavar="NAME|FILE", help="A shipped model's name or a weight file.")
    ] = None,
    preset: PresetOption = "default",
    attenuation_limit_db: AttenuationLimit = None,
    dereverb: Dereverb = None,
    post_filter: PostFilter = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the report calls the enhanced side.")] = "",
    gallery: Annotated[int, typer.Option(metavar="N", min=0, help="Worst cases to hear in the page.")] = N_GALLERY,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", metavar="N", min=0, help="Processes of one thread each; 0: one a processor.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all scores as JSON instead of tables.")] = False,
) -> None:
    """Scores recordings, noisy and enhanced: quality, intelligibility and damage to speech, with 95 % intervals.

    PESQ-WB, STOI, ESTOI, SI-SDR, DNSMOS P.835, log-spectral distance, and how much of the speech was taken away.

    Delays between the files are found, removed and reported. Noisy and clean must have the same rate; what one is longer
    than the other, up to a second, is cut. Ends with 1 if some files could not be scored, 2 if none could.
    """
    ours = (model, attenuation_limit_db, dereverb, post_filter)
    if enhanced is not None and (preset != "default" or any(setting is not None for setting in ours)):
        raise _usage("--enhanced brings its own output; --model and the controls are for the model")
    _check_output(output)
    from percepnet import PercepNetError

    try:
        from percepnet.evaluation import evaluate as run

        with _progress() as progress:
            evaluation = run(
                noisy,
                clean,
                enhanced,
                model=model or "default",
                attenuation_limit_db=attenuation_limit_db,
                post_filter=post_filter,
                dereverb=dereverb,
                preset=preset,
                metrics=metrics.split(",") if metrics is not None else None,
                manifest=manifest,
                where=_conditions(where or []),
                group_by=by or None,
                system=name,
                gallery=gallery if output is not None and output.suffix.lower() not in {".json", ".csv"} else 0,
                jobs=jobs or _n_processors(),
                progress=progress,
            )
    except (PercepNetError, ImportError) as error:
        raise _usage(str(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if evaluation.failed and not evaluation.scored:
        raise _usage("; ".join(f"{pair.name}: {pair.error}" for pair in evaluation.failed))
    _show(evaluation, output, as_json)
    if evaluation.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _usage(message: str) -> typer.Exit:
    typer.echo(f"percepnet eval: {message}", err=True)
    return typer.Exit(EXIT_USAGE)


def _check_output(output: Path | None) -> None:
    """Before an hour of work."""
    if output is not None and output.suffix and output.suffix.lower() not in SUFFIXES and not output.is_dir():
        raise _usage(f"{output}: expected {', '.join(SUFFIXES)}, or a folder")
    if output is not None and not output.suffix and output.exists() and not output.is_dir():
        raise _usage(f"{output} is not a folder")


def _conditions(where: list[str]) -> dict[str, str]:
    wrong = [condition for condition in where if "=" not in condition]
    if wrong:
        raise _usage(f"--where {wrong[0]}: expected COLUMN=VALUE")
    return {column: value for column, _, value in (condition.partition("=") for condition in where)}


def _n_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---- the terminal ----------------------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar on stderr, if someone is watching."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(title: str, done: int, total: int) -> None:
            if total and title not in tasks:
                tasks[title] = bars.add_task(title, total=total)
            if total:
                bars.update(tasks[title], completed=done)

        yield progress


def _show(evaluation: "Evaluation", output: Path | None, as_json: bool) -> None:
    from percepnet.evaluation import report

    for pair in evaluation.failed:
        typer.echo(f"{pair.name}: {pair.error}", err=True)
    if as_json:
        typer.echo(report.to_json(evaluation), nl=False)
    else:
        _print_tables(evaluation)
    if output is None:
        return
    try:
        written = report.write(evaluation, output)
    except OSError as error:
        typer.echo(f"percepnet eval: cannot write {error.filename or output}: {error.strerror}", err=True)
        raise typer.Exit(EXIT_SOME_FAILED) from error
    typer.echo(f"wrote {', '.join(map(str, written))}", err=True)


def _print_tables(evaluation: "Evaluation") -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(_overall_table(evaluation))
    for column, tables in evaluation.by_group.items():
        console.print(_group_table(evaluation, column, tables))
    for line in _remarks(evaluation):
        console.print(line, markup=False)


def _overall_table(evaluation: "Evaluation") -> "Table":
    from rich.table import Table

    from percepnet.evaluation.scores import METRICS

    seconds = sum(result.seconds for result in evaluation.scored)
    title = f"{evaluation.system}: {len(evaluation.scored)} files, {seconds / 60:.1f} minutes, mean ± 95 % interval"
    table = Table("", title=title, title_justify="left")
    for heading in ("noisy", "enhanced", "change", "files"):
        table.add_column(heading, justify="right")
    table.add_column("better")
    for name in evaluation.metrics:
        metric, row = METRICS[name], evaluation.overall[name]
        cells = [_cell(name, row[system], signed=system == "change") for system in ("noisy", "enhanced", "change")]
        table.add_row(metric.title, *cells, str(row["change"].n), "higher" if metric.higher_is_better else "lower")
    return table


def _group_table(evaluation: "Evaluation", column: str, tables: "dict[str, Means]") -> "Table":
    """Noisy and enhanced means; intervals are in the report."""
    from rich.table import Table

    from percepnet.evaluation.scores import METRICS

    table = Table(column, title=f"by {column}, noisy > enhanced", title_justify="left")
    table.add_column("files", justify="right")
    for name in evaluation.metrics:
        table.add_column(METRICS[name].title, justify="right")
    for value, means in tables.items():
        cells = [" > ".join(METRICS[name].show(means[name][system].mean) for system in ("noisy", "enhanced")) for name in means]
        n_files = max(row["enhanced"].n for row in means.values())
        table.add_row(value, str(n_files), *cells)
    return table


def _cell(name: str, mean: "Mean", *, signed: bool) -> str:
    from percepnet.evaluation.scores import METRICS

    text = METRICS[name].show(mean.mean, signed=signed)
    return text if mean.half_width is None else f"{text} ± {METRICS[name].show(mean.half_width)}"


def _remarks(evaluation: "Evaluation") -> Iterator[str]:
    """Delays, doubts and the worst moments."""
    delays = sorted(result.delays["enhanced"] for result in evaluation.scored if result.delays.get("enhanced"))
    if delays:
        spread = f"{delays[0]}" if delays[0] == delays[-1] else f"{delays[0]} to {delays[-1]}"
        yield f"enhanced was {spread} samples late in {len(delays)} of {len(evaluation.scored)} files; removed"
    n_notes = sum(bool(result.notes) for result in evaluation.scored)
    if n_notes:
        yield f"{n_notes} files have notes (in the report): {next(n for r in evaluation.scored for n in r.notes)}, ..."
    damaged = sorted((r for r in evaluation.scored if r.enhanced.worst), key=lambda r: -(r.enhanced.values["damage"] or 0))
    for result in damaged[:3]:
        share = 100 * (result.enhanced.values["damage"] or 0)
        moments = ", ".join(f"{start:.2f} s ({100 * lost:.0f} %)" for start, _, lost in result.enhanced.worst)
        yield f"most speech lost: {result.pair.name}, {share:.1f} %, most at {moments}"
