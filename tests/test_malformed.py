"""Bad input: one line that says what is wrong, the right number to leave with, and no file that was not there before."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import percepnet
from malformed import CASES, Case, noise
from percepnet.cli import app

SOURCE = str(Path(percepnet.__file__).parents[1])


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_one_line(case: Case, tmp_path: Path) -> None:
    arguments = case.make(tmp_path)
    before = files(tmp_path)

    result = CliRunner().invoke(app, ["enhance", *map(str, arguments)])

    line = case.line.format(*arguments)
    assert (result.exit_code, result.stdout) == (case.code, "")
    assert result.stderr.startswith(line)
    assert len(result.stderr.splitlines()) == 1
    assert case.code == 0 or files(tmp_path) == before


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30


def test_every_error_is_of_one_family() -> None:
    kinds = [
        value for name in percepnet.__all__ if isinstance(value := getattr(percepnet, name), type) and name.endswith("Error")
    ]

    assert all(issubclass(kind, percepnet.PercepNetError) for kind in kinds)
    assert len(kinds) == 6


@pytest.mark.parametrize(("name", "command"), [("a.mp4", ["enhance"]), ("a.m4a", ["enhance"])])
def test_missing_extra_is_named(name: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    (tmp_path / name).write_bytes(b"x")

    result = CliRunner().invoke(app, [*command, str(tmp_path / name)])

    expected = f'{tmp_path / name}: reading and writing AAC and video needs the extra `media`: pip install "percepnet[media]"\n'
    assert (result.exit_code, result.stderr) == (1, expected)


# ---- what root may do anyway


def without_rights(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Runs `percepnet enhance` with no right to pass by permissions, which root has else."""
    command = [sys.executable, "-m", "percepnet", "enhance", *map(str, arguments)]
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv to give up rights")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=False)


def test_unreadable_file_is_one_line(tmp_path: Path) -> None:
    source = noise(tmp_path / "a.wav")
    source.chmod(0)

    result = without_rights(source)

    assert (result.returncode, result.stderr) == (1, f"{source}: cannot read: Permission denied\n")


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    source = noise(tmp_path / "a.wav")
    tmp_path.chmod(0o555)

    result = without_rights(source)

    assert (result.returncode, result.stderr) == (1, f"{source}: cannot write {tmp_path}/a.clean.wav: Permission denied\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".m4a"])
def test_full_disk_is_one_line_and_no_file(small_disk: Path, tmp_path: Path, suffix: str) -> None:
    if suffix == ".m4a":
        pytest.importorskip("av")
    source = noise(tmp_path / "a.wav", 10.0)
    target = small_disk / f"b{suffix}"

    result = CliRunner().invoke(app, ["enhance", str(source), "-o", str(target), "-a", "0"])

    assert (result.exit_code, result.stderr) == (1, f"{source}: cannot write {target}: No space left on device\n")
    assert files(small_disk) == set()


@pytest.mark.parametrize(
    "command", [["bench"], ["stages", "a.wav"], ["enhance", "a.wav"], ["pipe", "-f", "s16le"], ["mic", "install"]]
)
def test_wrong_model_is_4_in_every_command(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "-m" if command[0] != "bench" else "--model", "nowhere"])

    shipped = "(shipped: default, full, tiny)"
    expected = f"percepnet {command[0]}: no weight file 'nowhere', and no shipped model of that name {shipped}\n"
    assert (result.exit_code, result.stderr) == (4, expected)


@pytest.mark.parametrize(("command", "package"), [("train", "percepnet.training.train"), ("studio", "percepnet.studio")])
def test_command_without_its_extra_names_it(command: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delattr(percepnet, "studio", raising=False)

    result = CliRunner().invoke(app, [command, *(["x.toml"] if command == "train" else [])])

    assert (result.exit_code, f'pip install "percepnet[{command}]"' in result.stderr) == (2, True)
