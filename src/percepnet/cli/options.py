"""What several commands share: their options, spelled once, and the numbers that commands leave with."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from percepnet.controls import PRESETS, Controls, Link, Preset
from percepnet.errors import ArgumentError, DeviceError, MissingExtraError, ModelError, PercepNetError

EXIT_FAILED: Final = 1  # of several files: some; the others are done
EXIT_USAGE: Final = 2
EXIT_DEVICE: Final = 3
EXIT_MODEL: Final = 4
EXIT_SIGNAL: Final = 128

Model: TypeAlias = Annotated[
    str, typer.Option("-m", "--model", metavar="NAME|FILE", help="A shipped model's name or a weight file.")
]
PresetOption: TypeAlias = Annotated[
    Preset, typer.Option("--preset", help="Sets what the other options leave open.", metavar="|".join(PRESETS))
]
AttenuationLimit: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "-a",
        "--attenuation-limit-db",
        "--atten-lim",
        metavar="DB",
        min=0,
        help="The most that noise is lowered; inf for no limit.",
        show_default="the preset's",
    ),
]
Dereverb: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--dereverb",
        metavar="SHARE",
        min=0,
        max=1,
        help="How much of the room goes: 0 none, 1 all but the early reflections.",
        show_default="the preset's",
    ),
]
PostFilter: TypeAlias = Annotated[
    bool | None,
    typer.Option("--post-filter/--no-post-filter", "--pf/--no-pf", help="Sharpen the gains.", show_default="the preset's"),
]
LinkOption: TypeAlias = Annotated[
    Link,
    typer.Option(
        "--link", help="linked: all channels share gains, which keeps the stereo image.", metavar="linked|independent"
    ),
]
Residual: TypeAlias = Annotated[bool, typer.Option("--residual", help="Write what is removed, instead of what is kept.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
InputFile: TypeAlias = Annotated[Path, typer.Argument(show_default=False)]


def controls(
    preset: Preset,
    attenuation_limit_db: float | None,
    dereverb: float | None,
    post_filter: bool | None,
    link: Link,
    residual: bool,
) -> Controls:
    """As Enhancer takes them."""
    return {
        "preset": preset,
        "attenuation_limit_db": attenuation_limit_db,
        "dereverb": dereverb,
        "post_filter": post_filter,
        "link": link,
        "residual": residual,
    }


def exit_code(error: PercepNetError) -> int:
    """The number that a command leaves with after such an error."""
    kinds = ((ModelError, EXIT_MODEL), (DeviceError, EXIT_DEVICE), ((ArgumentError, MissingExtraError), EXIT_USAGE))
    return next((code for kind, code in kinds if isinstance(error, kind)), EXIT_FAILED)
