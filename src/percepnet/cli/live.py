"""percepnet live: from a microphone to loudspeakers, with a meter."""

import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from percepnet.cli import options as shared
from percepnet.cli.options import AttenuationLimit, Dereverb, LinkOption, PostFilter, PresetOption, Residual

if TYPE_CHECKING:
    from percepnet.live import Live, Reading

EXAMPLES = """Examples:

  percepnet live --list-devices

  percepnet live -i USB -o headphones --preset gentle
"""
READ_S = 0.1
FLOOR_DB = -60  # where a bar is empty


def live(
    microphone: Annotated[
        str | None, typer.Option("-i", "--input", metavar="DEVICE", help="Number, name or part of it.", show_default="default")
    ] = None,
    loudspeaker: Annotated[
        str | None, typer.Option("-o", "--output", metavar="DEVICE", help="Likewise.", show_default="default")
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Print the devices and leave.")] = False,
    sample_rate: Annotated[
        int | None, typer.Option("-r", "--sample-rate", metavar="HZ", show_default="48000 if both have it")
    ] = None,
    channels: Annotated[int, typer.Option("-c", "--channels", metavar="N", min=1, max=2, help="Of the microphone.")] = 1,
    latency_ms: Annotated[
        float | None,
        typer.Option(
            "--latency", metavar="MS", min=1, help="That each device keeps; more if there are gaps.", show_default="40"
        ),
    ] = None,
    preset: PresetOption = "default",
    attenuation_limit_db: AttenuationLimit = None,
    dereverb: Dereverb = None,
    post_filter: PostFilter = None,
    link: LinkOption = "linked",
    residual: Residual = False,
    model: shared.Model = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Cleans a microphone live and plays it, until Ctrl-C; with headphones, or it hears itself. Then prints a summary."""
    from percepnet.live import Live, devices

    if list_devices:
        lines = [f"{number:3} {name} ({n_in} in, {n_out} out)" for number, name, n_in, n_out in devices()]
        typer.echo("\n".join(lines) or "no sound devices")
        return
    controls = shared.controls(preset, attenuation_limit_db, dereverb, post_filter, link, residual)
    latency_s = None if latency_ms is None else latency_ms / 1000
    with Live(microphone, loudspeaker, sample_rate, channels, latency_s, model, **controls) as session:
        error = _watch(session)
        typer.echo(_summary(session.read(), as_json))
    if error:
        typer.echo(f"percepnet live: {error}", err=True)
        raise typer.Exit(shared.EXIT_FAILED)


def _watch(session: "Live") -> str:
    """Until Ctrl-C or SIGTERM, or until a device is gone; returns the reason, empty for the signals."""
    from percepnet import DeviceError

    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have a background process ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        with _meter(session):
            while True:
                session.check()
                time.sleep(READ_S)
    except KeyboardInterrupt:
        return ""
    except DeviceError as error:
        return str(error)


def _meter(session: "Live") -> Any:
    """What shows it, if someone is watching."""
    from contextlib import nullcontext

    if not sys.stdout.isatty():
        return nullcontext()
    from rich.live import Live as Display

    title = f"{session.names[0]} to {session.names[1]}, {session.sample_rate} Hz; Ctrl-C ends it"
    return Display(get_renderable=lambda: _panel(session.read(), title), refresh_per_second=1 / READ_S, transient=True)


def _panel(reading: "Reading", title: str) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    median, late, most = reading.microseconds_per_hop
    speech = reading.speech_probability
    rows = [
        ("input", max(reading.input_db, FLOOR_DB) - FLOOR_DB, -FLOOR_DB, f"{reading.input_db:.1f} dB"),
        ("output", max(reading.output_db, FLOOR_DB) - FLOOR_DB, -FLOOR_DB, f"{reading.output_db:.1f} dB"),
        ("speech", speech or 0.0, 1.0, "not estimated" if speech is None else f"{100 * speech:.0f} %"),
        ("reduction", min(max(-reading.gain_db, 0), -FLOOR_DB), -FLOOR_DB, f"{0.0 - reading.gain_db:.1f} dB"),
        ("time", median, 10000, f"{median} us per hop, 99 % below {late + 1}, at most {most}"),
    ]
    table = Table(title=title, title_justify="left", box=None, show_header=False)
    for name, value, total, text in rows:
        table.add_row(name, ProgressBar(total=total, completed=value, width=20), text)
    table.add_row("lost", "", f"{reading.overruns} overruns, {reading.underruns} underruns")
    table.add_row("delay", "", f"{1000 * reading.latency_seconds:.0f} ms")
    return table


def _summary(reading: "Reading", as_json: bool) -> str:
    median, late, most = reading.microseconds_per_hop
    if as_json:
        times = {"median": median, "p99": late, "max": most}
        counts = {"hops": reading.hops, "overruns": reading.overruns, "underruns": reading.underruns}
        return json.dumps({**counts, "microseconds_per_hop": times, "latency_seconds": reading.latency_seconds})
    return (
        f"{reading.hops / 100:.1f} s, {median} us per hop (99 % below {late + 1}, at most {most}), "
        f"{reading.overruns} overruns, {reading.underruns} underruns, delay {1000 * reading.latency_seconds:.0f} ms"
    )
