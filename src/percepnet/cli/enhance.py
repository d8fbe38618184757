"""percepnet enhance: cleans audio files."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from percepnet import Enhancer, Model

EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_SIGNAL = 128


def enhance(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Audio files.", show_default=False)],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="File, or folder for <stem>.clean<suffix>.", show_default="beside IN"
        ),
    ] = None,
    attenuation_limit_db: Annotated[
        float | None,
        typer.Option("-a", "--atten-lim", metavar="DB", min=0, help="The most that noise is lowered.", show_default="no limit"),
    ] = None,
    dereverb: Annotated[
        float, typer.Option("--dereverb", metavar="SHARE", min=0, max=1, help="How much of the room goes: 0 none, 1 all.")
    ] = 1.0,
    post_filter: Annotated[bool, typer.Option("--post-filter/--no-post-filter", help="Sharpen the gains.")] = True,
    model: Annotated[str, typer.Option("-m", "--model", help="A shipped model's name or a weight file.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file.")] = False,
) -> None:
    """Cleans audio files: same format, rate, channels, length and metadata out as in."""
    from percepnet import Enhancer, ModelError, load_model

    try:
        loaded = load_model(model)
        Enhancer(model=loaded, attenuation_limit_db=attenuation_limit_db).close()
    except (ModelError, ValueError) as error:
        raise _usage(str(error)) from error

    def stream(sample_rate: int, channels: int) -> "Enhancer":
        return Enhancer(sample_rate, channels, loaded, attenuation_limit_db, post_filter, dereverb=dereverb)

    targets = _plan(inputs, output)
    with _terminal() as terminal, _stoppable() as check_stop:
        reports = [_enhance_one(source, target, stream, terminal, check_stop) for source, target in targets.items()]
    if as_json:
        for report in reports:
            typer.echo(json.dumps(report.as_dict(loaded)))
    if any(report.error for report in reports):
        raise typer.Exit(EXIT_SOME_FAILED)


# ---- what goes where -----------------------------------------------------------------------------------------------


def _usage(message: str) -> typer.Exit:
    typer.echo(f"percepnet enhance: {message}", err=True)
    return typer.Exit(EXIT_USAGE)


def _plan(inputs: list[Path], output: str | None) -> dict[Path, Path]:
    """Where each input's result goes; refuses, before any work, what would overwrite something that matters."""
    inputs = list(dict.fromkeys(inputs))
    into_folder = output is not None and (len(inputs) > 1 or output.endswith(("/", os.sep)) or Path(output).is_dir())
    if into_folder and Path(str(output)).exists() and not Path(str(output)).is_dir():
        raise _usage(f"{output} is not a folder, which several inputs need")
    targets: dict[Path, Path] = {}
    for source in inputs:
        name = f"{source.stem}.clean{source.suffix}"
        target = source.with_name(name) if output is None else Path(output) / name if into_folder else Path(output)
        if any(target.resolve() == other.resolve() for other in targets.values()):
            raise _usage(f"two inputs would both be written to {target}; clean them one at a time")
        if any(_same_file(target, other) for other in inputs):
            raise _usage(f"{target} is an input and would be overwritten; name another output")
        targets[source] = target
    if into_folder:
        _make_folder(Path(str(output)))
    return targets


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return one.resolve() == other.resolve()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        typer.echo(f"percepnet enhance: cannot make folder {folder}: {error.strerror}", err=True)
        raise typer.Exit(EXIT_SOME_FAILED) from error


# ---- the work ------------------------------------------------------------------------------------------------------


@dataclass
class _Report:
    """What happened to one file."""

    source: Path
    target: Path
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self, model: "Model") -> dict[str, Any]:
        return {
            "input": str(self.source),
            "output": None if self.error else str(self.target),
            "status": "failed" if self.error else "ok",
            "error": self.error or None,
            **self.facts,
            "model": model.id,
            "model_sha256": model.sha256,
        }


def _enhance_one(
    source: Path,
    target: Path,
    stream: "Callable[[int, int], Enhancer]",
    terminal: "_Terminal",
    check_stop: Callable[[], None],
) -> _Report:
    from percepnet import PercepNetError

    report = _Report(source, target)
    start = time.perf_counter()
    try:
        _copy_enhanced(report, stream, terminal, check_stop)
    except PercepNetError as error:
        report.error = str(error)
        terminal.say(f"{source}: {error}")
    else:
        if report.facts["invalid_samples"]:
            terminal.say(
                f"{source}: {report.facts['invalid_samples']} samples were NaN or infinite and were replaced by 0; "
                f"the first is sample {report.facts['first_invalid_sample']}"
            )
    report.facts["seconds"] = round(time.perf_counter() - start, 3)
    return report


def _copy_enhanced(
    report: _Report, stream: "Callable[[int, int], Enhancer]", terminal: "_Terminal", check_stop: Callable[[], None]
) -> None:
    from percepnet.audio import AudioReader, AudioWriter

    with ExitStack() as stack:
        reader = stack.enter_context(AudioReader(report.source))
        enhancer = stack.enter_context(stream(reader.sample_rate, reader.channels))
        writer = stack.enter_context(AudioWriter(report.target, reader))
        advance = stack.enter_context(terminal.progress(report.source.name, reader.n_samples))
        for block in reader.blocks(writer.dtype):
            check_stop()
            writer.write(enhancer.process(block))
            advance(block.shape[-1])
        report.facts = {
            "sample_rate": reader.sample_rate,
            "channels": reader.channels,
            "samples": reader.n_samples,
            "invalid_samples": enhancer.invalid_samples,
            "first_invalid_sample": enhancer.first_invalid_sample,
        }
        writer.write(enhancer.flush())
        check_stop()


# ---- the terminal --------------------------------------------------------------------------------------------------


class _Terminal:
    """Where lines and progress go: stderr, with a bar if someone is watching."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars

    def say(self, line: str) -> None:
        if self._bars is None:
            typer.echo(line, err=True)
        else:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        if self._bars is None:
            yield lambda _: None
            return
        task = self._bars.add_task(name, total=total)
        yield lambda n: self._bars.advance(task, n)


@contextmanager
def _terminal() -> Iterator[_Terminal]:
    if not sys.stderr.isatty():
        yield _Terminal(None)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        yield _Terminal(bars)


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
            raise typer.Exit(EXIT_SIGNAL + received[0])

    previous = {number: signal.signal(number, remember) for number in signals}
    try:
        yield check_stop
    finally:
        for number in signals:
            signal.signal(number, previous[number])
