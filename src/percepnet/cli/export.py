"""percepnet export: a checkpoint becomes a weight file."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """Examples:

  percepnet export runs/model/checkpoint.pt mine.pnw --int8

  percepnet enhance talk.wav -m mine.pnw
"""


def export(
    checkpoint: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="checkpoint.pt of a training run.")],
    output: Annotated[Path, typer.Argument(help="Weight file to write, NAME.pnw.")],
    card: Annotated[Path | None, typer.Option(help="JSON with more entries for the model card: scores, limits...")] = None,
    int8: Annotated[bool, typer.Option("--int8/--float32", help="One byte a weight, or four.")] = False,
    identity: Annotated[str, typer.Option("--id", help="Name of the model on its card.")] = "",
) -> None:
    """Writes the averaged weights of a checkpoint, after proving that the native core computes what was trained."""
    from percepnet import MissingExtraError

    try:
        from percepnet.training.export import export_checkpoint
    except ImportError as error:
        raise MissingExtraError("export", "train") from error
    difference = export_checkpoint(checkpoint, output, card, identity or output.stem, int8)
    typer.echo(f"{output}: core and PyTorch differ by {difference:.1e} at most")
