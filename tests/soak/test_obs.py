"""OBS Studio records from the virtual microphone: what it hears is what enhance() gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

import percepnet
import soundserver
from test_microphone import ROOT, mic

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        not (all(map(shutil.which, ("obs", "Xvfb", "ffmpeg"))) and soundserver.is_here()),
        reason="needs OBS, Xvfb, ffmpeg and PulseAudio (Debian: obs-studio obs-plugins xvfb ffmpeg pulseaudio-utils)",
    ),
]

VERSION = 29 << 24  # whose settings these are
GLOBAL = f"""[General]
FirstRun=true
LastVersion={VERSION}
EnableAutoUpdates=false
[Basic]
Profile=Test
ProfileDir=Test
SceneCollection=Test
SceneCollectionFile=Test
"""
PROFILE = """[General]
Name=Test
[Output]
Mode=Simple
[SimpleOutput]
FilePath={folder}
RecFormat=mkv
ABitrate=320
[Video]
BaseCX=320
BaseCY=240
OutputCX=320
OutputCY=240
[Audio]
SampleRate=48000
"""
SCENES = {
    "name": "Test",
    "current_scene": "Scene",
    "scene_order": [{"name": "Scene"}],
    "sources": [{"id": "scene", "name": "Scene", "settings": {"items": []}}],
    "AuxAudioDevice1": {"id": "pulse_input_capture", "name": "Mic/Aux", "mixers": 255, "settings": {"device_id": "percepnet"}},
}


def set_up(home: Path, recordings: Path) -> None:
    """OBS with one empty scene and the virtual microphone as its own."""
    basic = home / ".config" / "obs-studio" / "basic"
    (basic / "profiles" / "Test").mkdir(parents=True)
    (basic / "scenes").mkdir()
    (basic.parent / "global.ini").write_text(GLOBAL)
    (basic / "profiles" / "Test" / "basic.ini").write_text(PROFILE.format(folder=recordings))
    (basic / "scenes" / "Test.json").write_text(json.dumps(SCENES))


def decoded(path: Path) -> soundserver.Samples:
    """The left channel."""
    command = ["ffmpeg", "-loglevel", "error", "-i", str(path), "-f", "f32le", "-ar", "48000", "-ac", "2", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)[::2]


def likeness(piece: soundserver.Samples, recording: soundserver.Samples) -> float:
    """The highest normalised correlation of a piece with any part of the recording."""
    products = scipy.signal.correlate(recording, piece, "valid", method="fft")
    at = int(np.argmax(products))
    return float(products[at] / np.sqrt(np.sum(recording[at : at + piece.size] ** 2) * np.sum(piece**2)))


def test_obs_hears_what_enhance_gives(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    samples, _ = soundfile.read(ROOT / "examples" / "noisy_speech.flac", dtype="float32")
    with soundserver.running(tmp_path) as server:
        environment = server | {"DISPLAY": ":77", "XDG_CONFIG_HOME": str(tmp_path / ".config"), "LIBGL_ALWAYS_SOFTWARE": "1"}
        set_up(tmp_path, recordings)
        assert mic(server | {"PYTHONPATH": str(ROOT / "src")}, "install", "-i", "room.monitor").returncode == 0
        screen = subprocess.Popen(["Xvfb", ":77"], stderr=subprocess.DEVNULL)
        time.sleep(3)
        obs = subprocess.Popen(["obs", "--startrecording", "--multi"], env=environment, stdout=subprocess.DEVNULL, stderr=-3)
        try:
            end = time.monotonic() + 60
            while not list(recordings.iterdir()):
                assert time.monotonic() < end, "OBS does not record"
                time.sleep(1)
            time.sleep(5)
            heard = soundserver.Recording("room.monitor", server)
            time.sleep(1)
            soundserver.play(samples, server)
            time.sleep(2)
            raw = heard.stop()
        finally:
            obs.terminate()
            obs.wait(30)
            screen.terminate()
            screen.wait(30)

    [path] = recordings.iterdir()
    enhanced = percepnet.enhance(raw[int(np.argmax(raw != 0)) :], soundserver.RATE)
    recorded = decoded(path)
    pieces = [enhanced[second * soundserver.RATE :][: soundserver.RATE] for second in range(1, 6)]
    assert np.median([likeness(piece, recorded) for piece in pieces]) > 0.98  # what AAC leaves
