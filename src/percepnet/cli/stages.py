"""percepnet stages: one page to hear and see every stage of a recording."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from percepnet.cli import options as shared

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from percepnet import Stages


EXIT_FAILED = 1
EXIT_USAGE = 2
EXAMPLES = """Examples:

  percepnet stages talk.wav

  percepnet stages noisy.wav --clean clean.wav -o page.html --start 60 --duration 20
"""
LONGEST_S = 600.0  # 14 MB a minute: more than that is no page


def stages(
    noisy: Annotated[Path, typer.Argument(metavar="NOISY", help="Audio file.", show_default=False)],
    clean: Annotated[
        Path | None, typer.Option("--clean", metavar="CLEAN", help="The same without noise: adds the oracle stages and scores.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.html", show_default="NOISY's name and .stages.html")
    ] = None,
    model: shared.Model = "default",
    channel: Annotated[int | None, typer.Option(min=0, help="The one to show, from 0.", show_default="mean of all")] = None,
    start_s: Annotated[float, typer.Option("--start", metavar="SECONDS", min=0, help="Where to begin.")] = 0.0,
    duration_s: Annotated[
        float | None, typer.Option("--duration", metavar="SECONDS", min=0.1, help="How much to show.", show_default="all")
    ] = None,
    scores: Annotated[bool, typer.Option("--scores/--no-scores", help="Scores take longer than all the rest.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print notes and scores as a JSON object.")] = False,
) -> None:
    """Writes one HTML page with every stage of a recording, to hear and to see. It needs no network."""
    from percepnet import PercepNetError, load_model
    from percepnet import stages as take_through

    target = output or noisy.with_name(f"{noisy.stem}.stages.html")
    _refuse_input(target, [noisy, *([clean] if clean else [])])
    loaded = load_model(model)
    try:
        samples, sample_rate = _read(noisy, start_s, duration_s)
        clean_samples = None if clean is None else _read_like(clean, start_s, duration_s, sample_rate)
        result = take_through(samples, sample_rate, clean_samples, model=loaded, channel=channel, with_scores=scores)
        _write(result, target, noisy.name)
    except (PercepNetError, ValueError) as error:
        raise _failed(f"{noisy}: {error}", EXIT_FAILED) from error
    for note in result.notes:
        typer.echo(f"{noisy}: {note}", err=True)
    if as_json:
        typer.echo(json.dumps(_report(result, noisy, target)))


def _failed(message: str, code: int) -> typer.Exit:
    typer.echo(f"percepnet stages: {message}", err=True)
    return typer.Exit(code)


def _refuse_input(target: Path, inputs: list[Path]) -> None:
    from percepnet.files import same_file

    if any(same_file(target, path) for path in inputs):
        raise _failed(f"{target} is an input and would be overwritten; name another output", EXIT_USAGE)


def _read(path: Path, start_s: float, duration_s: float | None) -> "tuple[npt.NDArray[np.float32], int]":
    """(channels, samples) of the part of a file that is wanted, and its rate."""
    import numpy as np

    from percepnet import AudioFormatError
    from percepnet.files import open_source

    with open_source(path) as reader:
        sample_rate, n_samples = reader.sample_rate, reader.n_samples
        first = round(min(start_s * sample_rate, n_samples))
        last = n_samples if duration_s is None else round(min(n_samples, first + duration_s * sample_rate))
        if first >= n_samples:
            raise AudioFormatError(f"has only {n_samples / sample_rate:.2f} s, and --start is {start_s:g} s")
        if last - first > LONGEST_S * sample_rate:
            raise AudioFormatError(
                f"{(last - first) / sample_rate:.0f} s are too long for a page; choose at most {LONGEST_S:.0f} s of them with "
                "--start and --duration"
            )
        blocks, position = [], 0
        for block in reader.blocks():
            blocks.append(block[:, max(first - position, 0) : last - position].copy() if position < last else block[:, :0])
            position += block.shape[1]
    return np.concatenate(blocks, axis=1), sample_rate


def _read_like(clean: Path, start_s: float, duration_s: float | None, sample_rate: int) -> Any:
    """The clean file, which must have the same rate."""
    from percepnet import AudioFormatError, PercepNetError

    try:
        samples, clean_rate = _read(clean, start_s, duration_s)
    except PercepNetError as error:
        raise AudioFormatError(f"its clean file {clean}: {error}") from error
    if clean_rate != sample_rate:
        raise AudioFormatError(f"has {sample_rate} Hz, but {clean} has {clean_rate} Hz; resample one of them")
    return samples


def _write(result: "Stages", target: Path, title: str) -> None:
    from percepnet import PercepNetError

    try:
        result.to_html(target, title)
    except OSError as error:
        raise PercepNetError(f"cannot write {target}: {error.strerror}") from error


def _report(result: "Stages", noisy: Path, target: Path) -> dict[str, Any]:
    scores = {
        stage: {metric: value if math.isfinite(value) else None for metric, value in row.items()}
        for stage, row in result.scores.items()
    }
    model = {"model": result.model.id, "model_sha256": result.model.sha256}
    return {"input": str(noisy), "output": str(target), **model, "notes": result.notes, "scores": scores}
