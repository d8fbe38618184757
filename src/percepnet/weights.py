"""Finds, verifies and names models."""

import hashlib
import json
import threading
from collections.abc import Callable
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from percepnet import _core
from percepnet.errors import ModelError

SHIPPED = Path(__file__).parent / "models"
SUFFIX = ".pnw"


class Model:
    """A weight file, loaded. Immutable, shared by any number of enhancers on any number of threads.

    Made by load_model() or Model.from_bytes(); equal contents give the same object. Pickles with its contents.
    """

    __slots__ = ("__weakref__", "_card", "_contents", "_handle", "_sha256")

    _loaded: ClassVar[WeakValueDictionary[str, "Model"]] = WeakValueDictionary()
    _loading = threading.Lock()

    def __init__(self, contents: bytes, sha256: str) -> None:
        self._contents = contents
        self._sha256 = sha256
        self._handle = _core.ModelHandle(contents)
        self._card = self._handle.card
        try:
            if not isinstance(json.loads(self._card), dict):
                raise ModelError("the model card is not a JSON object")
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the model card is not JSON: {error}") from error

    @classmethod
    def from_bytes(cls, contents: "bytes | bytearray | memoryview") -> "Model":
        """The model in a weight file's contents; raises ModelError if they are damaged or of an unknown format."""
        contents = bytes(contents)
        sha256 = hashlib.sha256(contents).hexdigest()
        with cls._loading:
            model = cls._loaded.get(sha256)
            if model is None:
                model = cls._loaded[sha256] = cls(contents, sha256)
            return model

    @property
    def handle(self) -> _core.ModelHandle:
        """The model in the core."""
        return self._handle

    @property
    def card(self) -> dict[str, Any]:
        """A copy of the model card: id, licence, data, recipe, scores, limits."""
        card: dict[str, Any] = json.loads(self._card)
        return card

    @property
    def id(self) -> str:
        """The name on the card, which never changes its meaning."""
        return str(self.card.get("id", self._sha256[:12]))

    @property
    def licence(self) -> str:
        """The licence of the weights, or "unknown"."""
        return str(self.card.get("licence", "unknown"))

    @property
    def sha256(self) -> str:
        """Of the weight file, in hexadecimal."""
        return self._sha256

    @property
    def lookahead(self) -> int:
        """Future hops of 10 ms that the network sees."""
        return self._handle.lookahead

    @property
    def n_weights(self) -> int:
        """Trained numbers in the network."""
        return self._handle.n_weights

    @property
    def has_speech(self) -> bool:
        """Whether the model estimates the probability of speech."""
        return self._handle.has_speech

    @property
    def has_dereverb(self) -> bool:
        """Whether the user can choose how much reverberation goes."""
        return self._handle.has_dereverb

    @property
    def contents(self) -> bytes:
        """The weight file."""
        return self._contents

    @property
    def isa(self) -> str:
        """The instruction set in use, such as "avx2"; the environment variable PERCEPNET_ISA may name another."""
        return self._handle.isa

    def __repr__(self) -> str:
        return f"<percepnet model {self.id}, {self.n_weights} weights, sha256 {self._sha256[:12]}>"

    def __reduce__(self) -> tuple[Callable[[bytes], "Model"], tuple[bytes]]:
        return Model.from_bytes, (self._contents,)


def load_model(name_or_path: "str | PathLike[str] | Model" = "default") -> Model:
    """A model by the name of a shipped one, or by the path of a weight file.

    A string that is a shipped name means that model; write "./default" for a file of that name.
    """
    if isinstance(name_or_path, Model):
        return name_or_path
    if isinstance(name_or_path, str) and name_or_path in shipped_models():
        return _load_shipped(name_or_path)
    path = Path(name_or_path)
    try:
        contents = path.read_bytes()
    except FileNotFoundError as error:
        shipped = ", ".join(shipped_models()) or "none"
        raise ModelError(f"no weight file {str(path)!r}, and no shipped model of that name (shipped: {shipped})") from error
    except OSError as error:
        raise ModelError(f"cannot read weight file {str(path)!r}: {error.strerror}") from error
    try:
        return Model.from_bytes(contents)
    except ModelError as error:
        raise ModelError(f"weight file {str(path)!r}: {error}") from error


def shipped_models() -> list[str]:
    """The names that load_model() knows."""
    return sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


@cache
def _load_shipped(name: str) -> Model:
    return Model.from_bytes((SHIPPED / f"{name}{SUFFIX}").read_bytes())
