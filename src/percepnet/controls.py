"""The settings that people turn: one spelling in Python, on the command line and in C; and presets, which set several."""

import math
from typing import Final, Literal, NamedTuple, TypeAlias, TypedDict

from percepnet.errors import ArgumentError

Link: TypeAlias = Literal["linked", "independent"]
Preset: TypeAlias = Literal["default", "gentle", "strong", "asr"]


class Controls(TypedDict, total=False):
    """What every way in accepts, and Enhancer documents. None stands for the preset's value."""

    preset: Preset
    attenuation_limit_db: float | None
    dereverb: float | None
    post_filter: bool | None
    link: Link
    residual: bool


class Settings(NamedTuple):
    """What a preset sets.

    attenuation_limit_db: the most that is taken away from noise, in dB; infinity for no limit
    post_filter: sharpen the gains
    dereverb: how much of the room's reverberation is taken away, 0 to 1
    """

    attenuation_limit_db: float
    post_filter: bool
    dereverb: float


PRESETS: Final[dict[Preset, Settings]] = {
    "default": Settings(math.inf, True, 1.0),  # as the model was scored
    "gentle": Settings(12.0, False, 0.5),  # noise stays, four times quieter, and hides what processing does to the voice
    "strong": Settings(math.inf, True, 1.0),  # all that the model can do, whatever the default may become
    "asr": Settings(10.0, False, 0.0),  # recognisers are trained on noise and rooms, not on what a post-filter leaves
}


def resolve(preset: Preset, attenuation_limit_db: float | None, post_filter: bool | None, dereverb: float | None) -> Settings:
    """The preset's settings, but for those that are given. Raises ArgumentError where one is out of range."""
    if preset not in PRESETS:
        raise ArgumentError(f"expected preset {', '.join(map(repr, PRESETS))}, got {preset!r}")
    base = PRESETS[preset]
    return Settings(
        base.attenuation_limit_db if attenuation_limit_db is None else check_limit(attenuation_limit_db),
        base.post_filter if post_filter is None else bool(post_filter),
        base.dereverb if dereverb is None else check_share("dereverb", dereverb),
    )


def check_limit(limit_db: float) -> float:
    """A limit in dB, 0 or more."""
    limit = _number(limit_db)
    if not limit >= 0:
        raise ArgumentError(f"expected attenuation_limit_db of 0 or more, math.inf for no limit, got {limit_db!r}")
    return limit


def _number(value: float) -> float:
    """NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def check_share(name: str, value: float) -> float:
    """A share, 0 to 1."""
    share = _number(value)
    if not 0 <= share <= 1:
        raise ArgumentError(f"expected {name} of 0 to 1, got {value!r}")
    return share


def check_link(link: Link) -> Link:
    """One of the two."""
    if link not in ("linked", "independent"):
        raise ArgumentError(f"expected link 'linked' or 'independent', got {link!r}")
    return link
