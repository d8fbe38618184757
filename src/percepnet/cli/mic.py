"""percepnet mic: a virtual microphone on Linux."""

import json
import signal
from typing import Annotated, Any

import typer

from percepnet.cli import options as shared
from percepnet.cli.options import AttenuationLimit, Dereverb, PostFilter, PresetOption

app = typer.Typer(help="A virtual microphone for Linux: cleans a real one, for every program.", no_args_is_help=True)

Input = Annotated[
    str | None, typer.Option("-i", "--input", metavar="SOURCE", help="See `pactl list short sources`.", show_default="default")
]


@app.command()
def install(
    microphone: Input = None,
    preset: PresetOption = "default",
    attenuation_limit_db: AttenuationLimit = None,
    dereverb: Dereverb = None,
    post_filter: PostFilter = None,
    model: shared.Model = "default",
) -> None:
    """Makes the microphone `percepnet`, until uninstall or the end of the sound server. Needs no rights."""
    from percepnet import Enhancer
    from percepnet import microphone as mic

    controls = shared.controls(preset, attenuation_limit_db, dereverb, post_filter, "linked", residual=False)
    Enhancer(model=model, **controls).close()  # an error here, not in the process
    arguments = ["--preset", preset, "-m", model]
    arguments += [] if attenuation_limit_db is None else ["-a", str(attenuation_limit_db)]
    arguments += [] if dereverb is None else ["--dereverb", str(dereverb)]
    arguments += [] if post_filter is None else ["--post-filter" if post_filter else "--no-post-filter"]
    state = mic.install(microphone, arguments)
    typer.echo(f"choose the microphone {mic.DESCRIPTION!r} in your programs; it cleans {state.microphone}")


@app.command()
def status(as_json: shared.Json = False) -> None:
    """Tells whether it is there, what it cleans and how it does. Leaves with 1 if it is not there."""
    from percepnet import microphone as mic

    state = mic.installed()
    found = mic.statistics() if state else {}
    if as_json:
        typer.echo(json.dumps({"installed": state is not None, "microphone": state and state.microphone, **found}))
    elif state:
        hop: Any = found.get("microseconds_per_hop", {})
        typer.echo(
            f"cleans {state.microphone}: {found.get('hops', 0)} hops, {found.get('overruns', 0)} overruns, "
            f"{hop.get('mean')} us per hop, at most {hop.get('max')}"
        )
    else:
        typer.echo("not installed")
    if state is None:
        raise typer.Exit(shared.EXIT_FAILED)


@app.command()
def uninstall() -> None:
    """Takes it away again."""
    from percepnet import microphone as mic

    typer.echo("uninstalled" if mic.uninstall() else "it was not installed")


@app.command(hidden=True)
def run(
    microphone: Annotated[str, typer.Option("-i", "--input")],
    preset: PresetOption = "default",
    attenuation_limit_db: AttenuationLimit = None,
    dereverb: Dereverb = None,
    post_filter: PostFilter = None,
    model: shared.Model = "default",
) -> None:
    """Feeds it; install starts this."""
    from percepnet import microphone as mic

    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    controls = shared.controls(preset, attenuation_limit_db, dereverb, post_filter, "linked", residual=False)
    mic.run(microphone, model, controls, lambda: not stop)
