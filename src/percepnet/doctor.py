"""What runs here: everything that a report of a fault should say, and nothing about whoever reports it."""

import base64
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, files, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from percepnet import _core, benchmark, live
from percepnet.errors import ModelError, PercepNetError
from percepnet.weights import SHIPPED, SUFFIX, Model, load_model, shipped_models

# Each extra, and a package that is there if it is.
EXTRAS: Final = {
    "media": "av",
    "ray": "ray",
    "live": "sounddevice",
    "studio": "starlette",
    "eval": "pesq",
    "train": "torch",
}
FEATURES: Final = ["sse4_2", "ssse3", "avx", "avx2", "avx_vnni", "avx512f", "avx512_vnni", "neon", "asimd", "asimddp"]
HOPS: Final = 300


def examine(with_time: bool = True) -> dict[str, Any]:
    """All that percepnet doctor prints, by name."""
    return {
        "percepnet": _core.version(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.platform()}, {platform.machine()}",
        "processor": benchmark.processor(),
        "features": processor_features(),
        "packages": {name: _version(name) for name in ("numpy", "soundfile", "typer")},
        "libsndfile": _libsndfile(),
        "models": check_models(),
        "microseconds_per_hop": _hop_times() if with_time else None,
        "extras": extras(),
        "audio": audio(),
    }


def extras() -> dict[str, str]:
    """Each extra: the version of its package, or the command that adds it."""
    return {
        extra: f"{package} {_version(package)}" if find_spec(package) else f'missing: pip install "percepnet[{extra}]"'
        for extra, package in EXTRAS.items()
    }


def check_models(names: list[str] | None = None) -> list[dict[str, Any]]:
    """One row per model, shipped ones if none is named: who it is, and "ok" or what is wrong with it."""
    return [_check_model(name) for name in (shipped_models() if names is None else names)]


def _check_model(name: str) -> dict[str, Any]:
    try:
        model = load_model(name)  # which checks the file's own checksum
    except ModelError as error:
        return {"name": name, "id": None, "sha256": None, "licence": None, "n_weights": None, "status": str(error)}
    recorded = _recorded_sha256(name)
    status = "ok" if recorded in (None, model.sha256) else f"not the file that was installed, which had sha256 {recorded}"
    facts = {"id": model.id, "sha256": model.sha256, "licence": model.licence, "n_weights": model.n_weights}
    return {"name": name, **facts, "status": status}


def _recorded_sha256(name: str) -> str | None:
    """What the installer wrote down for a shipped model; nothing where the package is used from a checkout."""
    path = SHIPPED / f"{name}{SUFFIX}"
    try:
        recorded = [entry for entry in files("percepnet") or [] if entry.name == path.name and entry.hash]
    except PackageNotFoundError:
        return None
    for entry in recorded:
        if Path(str(entry.locate())).resolve() == path.resolve() and entry.hash:
            return base64.urlsafe_b64decode(entry.hash.value + "=").hex()
    return None


def processor_features() -> list[str]:
    """Those that choose the kernel, where the system tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    present = set(text.split())
    return [feature for feature in FEATURES if feature in present]


def audio() -> dict[str, Any]:
    """What PulseAudio, or PipeWire in its place, tells of itself and its microphones; and the devices of PortAudio."""
    return {**_server(), "devices": _devices()}


def _devices() -> list[str] | str:
    try:
        return [f"{name} ({n_in} in, {n_out} out)" for _, name, n_in, n_out in live.devices()]
    except PercepNetError as error:
        return f"unknown: {error}"


def _server() -> dict[str, Any]:
    if not shutil.which("pactl"):
        return {"server": "unknown: pactl is not installed (Debian: pulseaudio-utils)", "microphones": []}
    names = [line.partition(": ")[2] for line in _pactl("info") if line.startswith("Server Name")]
    sources = [line.split("\t")[1] for line in _pactl("list", "short", "sources")]
    return {"server": names[0] if names else "none that runs", "microphones": sources}


def _pactl(*arguments: str) -> list[str]:
    try:
        result = subprocess.run(["pactl", *arguments], capture_output=True, text=True, check=False, timeout=5)  # noqa: S603, S607
    except subprocess.TimeoutExpired:
        return []
    return result.stdout.splitlines()


def _hop_times() -> dict[str, Any]:
    model: Model = load_model()
    times = benchmark.hop_times(model.handle, benchmark.signal(48000, 1), 48000, HOPS, paced=False)
    return {"kernel": model.isa, **benchmark.summary(times)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _libsndfile() -> str:
    import soundfile  # noqa: PLC0415 - the engine works without

    return str(soundfile.__libsndfile_version__)
