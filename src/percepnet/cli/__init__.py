"""The command line: one file a command, each imported light and working heavy."""

from collections.abc import Callable
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
from percepnet.cli.export import EXAMPLES as EXPORT_EXAMPLES
from percepnet.cli.export import export
from percepnet.cli.live import EXAMPLES as LIVE_EXAMPLES
from percepnet.cli.live import live
from percepnet.cli.mic import app as mic
from percepnet.cli.options import EXIT_FAILED, exit_code
from percepnet.cli.pipe import EXAMPLES as PIPE_EXAMPLES
from percepnet.cli.pipe import pipe
from percepnet.cli.stages import EXAMPLES as STAGES_EXAMPLES
from percepnet.cli.stages import stages
from percepnet.cli.studio import EXAMPLES as STUDIO_EXAMPLES
from percepnet.cli.studio import studio
from percepnet.cli.train import EXAMPLES as TRAIN_EXAMPLES
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


app = typer.Typer(
    cls=_Commands,
    help="Cleans noisy speech.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # whose tables cut long options on narrow terminals
)


def _add(command: Callable[..., None], name: str, summary: str, examples: str | None = None) -> None:
    """summary: for the list of commands, where 45 characters are shown."""
    app.command(name, short_help=summary, epilog=examples)(command)


_add(enhance, "enhance", "Cleans audio and video files.", ENHANCE_EXAMPLES)
_add(pipe, "pipe", "Cleans standard input.", PIPE_EXAMPLES)
_add(live, "live", "Cleans a microphone and plays it.", LIVE_EXAMPLES)
app.add_typer(mic, name="mic", short_help="A virtual microphone for Linux.")
_add(studio, "studio", "Serves a page to hear it live.", STUDIO_EXAMPLES)
_add(stages, "stages", "Shows every stage of a recording on a page.", STAGES_EXAMPLES)
_add(evaluate, "eval", "Scores recordings, noisy and enhanced.", EXAMPLES)
_add(bench, "bench", "Times the enhancement on this machine.", BENCH_EXAMPLES)
_add(doctor, "doctor", "Tells what runs here, for a report.")
_add(models, "models", "Lists and verifies models.")
_add(train, "train", "Trains a network on mixtures.", TRAIN_EXAMPLES)
_add(export, "export", "Writes a checkpoint's weight file.", EXPORT_EXAMPLES)


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
