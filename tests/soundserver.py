"""A real PulseAudio or PipeWire daemon of one's own, with a room where sounds are played, and programs that do it."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import percepnet

Samples: TypeAlias = npt.NDArray[np.float32]

RATE, HOP = 48000, 480
CLIENTS = ("pactl", "parec", "pacat")
SERVERS = {
    "pulseaudio": [
        ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--load=module-native-protocol-unix"]
    ],
    "pipewire": [["pipewire"], ["dbus-run-session", "wireplumber"], ["pipewire-pulse"]],
}
QUIET = subprocess.DEVNULL
RAW = ["--raw", "--format=float32le", f"--rate={RATE}", "--channels=1"]


def is_here(kind: str = "pulseaudio") -> bool:
    """Or must be: nothing is skipped in CI."""
    return bool(os.environ.get("CI")) or all(
        shutil.which(program) for program in (*CLIENTS, *(command[0] for command in SERVERS[kind]))
    )


@contextmanager
def running(folder: Path, kind: str = "pulseaudio") -> Iterator[dict[str, str]]:
    """The environment in which programs find the server, whose only sound card is a null sink named `room`."""
    folder.chmod(0o700)
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(folder / "pulse"),
        "HOME": str(folder),
    }
    for name in ("PULSE_SERVER", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY"):
        environment.pop(name, None)
    with ExitStack() as servers:
        for command in SERVERS[kind]:
            server = servers.enter_context(
                subprocess.Popen(command, env=environment, stdout=QUIET, stderr=QUIET, start_new_session=True)
            )
            servers.callback(os.killpg, server.pid, signal.SIGTERM)
        end = time.monotonic() + 60
        while subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < end, f"{kind} does not run"
            time.sleep(0.1)
        null_sink("room", environment)
        yield environment


def null_sink(name: str, environment: dict[str, str]) -> str:
    """Makes a sink that nobody hears, and returns the number by which it is unloaded."""
    load = ["pactl", "load-module", "module-null-sink", f"sink_name={name}", "format=float32le", f"rate={RATE}", "channels=1"]
    return subprocess.run(load, env=environment, capture_output=True, text=True, check=True).stdout.strip()


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
            self.start_s = min(self.start_s, time.monotonic() - (n + len(piece)) / 4 / RATE)
            n += len(piece)
            self.pieces.append(piece)

    def stop(self) -> Samples:
        """(samples,) of full scale 1."""
        self.process.terminate()
        self.thread.join()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        return np.frombuffer(b"".join(self.pieces), np.float32)


def play(samples: Samples, environment: dict[str, str]) -> None:
    """Into the room, and waits for its end. Silence comes first: servers tear the beginning of what they play."""
    command = ["pacat", "--playback", "--device=room", *RAW]
    contents = np.pad(samples, (RATE // 2, 0)).astype(np.float32).tobytes()
    subprocess.run(command, input=contents, env=environment, check=True)


def reported_s(source: str, environment: dict[str, str]) -> list[float]:
    """What the server says of each program that records from a source: its buffer and the source's, in seconds."""

    def listing(what: str) -> list[dict[str, Any]]:
        command = ["pactl", "--format=json", "list", what]
        result = subprocess.run(command, env=environment | {"LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found

    [index] = [row["index"] for row in listing("sources") if row["name"] == source]
    outputs = [row for row in listing("source-outputs") if row["source"] == index]
    return [1e-6 * (row["buffer_latency_usec"] + row["source_latency_usec"]) for row in outputs]


def enhanced_as_in(raw: Samples, heard: Samples) -> tuple[Samples, int]:
    """enhance() of `raw` from its first sound on, and where that is.

    Hops begin where they did for what was heard: the enhancer counts them from its own start, which no recording knows.
    """
    start = int(np.argmax(raw != 0))
    sound, early = raw[start:], heard[: start + 5 * RATE]

    def enhanced(samples: Samples, shift: int) -> Samples:
        return percepnet.enhance(np.pad(samples, (RATE + shift, 0)), RATE)[RATE + shift :]

    def fits(shift: int) -> bool:
        return bool(exact_runs(enhanced(sound[:RATE], shift)[RATE // 2 :][: RATE // 5], early))

    candidates = sorted(range(HOP), key=lambda shift: (shift % 32, shift))  # servers like round numbers
    return enhanced(sound, next(filter(fits, candidates), 0)), start


def exact_runs(part: Samples, whole: Samples) -> list[tuple[int, int, int]]:
    """Where stretches of `part` are in `whole`, bit for bit: (start in part, start in whole, length), in order.

    What is lost between two stretches is less than 2 s long.
    """
    runs, at, end, probe = [], 0, 0, 64
    while at + probe <= part.size:
        first = part[at : at + probe]
        window = 2 * RATE if runs else whole.size
        for start in end + np.flatnonzero(whole[end : whole.size - probe][:window] == first[0]):
            if np.array_equal(whole[start : start + probe], first):
                n = min(part.size - at, whole.size - int(start))
                differs = part[at : at + n] != whole[start : start + n]
                length = int(np.argmax(differs)) if differs.any() else n
                runs.append((at, int(start), length))
                at, end = at + length, int(start) + length
                break
        else:
            at += probe
    return runs


def likeness(part: Samples, whole: Samples) -> float:
    """The correlation coefficient of `part` with the place in `whole` that is most like it."""
    n = 1 << (part.size + whole.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(whole, n) * np.conj(np.fft.rfft(part, n)))[: whole.size]
    at = int(np.argmax(product))
    there = whole[at : at + part.size].astype(np.float64)
    return float(product[at] / np.sqrt(np.sum(there**2) * np.sum(part[: there.size].astype(np.float64) ** 2)))
