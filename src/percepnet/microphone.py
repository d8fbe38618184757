"""A virtual microphone on Linux: a source of PulseAudio, or of PipeWire in its place, that a process of ours feeds.

The server is asked through `pactl`, and sound comes from `parec`. What is written to the source sets its pace, so no clocks
drift apart, and what waits for long is thrown away: the delay does not grow.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from percepnet.controls import Controls
from percepnet.enhancer import Enhancer
from percepnet.errors import DeviceError, PercepNetError
from percepnet.priority import raise_priority

try:
    import fcntl
    import termios
except ImportError as error:  # Windows
    raise DeviceError("the virtual microphone needs Linux, with PulseAudio or PipeWire; `percepnet live` does not") from error

NAME: Final = "percepnet"  # of the source; there is one at a time
DESCRIPTION: Final = "percepnet microphone"
SAMPLE_RATE: Final = 48000
FORMAT: Final = "float32le"  # as the enhancer has it: nothing is rounded
HOP: Final = 480
HOP_BYTES: Final = 4 * HOP  # mono
MOST_WAITING: Final = 25 * HOP_BYTES  # in the pipe to the server, which a busy machine holds up: more is thrown away
MOST_STAYING: Final = 2 * HOP_BYTES  # longer than a second, or where nobody records: likewise
PAUSE_HOPS: Final = 100  # in which the server took nothing: nobody records, and what is thrown away is missed by nobody
START_S: Final = 30.0  # on a busy machine; one second else
STATISTICS_EVERY: Final = 100  # hops


@dataclass(frozen=True)
class Installed:
    """What uninstall() takes away.

    module: its number in the server
    process: that feeds it
    microphone: the source that is cleaned
    """

    module: int
    process: int
    microphone: str


def state_folder() -> Path:
    """Where the state, the pipe and the statistics are."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / NAME if runtime else Path("/tmp") / f"{NAME}-{os.getuid()}"  # noqa: S108 - made with mode 700


def install(microphone: str | None = None, arguments: list[str] | None = None) -> Installed:
    """Makes the virtual microphone, and a process that feeds it from `microphone`, a source; None for the default one.

    arguments: of `percepnet mic run`: the controls. Raises DeviceError, and leaves nothing behind.
    """
    if installed() is not None:
        raise DeviceError("the virtual microphone is there already; percepnet mic status tells about it")
    uninstall()
    source = _find_source(microphone)
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise DeviceError(f"{folder} belongs to another user; set XDG_RUNTIME_DIR to a folder of yours")
    pipe = folder / "pipe"
    module = int(
        _pactl(
            "load-module",
            "module-pipe-source",
            f"source_name={NAME}",
            f"file={pipe}",
            f"format={FORMAT}",
            f"rate={SAMPLE_RATE}",
            "channels=1",
            f"source_properties='device.description=\"{DESCRIPTION}\"'",
        )
    )
    command = [sys.executable, "-m", "percepnet", "mic", "run", "-i", source, *(arguments or [])]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    state = Installed(module, process.pid, source)
    _state_file().write_text(json.dumps(asdict(state)), encoding="utf-8")
    try:
        _wait_for_sound(process, folder)
    except DeviceError:
        uninstall()
        raise
    return state


def uninstall() -> bool:
    """Takes it all away; False if there was nothing."""
    state = _read_state()
    if state is not None:
        if _is_running(state.process):
            os.kill(state.process, signal.SIGTERM)
        modules = _pactl("list", "short", "modules").splitlines() if shutil.which("pactl") else []
        if any(line.split("\t")[:2] == [str(state.module), "module-pipe-source"] for line in modules):
            _pactl("unload-module", str(state.module))
    for name in ("state", "pipe", "log", "statistics"):
        (state_folder() / name).unlink(missing_ok=True)
    return state is not None


def installed() -> Installed | None:
    """What is there and works, or None."""
    state = _read_state()
    return state if state is not None and _is_running(state.process) else None


