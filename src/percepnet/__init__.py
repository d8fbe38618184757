"""Real-time full-band speech enhancement."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from percepnet.enhancer import Enhancer, enhance, process_many
    from percepnet.errors import AudioFormatError, ModelError, PercepNetError
    from percepnet.walkthrough import Stages, stages
    from percepnet.weights import Model, load_model

__version__ = "0.1.0"

__all__ = [
    "AudioFormatError",
    "Enhancer",
    "Model",
    "ModelError",
    "PercepNetError",
    "Stages",
    "__version__",
    "enhance",
    "load_model",
    "process_many",
    "stages",
]

_HOMES = {
    "AudioFormatError": "percepnet.errors",
    "Enhancer": "percepnet.enhancer",
    "Model": "percepnet.weights",
    "ModelError": "percepnet.errors",
    "PercepNetError": "percepnet.errors",
    "Stages": "percepnet.walkthrough",
    "enhance": "percepnet.enhancer",
    "load_model": "percepnet.weights",
    "process_many": "percepnet.enhancer",
    "stages": "percepnet.walkthrough",
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
