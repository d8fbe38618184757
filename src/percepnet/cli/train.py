"""percepnet train: shards of mixtures, and a network from them."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """Examples:

  percepnet train --shards my.toml dataset.shards=24

  percepnet train my.toml train.steps=5000

  percepnet train --pitch my.toml
"""


def train(
    config: Annotated[Path, typer.Argument(metavar="FILE.toml", help="Settings; docs/training.md begins with a small one.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="SECTION.KEY=VALUE...", help="Settings to change.")] = None,
    shards_only: Annotated[bool, typer.Option("--shards", help="Make shards of mixtures, endlessly by default.")] = False,
    pitch: Annotated[
        bool, typer.Option("--pitch", help="Trains the pitch tracker instead, on shards that are made first.")
    ] = False,
) -> None:
    """Trains a network on shards of mixtures. Make the shards first, or meanwhile, with --shards in a second process."""
    from percepnet import MissingExtraError

    try:
        from percepnet.training import pitch as pitch_training
        from percepnet.training.config import load_config
        from percepnet.training.dataset import generate
        from percepnet.training.train import train as run_training
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    try:
        settings = load_config(config, overrides or [])
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    if pitch and shards_only:
        raise typer.BadParameter("--pitch makes its own shards: leave out --shards")
    if pitch:
        pitch_training.generate(settings, typer.echo)
        pitch_training.train(settings, typer.echo)
    elif shards_only:
        generate(settings, typer.echo)
    else:
        run_training(settings, typer.echo)
