"""A real PulseAudio daemon of one's own, with a room in which sounds are played; and its programs for playing and recording."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 48000
PROGRAMS = ("pulseaudio", "pactl", "parec", "pacat")
RAW = ["--raw", "--format=s16le", f"--rate={RATE}", "--channels=1"]


def is_here() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which programs find the server, whose only sound card is a null sink named `room`."""
    folder.chmod(0o700)
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(folder / "pulse"),
        "HOME": str(folder),
    }
    environment.pop("PULSE_SERVER", None)
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-target=null"]
    command += ["--load=module-native-protocol-unix", f"--load=module-null-sink sink_name=room rate={RATE} channels=1"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            while subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode:
                assert server.poll() is None, "pulseaudio ended at once"
                time.sleep(0.1)
            yield environment
        finally:
            server.terminate()


@dataclass
class Recording:
    """What a source gives, and when its first sample was there at the latest, on the clock of time.monotonic()."""

    source: str
    environment: dict[str, str]
    pieces: list[bytes] = field(default_factory=list)
    start_s: float = np.inf

    def __post_init__(self) -> None:
        command = ["parec", f"--device={self.source}", "--latency-msec=10", *RAW]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=self.environment, bufsize=0)
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        n = 0
        assert self.process.stdout
        while piece := self.process.stdout.read(4096):
            self.start_s = min(self.start_s, time.monotonic() - (n + len(piece)) / 2 / RATE)
            n += len(piece)
            self.pieces.append(piece)

    def stop(self) -> npt.NDArray[np.float64]:
        """(samples,) of full scale 1."""
        self.process.terminate()
        self.thread.join()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        return np.frombuffer(b"".join(self.pieces), np.int16) / 32768


def play(samples: npt.NDArray[np.float64], environment: dict[str, str]) -> None:
    """Into the room, and waits for its end."""
    contents = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
    subprocess.run(["pacat", "--playback", "--device=room", *RAW], input=contents, env=environment, check=True)


def place(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> tuple[int, float]:
    """Where `part` is in `whole`, and the correlation coefficient there."""
    n = 1 << (part.size + whole.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(whole, n) * np.conj(np.fft.rfft(part, n)))[: whole.size]
    at = int(np.argmax(product))
    there = whole[at : at + part.size]
    return at, float(product[at] / np.sqrt(np.sum(there**2) * np.sum(part[: there.size] ** 2)))
