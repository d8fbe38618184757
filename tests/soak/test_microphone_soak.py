"""Five minutes of the virtual microphone: `make soak`."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import soundserver

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.soak, pytest.mark.slow]


@pytest.mark.parametrize("kind", soundserver.SERVERS)
def test_five_minutes_bit_for_bit_with_the_delay_that_they_should_have(kind: str, tmp_path: Path) -> None:
    if not soundserver.is_here(kind):
        pytest.skip(f"needs {kind} and PulseAudio's utilities")
    samples, _ = soundfile.read(ROOT / "examples" / "noisy_speech.flac", dtype="float32")
    speech = np.tile(samples, round(300 * soundserver.RATE / samples.size))
    with soundserver.running(tmp_path, kind) as server:
        environment = server | {"PYTHONPATH": str(ROOT / "src")}
        mic = [sys.executable, "-m", "percepnet", "mic"]
        subprocess.run([*mic, "install", "-i", "room.monitor"], env=environment, check=True)
        raw, enhanced = (soundserver.Recording(source, server) for source in ("room.monitor", "percepnet"))
        time.sleep(1)
        soundserver.play(speech, server)
        reported = [soundserver.reported_s(source, server) for source in ("room.monitor", "percepnet")]
        status = json.loads(subprocess.run([*mic, "status", "--json"], env=environment, capture_output=True, check=True).stdout)
        before, after = raw.stop(), enhanced.stop()
        np.savez(tmp_path / "heard.npz", before=before, after=after)
        subprocess.run([*mic, "uninstall"], env=environment, check=True)

    expected, start = soundserver.enhanced_as_in(before, after)
    runs = soundserver.exact_runs(expected[: speech.size - soundserver.RATE], after)
    delays_s = [(found - at - start) / soundserver.RATE + enhanced.start_s - raw.start_s for at, found, _ in runs]
    buffers_s = max(reported[0]) + reported[1][0]
    share = sum(length for _, _, length in runs) / (speech.size - soundserver.RATE)
    delays_ms = sorted({round(1000 * delay, 1) for delay in delays_s})
    print(
        f"{kind}, {speech.size / soundserver.RATE:.0f} s: {100 * share:.3f} % bit for bit in {len(runs)} stretches, "
        f"delays {delays_ms} ms, of which the server reports {1000 * buffers_s:.1f}; "
        f"{status['hops']} hops, {status['overruns']} overruns, {status['microseconds_per_hop']} us per hop"
    )
    assert (status["overruns"], len(runs), share) == (0, 1, 1.0)
    if kind == "pulseaudio":  # the other reports nothing
        assert delays_s[0] == pytest.approx(status["latency_seconds"] + buffers_s, abs=0.005)
