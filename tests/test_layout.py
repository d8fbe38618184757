"""Who may use whom. The tables are the architecture: a new arrow is a decision, made here."""

import ast
import re
from pathlib import Path

import pytest

from percepnet import _core

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "percepnet"
NATIVE = ROOT / "native" / "src"

# ---- Python: file or folder -> the package's own modules it may import ("percepnet": the public names)
PYTHON = {
    "errors": set(),
    "_core": {"errors"},
    "weights": {"_core", "errors"},
    "controls": {"errors"},
    "enhancer": {"_core", "controls", "errors", "weights"},
    "output": set(),
    "audio": {"_core", "errors", "output"},
    "measurement": set(),
    "media": {"audio", "errors", "output"},
    "pcm": {"audio", "errors"},
    "streams": {"controls", "enhancer", "weights"},
    "files": {"audio", "controls", "enhancer", "errors", "measurement", "media", "weights"},
    "batch": {"controls", "enhancer", "files", "jobs", "weights"},
    "jobs": {"controls", "errors", "files", "weights"},
    "metrics": {"_core", "enhancer", "audio", "errors"},
    "benchmark": {"_core", "errors", "weights"},
    "priority": set(),
    "microphone": {"controls", "enhancer", "errors", "priority"},
    "live": {"controls", "enhancer", "errors", "priority", "weights"},
    "doctor": {"_core", "benchmark", "errors", "live", "percepnet", "weights"},
    "page": {"_core", "errors"},
    "studio": {"errors"},
    "walkthrough": {"_core", "audio", "enhancer", "errors", "metrics", "output", "page", "weights"},
    "training": {"_core", "audio", "weights", "metrics", "errors", "output", "training", "percepnet"},
    "evaluation": {"controls", "errors", "evaluation", "files", "metrics", "output", "percepnet"},
    "cli": {
        "audio",
        "benchmark",
        "cli",
        "controls",
        "doctor",
        "evaluation",
        "metrics",
        "walkthrough",
        "errors",
        "files",
        "jobs",
        "live",
        "microphone",
        "pcm",
        "percepnet",
    },
    "cli/__init__": {"cli", "percepnet"},
    "cli/studio": {"studio", "percepnet"},
    "cli/train": {"audio", "metrics", "errors", "percepnet", "training"},
    "cli/export": {"audio", "metrics", "errors", "percepnet", "training"},
    "__init__": {"controls", "enhancer", "errors", "files", "streams", "walkthrough", "weights"},
    "__main__": {"cli", "percepnet"},
}
HEAVY = {"torch", "pyroomacoustics", "matplotlib"}

# ---- C++: file -> the core's own headers it may include, besides its own and those that know no audio
FREE = {"constants", "dot", "elementary", "guarded", "kernels", "lanes", "one_pole", "version"}
STAGES = {
    "analysis",
    "bands",
    "comb",
    "dc_blocker",
    "features",
    "gains",
    "pitch",
    "pitch_cues",
    "postfilter",
    "resampler",
    "synthesis",
}
CPP = {
    "constants": {"../include/percepnet"},
    "dot": set(),
    "lanes": set(),
    "one_pole": set(),
    "guarded": set(),
    "elementary": set(),
    "version": set(),
    "fft": set(),
    "history": set(),
    "frame": {"comb", "fft"},
    "analysis": {"fft"},
    "bands": {"fft"},
    "comb": {"history"},
    "dc_blocker": set(),
    "features": {"frame"},
    "gains": {"frame", "bands"},
    "pitch": {"history"},
    "postfilter": set(),
    "resampler": set(),
    "synthesis": {"fft", "analysis"},  # the window is one
    "kernels": {"kernels_arm", "kernels_generic", "kernels_wasm", "kernels_x86"},
    "kernels_arm": {"kernels_generic"},
    "kernels_generic": set(),
    "kernels_wasm": {"kernels_generic"},
    "kernels_x86": {"kernels_generic"},
    "affine": set(),
    "layers": {"affine"},
    "weights": set(),
    "layer_reader": {"layers", "weights"},
    "network": {"layers", "layer_reader", "weights"},
    "pitch_cues": {"fft", "pitch"},
    "tracker": {"layers", "layer_reader", "pitch_cues", "weights"},
    "model": {"network", "tracker", "weights"},
    "front_end": {"dc_blocker", "analysis", "bands", "tracker", "comb", "features", "frame", "history"},
    "oracle": {"front_end", "analysis", "bands"},
    "channel": {"front_end", "model", "gains", "postfilter", "synthesis"},
    "enhancer": {"channel", "resampler"},
    "c_api": {"../include/percepnet", "enhancer"},
    "c_api_stages": {"../include/percepnet_stages", "c_api", "enhancer", "front_end", "model", "oracle", *STAGES},
}

PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
CPP_FILES = sorted([*NATIVE.glob("*.h"), *NATIVE.glob("*.cpp")])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Dotted names of everything a Python file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return names


def own_imports(path: Path) -> set[str]:
    """The package's own modules among them, by the names of the table."""
    own = set()
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "percepnet":
            is_module = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").exists())
            own.add(parts[1] if is_module else "percepnet")
    return own


def row_for(path: Path) -> set[str]:
    module = path.relative_to(PACKAGE).with_suffix("").as_posix()
    return PYTHON[module] if module in PYTHON else PYTHON[module.split("/")[0]]


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)
def test_python_imports_follow_the_table(path: Path) -> None:
    assert own_imports(path) <= row_for(path)


@pytest.mark.parametrize("path", [p for p in PYTHON_FILES if "training" not in p.parts], ids=name_of)
def test_heavy_packages_stay_in_training(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & HEAVY


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "reference").glob("*.py")), ids=name_of)
def test_reference_shares_no_code(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}

    assert roots <= {"", "numpy", "reference", "__future__", "collections", "dataclasses", "math", "typing"}


@pytest.mark.parametrize("path", CPP_FILES, ids=name_of)
def test_cpp_includes_follow_the_table(path: Path) -> None:
    included = {name.removesuffix(".h") for name in re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8"))}

    assert included <= CPP[path.stem] | FREE | {path.stem}


@pytest.mark.parametrize("path", CPP_FILES, ids=name_of)
def test_core_uses_no_mathematics_of_the_platform(path: Path) -> None:
    text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    names = "exp2?|expm1|log(?:2|10|1p)?|pow|sin|cos|tan|sinh|cosh|tanh|atan2?|asin|acos|cbrt|hypot|fma"

    assert re.findall(rf"(?:\bstd::|(?<!\w)::)(?:{names})f?\(|(?<![\w:.])(?:{names})f\(", text) == []


@pytest.mark.parametrize("path", [*PYTHON_FILES, *CPP_FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=name_of)
def test_no_debris(path: Path) -> None:
    debris = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|^\s*#if [01]\b", re.MULTILINE)

    assert not debris.findall(path.read_text(encoding="utf-8"))


def test_python_constants_are_those_of_the_header() -> None:
    header = (ROOT / "native" / "include" / "percepnet.h").read_text(encoding="utf-8").split("typedef")[0]
    constants = {name: int(value) for name, value in re.findall(r"PERCEPNET_([A-Z_]+) = (\d+)", header)}

    assert constants == {name: getattr(_core, name) for name in constants}
