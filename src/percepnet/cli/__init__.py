"""The command line: one file a command, each imported light and working heavy."""

from typing import Annotated

import typer

from percepnet import __version__
from percepnet.cli.bench import EXAMPLES as BENCH_EXAMPLES
from percepnet.cli.bench import bench
from percepnet.cli.enhance import enhance
from percepnet.cli.eval import EXAMPLES, evaluate
from percepnet.cli.export import export
from percepnet.cli.stages import stages
from percepnet.cli.studio import studio
from percepnet.cli.train import train

app = typer.Typer(help="Cleans noisy speech.", no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(enhance)
app.command()(stages)
app.command()(studio)
app.command("eval", epilog=EXAMPLES)(evaluate)
app.command(epilog=BENCH_EXAMPLES)(bench)
app.command()(train)
app.command()(export)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"percepnet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass
