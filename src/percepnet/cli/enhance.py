"""percepnet enhance: cleans files and folders."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from percepnet.cli import options as shared
from percepnet.cli.options import AttenuationLimit, Dereverb, LinkOption, PostFilter, PresetOption, Residual

if TYPE_CHECKING:
    from percepnet.files import FileReport
    from percepnet.jobs import Found, Job

EXAMPLES = """Examples:

  percepnet enhance talk.wav

  percepnet enhance corpus/ -o cleaned/ -j 8 --skip-existing --json >> report.jsonl

  percepnet enhance 'corpus/**/*.flac' -o cleaned/ --format opus --preset gentle

  percepnet enhance --manifest corpus.jsonl --shard 3/8 -o cleaned/
"""


def enhance(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IN...",
            help="Audio files, folders, or patterns such as 'in/**/*.wav'.",
            show_default=False,
            readable=False,  # not checked here: one that is not is one failed file of many
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="File, or folder for <stem>.clean<suffix>.", show_default="beside IN"
        ),
    ] = None,
    preset: PresetOption = "default",
    attenuation_limit_db: AttenuationLimit = None,
    dereverb: Dereverb = None,
    post_filter: PostFilter = None,
    link: LinkOption = "linked",
    residual: Residual = False,
    model: shared.Model = "default",
    file_format: Annotated[
        str | None, typer.Option("--format", metavar="SUFFIX", help="wav, flac, opus, mp3, ...", show_default="the input's")
    ] = None,
    subtype: Annotated[
        str | None,
        typer.Option("--subtype", metavar="ENCODING", help="Encoding: PCM_16, PCM_24, FLOAT, ...", show_default="the input's"),
    ] = None,
    n_jobs: Annotated[int, typer.Option("-j", "--jobs", metavar="N", min=0, help="Processes; 0: one per core.")] = 1,
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Leave out files whose output exists.")] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help='More inputs: a JSON object with "audio_filepath" a line.', show_default=False),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="i/N", help="Every N-th input from the i-th on, i from 1 to N.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file, when it is done.")] = False,
) -> None:
    """Cleans audio and video files: same format, rate, channels, length and title out as in."""
    from percepnet import Enhancer, jobs, load_model

    loaded = load_model(model)
    controls = shared.controls(preset, attenuation_limit_db, dereverb, post_filter, link, residual)
    Enhancer(model=loaded, **controls).close()  # an error now, not once per file
    suffix = None if file_format is None else f".{file_format.lower().lstrip('.')}"
    todo = jobs.plan(_inputs(inputs or [], manifest, shard), output, suffix, residual, skip_existing)
    settings = jobs.Options(loaded, subtype, skip_existing, controls)
    n_failed = 0
    with _stoppable() as check_stop, _terminal(len(todo), check_stop) as terminal:
        for report in jobs.run(todo, settings, n_jobs or os.cpu_count() or 1, terminal):
            terminal.tell(report)
            n_failed += report.status == "failed"
            if as_json:
                typer.echo(json.dumps(report.as_dict()))
    if n_failed:
        raise typer.Exit(shared.EXIT_FAILED)


def _inputs(inputs: list[Path], manifest: Path | None, shard: str | None) -> "list[Found]":
    from percepnet import ArgumentError, jobs

    found = jobs.find(inputs) + ([] if manifest is None else jobs.read_manifest(manifest))
    if not inputs and manifest is None:
        raise ArgumentError("expected files, folders or --manifest; see percepnet enhance --help")
    return found if shard is None else jobs.shard(found, shard)


# ---- the terminal --------------------------------------------------------------------------------------------------


class _Terminal:
    """Where lines and progress go: stderr, with bars if someone is watching. A jobs.Watcher."""

    def __init__(self, bars: Any, n_files: int, check: Callable[[], None]) -> None:
        self._bars = bars
        self._check = check
        self._all = bars.add_task("all files", total=n_files) if bars and n_files > 1 else None
        self._workers: dict[int, Any] = {}

    def started(self, worker: int, job: "Job") -> None:
        if self._bars:
            from rich.markup import escape

            if worker not in self._workers:
                self._workers[worker] = self._bars.add_task("", total=None)
            self._bars.reset(self._workers[worker], description=escape(job.source.name), total=None)

    def advanced(self, worker: int, done: int, total: int) -> None:
        if self._bars:
            self._bars.update(self._workers[worker], completed=done, total=total)

    def check(self) -> None:
        self._check()

    def tell(self, report: "FileReport") -> None:
        if report.error:
            self._say(f"{report.input}: {report.error}")
        if report.invalid_samples:
            self._say(
                f"{report.input}: {report.invalid_samples} samples were NaN or infinite and were replaced by 0; "
                f"the first is sample {report.first_invalid_sample}"
            )
        if self._bars and report.status == "ok":
            self._say(f"wrote {report.output}")
        if self._all is not None:
            self._bars.advance(self._all)

    def _say(self, line: str) -> None:
        if self._bars is None:
            typer.echo(line, err=True)
        else:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _terminal(n_files: int, check: Callable[[], None]) -> Iterator[_Terminal]:
    if not sys.stderr.isatty():
        yield _Terminal(None, n_files, check)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        yield _Terminal(bars, n_files, check)


@contextmanager
def _stoppable() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM stop between two blocks, where partial output can be removed; a second one stops at once."""
    received: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)

    def remember(number: int, _: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, previous[signal.Signals(number)])

    def check_stop() -> None:
        if received:
            raise typer.Exit(shared.EXIT_SIGNAL + received[0])

    previous = {number: signal.signal(number, remember) for number in signals}
    try:
        yield check_stop
    finally:
        for number in signals:
            signal.signal(number, previous[number])
