"""What can go wrong, by name."""

__all__ = ["AudioFormatError", "ModelError", "PercepNetError"]


class PercepNetError(Exception):
    """Any failure that percepnet reports on purpose."""


class ModelError(PercepNetError):
    """A weight file that is missing, damaged or of an unknown format."""


class AudioFormatError(PercepNetError, ValueError):
    """Audio of a shape, type, rate or file format that cannot be processed."""
