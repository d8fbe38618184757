"""Builds what the npm package needs beside its JavaScript: percepnet.wasm from native/, and the shipped models."""

import argparse
import gzip
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).parent
ROOT = WEB.parent
MODELS = ROOT / "src" / "percepnet" / "models"
ENGINE_BUDGET = 60_000  # bytes, gzipped

# For training and tests only; nobody needs them in a browser.
LEFT_OUT = {"c_api_stages.cpp", "oracle.cpp"}
# The arithmetic of CMakeLists.txt: the same bits everywhere.
FLAGS = (
    *("-target", "wasm32-wasi", "-mexec-model=reactor", "-msimd128", "-O3", "-std=c++17"),
    *("-fno-exceptions", "-fno-rtti", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    *("-fvisibility=hidden", "-Wl,--export-dynamic", "-Wl,--export=malloc", "-Wl,--export=free", "-Wl,--strip-all"),
)


def build_engine(target: Path) -> None:
    """Compiles the core to WebAssembly; `target` appears when it is whole."""
    sources = [path for path in sorted((ROOT / "native" / "src").glob("*.cpp")) if path.name not in LEFT_OUT]
    part = target.with_suffix(".part")
    command = [sys.executable, "-m", "ziglang", "c++", *FLAGS, "-o", part, *sources, WEB / "engine" / "door.cpp"]
    subprocess.run([str(word) for word in command], check=True)
    size = len(gzip.compress(part.read_bytes(), 9))
    if size > ENGINE_BUDGET:
        raise SystemExit(f"{target.name} has {size} bytes gzipped; the budget is {ENGINE_BUDGET}")
    part.replace(target)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size} bytes, {size} gzipped")


def copy_models(folder: Path) -> None:
    """Every model that the Python package ships, and no other."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.pnw"):
        if not (MODELS / old.name).exists():
            old.unlink()
    for model in MODELS.glob("*.pnw"):
        part = folder / f"{model.name}.part"
        shutil.copyfile(model, part)
        part.replace(folder / model.name)


def copy_sample() -> None:
    """The recording that the demonstration opens with."""
    shutil.copyfile(ROOT / "examples" / "noisy_speech.flac", WEB / "demo" / "noisy_speech.flac")


def main() -> None:
    """Builds into web/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    build_engine(WEB / "percepnet.wasm")
    copy_models(WEB / "models")
    copy_sample()


if __name__ == "__main__":
    main()
