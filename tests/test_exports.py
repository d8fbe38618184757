"""The public surface is exactly this."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import percepnet

PUBLIC = [
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


def test_public_names_are_exactly_these() -> None:
    assert percepnet.__all__ == PUBLIC


def test_every_public_name_resolves() -> None:
    missing = [name for name in percepnet.__all__ if getattr(percepnet, name, None) is None]

    assert missing == []


def test_every_public_name_is_in_the_reference() -> None:  # which shows what has a docstring
    things = {name: getattr(percepnet, name) for name in percepnet.__all__ if name != "__version__"}
    members = {
        f"{name}.{member}": value
        for name, thing in things.items()
        if isinstance(thing, type) and name != "Controls"
        for member, value in vars(thing).items()
        if not member.startswith("_") and (callable(value) or isinstance(value, property))
    }

    assert [name for name, value in (things | members).items() if not value.__doc__] == []


def test_dir_shows_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(percepnet))


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(percepnet, "denoise")


def test_audio_format_error_is_a_value_error() -> None:
    assert issubclass(percepnet.AudioFormatError, ValueError)


def test_package_is_typed() -> None:
    assert (Path(percepnet.__file__).parent / "py.typed").exists()


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, percepnet; print([m for m in ('numpy', 'soundfile', 'typer', 'torch') if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(Path(percepnet.__file__).parents[1])}

    loaded = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_the_engine_needs_only_numpy() -> None:
    code = "import sys, percepnet; percepnet.Enhancer; print([m for m in ('soundfile', 'typer', 'torch') if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(Path(percepnet.__file__).parents[1])}

    loaded = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_command_is_importable() -> None:
    assert callable(importlib.import_module("percepnet.__main__").main)
