"""Builds the wheels of every platform on one Linux machine, with the compiler that the Python package `ziglang` brings."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Wheel tag: CMake's names of system and processor, zig's of both with the oldest version that the tag allows.
PLATFORMS = {
    "manylinux_2_17_x86_64": ("Linux", "x86_64", "x86_64-linux-gnu.2.17"),
    "manylinux_2_17_aarch64": ("Linux", "aarch64", "aarch64-linux-gnu.2.17"),
    "macosx_11_0_arm64": ("Darwin", "arm64", "aarch64-macos.11.0"),
    "macosx_11_0_x86_64": ("Darwin", "x86_64", "x86_64-macos.11.0"),
    "win_amd64": ("Windows", "AMD64", "x86_64-windows-gnu"),
}


def build(platform: str, folder: Path) -> None:
    """Writes percepnet-VERSION-py3-none-PLATFORM.whl, of the sources as they lie here."""
    system, processor, target = PLATFORMS[platform]
    settings = {
        "CMAKE_SYSTEM_NAME": system,
        "CMAKE_SYSTEM_PROCESSOR": processor,
        "CMAKE_CXX_COMPILER": f"{sys.executable};-m;ziglang;c++;-target;{target}",
    }
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    command += [f"-Ccmake.define.{name}={value}" for name, value in settings.items()]
    # What Python itself reads where it was built for another machine: here it names the wheel.
    subprocess.run([*command, str(ROOT)], env=os.environ | {"_PYTHON_HOST_PLATFORM": platform}, check=True)


def main() -> None:
    """Builds some or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=f"default: {' '.join(PLATFORMS)}")
    arguments = parser.parse_args()
    unknown = set(arguments.platforms) - set(PLATFORMS)
    if unknown:
        parser.error(f"expected {', '.join(PLATFORMS)}, got {', '.join(sorted(unknown))}")
    for platform in arguments.platforms or PLATFORMS:
        build(platform, arguments.folder)


if __name__ == "__main__":
    main()
