"""Real-time full-band speech enhancement."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from percepnet.controls import Controls
    from percepnet.enhancer import Enhancer, enhance, process_many
    from percepnet.errors import (
        ArgumentError,
        AudioFormatError,
        DeviceError,
        MissingExtraError,
        ModelError,
        PercepNetError,
    )
    from percepnet.files import FileReport, enhance_file
    from percepnet.streams import astream, stream
    from percepnet.walkthrough import Stages, stages
    from percepnet.weights import Model, load_model

__version__ = "0.12.0"

__all__ = [
    "ArgumentError",
    "AudioFormatError",
    "Controls",
    "DeviceError",
    "Enhancer",
    "FileReport",
    "MissingExtraError",
    "Model",
    "ModelError",
    "PercepNetError",
    "Stages",
    "__version__",
    "astream",
    "enhance",
    "enhance_file",
    "load_model",
    "process_many",
    "stages",
    "stream",
]

_HOMES = {
    "ArgumentError": "percepnet.errors",
    "AudioFormatError": "percepnet.errors",
    "Controls": "percepnet.controls",
    "DeviceError": "percepnet.errors",
    "Enhancer": "percepnet.enhancer",
    "FileReport": "percepnet.files",
    "MissingExtraError": "percepnet.errors",
    "Model": "percepnet.weights",
    "ModelError": "percepnet.errors",
    "PercepNetError": "percepnet.errors",
    "Stages": "percepnet.walkthrough",
    "astream": "percepnet.streams",
    "enhance": "percepnet.enhancer",
    "enhance_file": "percepnet.files",
    "load_model": "percepnet.weights",
    "process_many": "percepnet.enhancer",
    "stages": "percepnet.walkthrough",
    "stream": "percepnet.streams",
}


def __getattr__(name: str) -> object:
    # Looked up on first use, so that `percepnet --version` does not wait for NumPy and the core.
    if name not in _HOMES:
        raise AttributeError(f"module 'percepnet' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
