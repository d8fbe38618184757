"""What can go wrong, by name."""

__all__ = ["ArgumentError", "AudioFormatError", "DeviceError", "MissingExtraError", "ModelError", "PercepNetError", "require"]

from importlib import import_module
from types import ModuleType


class PercepNetError(Exception):
    """Any failure that percepnet reports on purpose."""


class ModelError(PercepNetError):
    """A weight file that is missing, damaged or of an unknown format."""


class AudioFormatError(PercepNetError, ValueError):
    """Audio of a shape, type, rate or file format that cannot be processed."""


class ArgumentError(PercepNetError, ValueError):
    """A setting out of its range."""


class DeviceError(PercepNetError):
    """A sound device or sound server that is missing, busy or gone."""


class MissingExtraError(PercepNetError, ImportError):
    """Something that a base installation lacks; the message has the command that adds it."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f'{purpose} needs the extra `{extra}`: pip install "percepnet[{extra}]"')


def require(module: str, purpose: str, extra: str) -> ModuleType:
    """Imports a package that comes with an extra, or raises MissingExtraError."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(purpose, extra) from error
