"""What the documentation tells people to type, typed: Python as one program a page, commands as one script a page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/files.md", "docs/streams.md"]
# What the pages take for granted: chunks and packets that come, and somewhere for the result to go.
PRELUDE = """
import asyncio, numpy as np, percepnet
chunks = [np.zeros(1000, np.float32)] * 20
block = np.zeros(480, np.float32)
packet = bytes(640)
enhancers = [percepnet.Enhancer() for _ in chunks]
play = lambda samples: None
async def send(samples): pass
async def arriving():
    for chunk in chunks: yield chunk
packets = arriving()
"""
NOT_HERE = re.compile(
    r"make |python3 -m venv|percepnet (?:eval|stages|bench|doctor|live|mic|studio)|percepnet enhance (?:talk\.mp4|\*)|ffmpeg"
)  # what other tests run, or what needs a program


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files that pages speak of are."""
    samples = 0.1 * np.random.default_rng(1).standard_normal(9600)
    soundfile.write(tmp_path / "talk.wav", samples, 48000)
    (tmp_path / "talk.raw").write_bytes(np.int16(3000 * samples).tobytes())
    for name in ("in.wav", "recordings/a/b.wav", "corpus/c.wav", "examples/noisy_speech.flac"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, samples, 48000)
    return tmp_path


def environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_of_the_page_runs(page: str, folder: Path) -> None:
    program = "\n".join(blocks(page, "python")).replace("talk.mp4", "talk.wav").replace("clean.mp4", "clean.wav")
    loose = re.sub(
        r"^async for (.*?)\n(    .*?)\n",
        r"async def loop():\n    async for \1\n    \2\nasyncio.run(loop())\n",
        program,
        flags=re.MULTILINE,
    )

    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + loose],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page_run(page: str, folder: Path) -> None:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if not NOT_HERE.search(line)]

    result = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_ffmpeg_recipe_runs(folder: Path) -> None:
    [line] = [line for block in blocks("docs/streams.md", "sh") for line in block.splitlines() if line.startswith("ffmpeg")]

    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", line], cwd=folder, env=environment(), check=True)

    assert soundfile.info(folder / "clean.opus").frames == pytest.approx(9600, abs=960)
