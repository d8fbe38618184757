"""percepnet studio: the page to hear it, served on this machine alone."""

from typing import Annotated

import typer

EXAMPLES = """Examples:

  percepnet studio

  percepnet studio --port 0 --no-browse
"""
EXIT_FAILED = 1


def studio(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8480,
    browse: Annotated[bool, typer.Option("--browse/--no-browse", help="Open the page in the browser.")] = True,
) -> None:
    """Serves a page to hear and see the enhancement live, from a microphone or a file; nothing leaves this machine."""
    from percepnet import MissingExtraError, PercepNetError

    try:
        from percepnet import studio as page
    except ImportError as error:
        raise MissingExtraError("studio", "studio") from error

    try:
        page.serve(port, lambda address: _tell(address, browse))
    except (PercepNetError, OSError) as error:
        typer.echo(f"percepnet studio: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error


def _tell(address: str, browse: bool) -> None:
    typer.echo(f"{address}  (Ctrl-C ends it)")
    if browse:
        import webbrowser

        webbrowser.open(address)
