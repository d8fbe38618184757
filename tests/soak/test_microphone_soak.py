"""Five minutes of the virtual microphone: `make soak`."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import percepnet
import soundserver

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.soak,
    pytest.mark.slow,
    pytest.mark.skipif(not soundserver.is_here(), reason="needs PulseAudio and its utilities"),
]


def test_five_minutes_without_an_overrun_and_with_the_delay_that_it_should_have(tmp_path: Path) -> None:
    samples, _ = soundfile.read(ROOT / "examples" / "noisy_speech.flac")
    speech = np.tile(samples, round(300 * soundserver.RATE / samples.size))
    with soundserver.running(tmp_path) as server:
        environment = server | {"PYTHONPATH": str(ROOT / "src")}
        mic = [sys.executable, "-m", "percepnet", "mic"]
        subprocess.run([*mic, "install", "-i", "room.monitor"], env=environment, check=True)
        raw, enhanced = (soundserver.Recording(source, server) for source in ("room.monitor", "percepnet"))
        time.sleep(1)
        soundserver.play(speech, server)
        status = json.loads(subprocess.run([*mic, "status", "--json"], env=environment, capture_output=True, check=True).stdout)
        before, after = raw.stop(), enhanced.stop()
        subprocess.run([*mic, "uninstall"], env=environment, check=True)

    delays_s, likenesses = [], []
    for minute in (1, 2, 3, 4):
        piece = before[minute * 60 * soundserver.RATE :][: 5 * soundserver.RATE]
        at, likeness = soundserver.place(percepnet.enhance(piece, soundserver.RATE)[soundserver.RATE :], after)
        likenesses.append(likeness)
        delays_s.append(at / soundserver.RATE - minute * 60 - 1 + enhanced.start_s - raw.start_s)
    print(f"delays after each minute, ms: {[round(1000 * delay, 1) for delay in delays_s]}; likenesses {likenesses}; {status}")
    assert status["overruns"] == 0
    assert min(likenesses) > 0.97  # of the noisy speech it would be 0.9
    assert max(delays_s) - min(delays_s) < 0.005
