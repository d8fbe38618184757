"""percepnet live on a real sound server, through PortAudio and ALSA: what arrives is what enhance() gives."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import soundfile
from typer.testing import CliRunner

import percepnet.live
import soundserver
from percepnet.cli import app

ROOT = Path(__file__).parents[1]
MOUTH_AND_EAR = 'pcm.mouth { type pulse device "room.monitor" }\npcm.ear { type pulse device "ear" }\n'


def has_portaudio() -> bool:
    try:
        percepnet.live.devices()
    except percepnet.PercepNetError:
        return bool(os.environ.get("CI"))  # where nothing is skipped
    return True


needs_sound = pytest.mark.skipif(
    not (soundserver.is_here() and has_portaudio()), reason="needs PulseAudio, sounddevice, PortAudio and ALSA's plugins"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where ALSA knows two devices: `mouth` hears the room, and what goes to `ear` is what the sink `ear` plays."""
    (tmp_path / ".asoundrc").write_text(MOUTH_AND_EAR, encoding="utf-8")
    with soundserver.running(tmp_path) as environment:
        soundserver.null_sink("ear", environment)
        yield environment | {"PYTHONPATH": str(ROOT / "src")}


def start(environment: dict[str, str], *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "percepnet", "live", *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@needs_sound
@pytest.mark.slow
def test_what_is_said_at_one_end_arrives_enhanced_at_the_other(server: dict[str, str]) -> None:
    samples, _ = soundfile.read(ROOT / "examples" / "noisy_speech.flac", dtype="float32")
    raw, enhanced = (soundserver.Recording(source, server) for source in ("room.monitor", "ear.monitor"))
    with start(server, "-i", "mouth", "-o", "ear", "--json") as process:
        time.sleep(3)
        soundserver.play(samples[: 3 * soundserver.RATE], server)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    before, after = raw.stop(), enhanced.stop()

    summary = json.loads(out)
    expected, start_ = soundserver.enhanced_as_in(before, after)
    runs = soundserver.exact_runs(expected[: 3 * soundserver.RATE], after)
    at, found, _ = max(runs, key=lambda run: run[2], default=(0, 0, 0))
    delay_s = (found - at - start_) / soundserver.RATE + enhanced.start_s - raw.start_s
    assert process.returncode == 0
    assert sum(length for _, _, length in runs) > soundserver.RATE  # all of it, but on a busy machine
    assert delay_s == pytest.approx(summary["latency_seconds"], abs=0.05)  # it moves by what the blocks wait for each other
    assert summary["hops"] > 300


LATENCIES = """
import subprocess, time
from percepnet.live import Live

def latency_s(patience_s=10):
    end = time.monotonic() + patience_s
    while time.monotonic() < end and session.read().latency_seconds > 0.3:
        time.sleep(0.1)
    return session.read().latency_seconds

with Live("mouth", "ear") as session:
    time.sleep(3)
    print(latency_s())
    for suspended, then_s in (("1", 1), ("0", 3)):
        subprocess.run(["pactl", "suspend-sink", "ear", suspended], check=True)
        time.sleep(then_s)
    print(latency_s())
"""


@needs_sound
@pytest.mark.slow
def test_sound_does_not_stay_late_after_a_start_nor_after_the_output_stood_still(server: dict[str, str]) -> None:
    command = [sys.executable, "-c", LATENCIES]
    out = subprocess.run(command, env=server, text=True, capture_output=True, check=True).stdout

    assert max(map(float, out.split())) < 0.3


@needs_sound
@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("arecord") and not os.environ.get("CI"), reason="needs arecord and aplay (Debian: alsa-utils)"
)
def test_arecord_recipe_carries_sound(server: dict[str, str]) -> None:
    page = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"`(arecord [^`]*)`", page)
    command = recipe.replace("\n", " ").replace("arecord", "arecord -D mouth").replace("aplay", "aplay -D ear")
    command = command.replace("percepnet", f"{sys.executable} -m percepnet")
    samples, _ = soundfile.read(ROOT / "examples" / "noisy_speech.flac", dtype="float32")
    heard = soundserver.Recording("ear.monitor", server)
    with subprocess.Popen(["bash", "-c", command], env=server, start_new_session=True) as process:
        time.sleep(3)
        soundserver.play(samples[: 3 * soundserver.RATE], server)
        time.sleep(4)  # pipes keep what was said before all programs ran
        os.killpg(process.pid, signal.SIGTERM)
    after = heard.stop()

    enhanced = percepnet.enhance(samples[: 3 * soundserver.RATE], soundserver.RATE)
    noisy = soundserver.likeness(samples[soundserver.RATE : 2 * soundserver.RATE], after)
    likeness = soundserver.likeness(enhanced[soundserver.RATE : 2 * soundserver.RATE], after)
    assert likeness > max(0.95, noisy)  # 16 bits, gaps on a busy machine, and other hops: not bit for bit


@needs_sound
@pytest.mark.slow
def test_meter_moves_until_the_devices_are_unplugged(server: dict[str, str]) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "percepnet", "live", "-i", "mouth", "-o", "ear"]
    with subprocess.Popen(command, env=server | {"COLUMNS": "120"}, text=True, stdout=slave, stderr=subprocess.PIPE) as process:
        os.close(slave)
        screen = ""
        while "us per hop" not in screen:
            screen += os.read(master, 4096).decode()
        # All of them: from one that goes alone the server moves the sound to another, as on a desk.
        subprocess.run(["pactl", "unload-module", "module-null-sink"], env=server, check=True)
        with suppress(OSError):  # the end of the terminal
            while piece := os.read(master, 4096):
                screen += piece.decode()
        assert process.stderr
        last = process.stderr.read().splitlines()[-1]

    assert process.returncode == 1
    assert last == "percepnet live: a sound device is gone: 'mouth' or 'ear'"
    assert [word for word in ("input", "output", "speech", "reduction", "time", "lost", "delay") if word not in screen] == []
    assert re.search(r"\d+\.\d s, \d+ us per hop", screen)  # the summary comes in any case


@needs_sound
@pytest.mark.slow
def test_devices_are_listed_and_unknown_ones_named(server: dict[str, str]) -> None:
    listing = start(server, "--list-devices").communicate()
    unknown = start(server, "-i", "nowhere").communicate()

    assert {"mouth (32 in, 32 out)", "ear (32 in, 32 out)"} <= {
        line.split(" ", 3)[-1].strip() for line in listing[0].splitlines()
    }
    assert unknown[1].startswith("percepnet live: no single input device 'nowhere'; there are 0 ")
    assert len(unknown[1].splitlines()) == 1


@pytest.mark.parametrize(
    ("fault", "code", "line"),
    [
        (OSError("PortAudio library not found"), 3, "PortAudio is not installed (Debian: libportaudio2)"),
        (
            percepnet.MissingExtraError("sound from microphone to loudspeaker", "live"),
            2,
            'sound from microphone to loudspeaker needs the extra `live`: pip install "percepnet[live]"',
        ),
    ],
)
def test_what_is_missing_is_named(fault: Exception, code: int, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def require(*_: str) -> None:
        raise fault

    monkeypatch.setattr(percepnet.live, "require", require)

    result = CliRunner().invoke(app, ["live"])

    assert (result.exit_code, result.stderr) == (code, f"percepnet live: {line}\n")
