"""The wheel for Windows, made on Linux, in Wine: the same samples as here, and the things that Windows does in its own way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from test_wheel import built, expected_samples, samples_of
from windows import PACKAGES, Windows

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "examples" / "noisy_speech.flac"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    with Windows(tmp_path_factory.mktemp("windows")) as machine:
        machine.install(*PACKAGES, built("win_amd64", tmp_path_factory.mktemp("wheel")))
        yield machine


def percepnet(machine: Windows, *arguments: object, cwd: Path, contents: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return machine.run(machine.python, "-m", "percepnet", *arguments, cwd=cwd, contents=contents)


def test_file_gets_the_same_samples(machine: Windows, tmp_path: Path) -> None:
    name = "\u97f3 \u00fc.flac"  # in no code page of Windows
    shutil.copy(SAMPLE, tmp_path / name)

    result = percepnet(machine, "enhance", name, "--json", cwd=tmp_path)

    assert (result.returncode, json.loads(result.stdout)["input"]) == (0, name), result.stderr
    assert samples_of(tmp_path / "\u97f3 \u00fc.clean.flac") == expected_samples()


def test_processes_share_files(machine: Windows, tmp_path: Path) -> None:
    for i in range(3):
        shutil.copy(SAMPLE, tmp_path / f"{i}.flac")

    result = percepnet(machine, "enhance", ".", "-o", "out", "-j", 2, cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    assert [samples_of(path) for path in sorted((tmp_path / "out").iterdir())] == 3 * [expected_samples()]


def test_path_without_a_drive_goes_into_the_output_folder(machine: Windows, tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "a.flac")
    (tmp_path / "m.jsonl").write_text(json.dumps({"audio_filepath": str(tmp_path / "a.flac")}))

    result = percepnet(machine, "enhance", "--manifest", "m.jsonl", "-o", "out", cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in tmp_path.rglob("*.flac")) == ["a.clean.flac", "a.flac"]
    assert (tmp_path / "out" / "a.clean.flac").exists()


def test_streams_are_bytes_not_lines(machine: Windows, tmp_path: Path) -> None:
    samples = b"\r\n\x1a\n" * 12000  # all that text would change

    result = percepnet(machine, "pipe", "-f", "s16le", "-a", 0, cwd=tmp_path, contents=samples)

    here = [sys.executable, "-m", "percepnet", "pipe", "-f", "s16le", "-a", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert result.stdout == subprocess.run(here, input=samples, env=environment, capture_output=True, check=True).stdout


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(machine: Windows, tmp_path: Path) -> None:
    script = """
import os, subprocess, sys
from pathlib import Path
from percepnet.output import OutputFile
subprocess.run([sys.executable, "-c", "import os; from pathlib import Path; from percepnet.output import OutputFile;"
                "OutputFile(Path('out.wav')).write(b'killed'); os._exit(1)"])
print(len(os.listdir()))
other = OutputFile(Path("out.wav"))
print(len(os.listdir()))
this = OutputFile(Path("out.wav"))
this.write(b"whole")
this.commit()
print(len(os.listdir()), Path("out.wav").read_bytes())
other.discard()
"""
    result = machine.run(machine.python, "-c", script, cwd=tmp_path)

    assert result.stdout.decode().split() == ["1", "1", "2", "b'whole'"], result.stderr


def test_what_is_not_for_windows_says_so(machine: Windows, tmp_path: Path) -> None:
    result = percepnet(machine, "mic", "install", cwd=tmp_path)

    assert (result.returncode, result.stdout) == (3, b"")
    assert result.stderr.startswith(b"percepnet mic: the virtual microphone needs Linux")
    assert len(result.stderr.splitlines()) == 1


def test_everything_else_runs(machine: Windows, tmp_path: Path) -> None:
    commands = (("models",), ("doctor",), ("bench", "--hot", 100, "--paced", 5), ("enhance", "--help"))

    assert [percepnet(machine, *command, cwd=tmp_path).returncode for command in commands] == [0, 0, 0, 0]