def statistics() -> dict[str, Any]:
    """Of the running process, about once a second: see run()."""
    try:
        found: dict[str, Any] = json.loads((state_folder() / "statistics").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def run(microphone: str, model: str, controls: Controls, keep_running: Callable[[], bool]) -> None:
    """Feeds the virtual microphone until told to stop. Raises DeviceError when the microphone is gone.

    Writes statistics once a second: hops, overruns (hops that somebody who recorded did not get), microseconds per hop (mean
    and largest since the last time), latency in seconds (of the enhancement).
    """
    folder = state_folder()
    pipe = _Pipe(folder / "pipe")
    raise_priority()
    command = [
        "parec",
        f"--device={microphone}",
        f"--format={FORMAT}",
        f"--rate={SAMPLE_RATE}",
        "--channels=1",
        "--latency-msec=10",
    ]
    with (
        Enhancer(SAMPLE_RATE, 1, model, block_size=HOP, **controls) as enhancer,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as recorder,  # noqa: S603
    ):
        assert recorder.stdout is not None
        threading.Thread(target=_stop_without, args=(microphone, recorder), daemon=True).start()
        block, times, n_hops = np.empty(HOP, np.float32), [], 0
        try:
            while keep_running():
                contents = recorder.stdout.read(HOP_BYTES)
                if len(contents) < HOP_BYTES:
                    raise DeviceError(f"the microphone {microphone} is gone")
                start = time.perf_counter()
                block[:] = np.frombuffer(contents, "<f4")
                pipe.give(enhancer.process_block(block, block).tobytes())
                times.append(1e6 * (time.perf_counter() - start))
                n_hops += 1
                if len(times) == STATISTICS_EVERY:
                    pipe.trim()
                    _write_statistics(folder, n_hops, pipe.overruns, times, enhancer.block_latency / SAMPLE_RATE)
                    times.clear()
        finally:
            recorder.terminate()
            pipe.close()


def _stop_without(microphone: str, recorder: "subprocess.Popen[bytes]") -> None:
    """Ends the recorder with its microphone: the server would move it to another, perhaps to the one that we feed."""
    command, environment = ["pactl", "subscribe"], os.environ | {"LC_ALL": "C"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True, env=environment) as events:  # noqa: S603
        assert events.stdout is not None
        for line in events.stdout:
            if "'remove' on source #" in line and microphone not in _sources():
                recorder.terminate()
                events.terminate()


class _Pipe:
    """To the server. It waits for a server that pauses; a delay that stays is thrown away, and what nobody records too."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._left = 0  # bytes in it after the last hop
        self._lowest = MOST_WAITING  # bytes in it before a hop, since the last look
        self._idle_hops = PAUSE_HOPS
        self._thrown = 0  # hops, since the server took something
        self.overruns = 0

    def give(self, hop: bytes) -> None:
        """Appends a hop."""
        waiting = int.from_bytes(fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4), sys.byteorder)
        self._watch(waiting)
        excess = waiting + len(hop) - (MOST_WAITING if self._idle_hops < PAUSE_HOPS else MOST_STAYING)
        if excess > 0:
            self._thrown += self._throw(excess)
            waiting -= excess
        os.write(self._descriptor, hop)
        self._left = waiting + len(hop)

    def trim(self) -> None:
        """Throws away what has waited all the time since the last trim, but for a hop."""
        excess = self._lowest - HOP_BYTES
        if self._lowest > MOST_STAYING and self._idle_hops < PAUSE_HOPS:
            self.overruns += self._throw(excess)
            self._left -= excess
        self._lowest = MOST_WAITING

    def _watch(self, waiting: int) -> None:
        if waiting < self._left:  # the server took something
            self.overruns += self._thrown if self._idle_hops < PAUSE_HOPS else 0
            self._idle_hops = self._thrown = 0
        else:
            self._idle_hops += 1
        self._lowest = min(self._lowest, waiting)

    def _throw(self, n_bytes: int) -> int:
        return -(-len(os.read(self._descriptor, n_bytes)) // HOP_BYTES)

    def close(self) -> None:
        os.close(self._descriptor)


def _write_statistics(folder: Path, n_hops: int, overruns: int, times: list[float], latency_s: float) -> None:
    found = {
        "hops": n_hops,
        "overruns": overruns,
        "microseconds_per_hop": {"mean": round(float(np.mean(times)), 1), "max": round(max(times), 1)},
        "latency_seconds": latency_s,
    }
    part = folder / "statistics.part"
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(folder / "statistics")


def _wait_for_sound(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Until the first statistics."""
    end = time.monotonic() + START_S
    while not (folder / "statistics").exists():
        if process.poll() is not None:
            raise DeviceError((folder / "log").read_text(encoding="utf-8", errors="replace").strip() or "it ended at once")
        if time.monotonic() > end:
            raise DeviceError(f"no sound came from the microphone in {START_S:.0f} s")
        time.sleep(0.05)


def _find_source(wanted: str | None) -> str:
    name = wanted or _pactl("get-default-source").strip()
    known = _sources()
    if name not in known:
        raise DeviceError(f"no source {name!r}; there are {', '.join(known) or 'none'}")
    return name


def _sources() -> list[str]:
    return [line.split("\t")[1] for line in _pactl("list", "short", "sources").splitlines()]


def _pactl(*arguments: str) -> str:
    for program in ("pactl", "parec"):
        if not shutil.which(program):
            raise DeviceError(f"{program} is not installed; it comes with PulseAudio's utilities (Debian: pulseaudio-utils)")
    result = subprocess.run(["pactl", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if result.returncode:
        reason = "; ".join(result.stderr.splitlines()) or "without a reason"
        raise DeviceError(f"the sound server says no to `pactl {arguments[0]}`: {reason}")
    return result.stdout


def _state_file() -> Path:
    return state_folder() / "state"


def _read_state() -> Installed | None:
    try:
        return Installed(**json.loads(_state_file().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise PercepNetError(f"cannot read {_state_file()}: {error}; remove it") from error


def _is_running(process: int) -> bool:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ESRCH)
    return b"percepnet" in command
