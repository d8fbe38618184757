"""The command line: one file a command, each imported light and working heavy."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from percepnet import PercepNetError, __version__
from percepnet.cli.bench import EXAMPLES as BENCH_EXAMPLES
from percepnet.cli.bench import bench
from percepnet.cli.doctor import doctor, models
from percepnet.cli.enhance import EXAMPLES as ENHANCE_EXAMPLES
from percepnet.cli.enhance import enhance
from percepnet.cli.eval import EXAMPLES, evaluate
from percepnet.cli.export import export
from percepnet.cli.live import EXAMPLES as LIVE_EXAMPLES
from percepnet.cli.live import live
from percepnet.cli.mic import app as mic
from percepnet.cli.options import EXIT_FAILED, exit_code
from percepnet.cli.pipe import EXAMPLES as PIPE_EXAMPLES
from percepnet.cli.pipe import pipe
from percepnet.cli.stages import stages
from percepnet.cli.studio import studio
from percepnet.cli.train import train


class _Commands(TyperGroup):
    """Every failure that is reported on purpose becomes one line on stderr, and a number to leave with."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PercepNetError as error:
            typer.echo(f"percepnet {ctx.invoked_subcommand}: {error}", err=True)
            raise typer.Exit(exit_code(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:  # above all: no room where standard output goes
            typer.echo(f"percepnet {ctx.invoked_subcommand}: {error}", err=True)
            raise typer.Exit(EXIT_FAILED) from error


app = typer.Typer(cls=_Commands, help="Cleans noisy speech.", no_args_is_help=True, pretty_exceptions_enable=False)
app.command(epilog=ENHANCE_EXAMPLES)(enhance)
app.command(epilog=PIPE_EXAMPLES)(pipe)
app.command(epilog=LIVE_EXAMPLES)(live)
app.command()(stages)
app.command()(studio)
app.command("eval", epilog=EXAMPLES)(evaluate)
app.command(epilog=BENCH_EXAMPLES)(bench)
app.add_typer(mic, name="mic")
app.command()(doctor)
app.command()(models)
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
