"""A microphone to loudspeakers, cleaned in the audio callback of PortAudio. Extra `live`."""

import ctypes
import math
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from percepnet.controls import Controls
from percepnet.enhancer import Enhancer
from percepnet.errors import DeviceError, require
from percepnet.priority import raise_priority
from percepnet.weights import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

SAMPLE_RATE: Final = 48000  # Hz, where both devices have it
HOPS_PER_SECOND: Final = 100
SILENCE_S: Final = 5.0  # without a block: a device that is there sends one every 10 ms
LATENCY_S: Final = 0.04  # of each device: less leaves gaps where a sound server lies between
WAIT_S: Final = 0.01
LONGEST_US: Final = 20000  # of the histogram; a hop that took longer counts as this long


@dataclass(frozen=True)
class Reading:
    """What a meter shows: since the last reading, but for the counts.

    input_db, output_db: root mean square, dB of full scale; -inf for silence
    speech_probability: mean, 0 to 1; None where the model does not estimate it
    microseconds_per_hop: median, 99th percentile and largest since the start
    hops, overruns, underruns: since the start: overruns lost input, underruns left gaps in the output
    latency_seconds: from sound to sound as the devices report it, the enhancement included
    """

    input_db: float
    output_db: float
    speech_probability: float | None
    microseconds_per_hop: tuple[int, int, int]
    hops: int
    overruns: int
    underruns: int
    latency_seconds: float

    @property
    def gain_db(self) -> float:
        """What became of the level; 0 in silence."""
        return self.output_db - self.input_db if math.isfinite(self.output_db - self.input_db) else 0.0


class Live:
    """Sound that runs from one device to another from construction to close().

    input_device, output_device: number, name or part of a name; None for the default
    sample_rate: Hz; None for 48000, or what the input prefers where one of both cannot do that
    channels: of the microphone, 1 or 2; what is cleaned of one channel goes to both loudspeakers
    latency_s: that each device shall keep; None for 0.04
    The other arguments are those of Enhancer.

    Raises DeviceError where there is no such device, and MissingExtraError.
    """

    def __init__(
        self,
        input_device: str | int | None = None,
        output_device: str | int | None = None,
        sample_rate: int | None = None,
        channels: int = 1,
        latency_s: float | None = None,
        model: "str | PathLike[str] | Model" = "default",
        **controls: "Unpack[Controls]",
    ) -> None:
        portaudio = _portaudio()
        found = [_find(input_device, "input"), _find(output_device, "output")]
        self.names = (str(found[0]["name"]), str(found[1]["name"]))
        counts = (channels, channels if channels > 1 else min(2, found[1]["max_output_channels"]))
        devices = (found[0]["index"], found[1]["index"])
        self.sample_rate = sample_rate or _common_rate(devices, counts, round(found[0]["default_samplerate"]))
        hop = self.sample_rate // HOPS_PER_SECOND
        self._enhancer = Enhancer(self.sample_rate, channels, model, block_size=hop, **controls)
        self._block = np.zeros((channels, hop), np.float32)
        self._sums = _Sums()
        self._histogram = np.zeros(LONGEST_US + 1, np.int64)
        self._overruns = self._underruns = self._hops = 0
        self._latency_s = 0.0
        self._last_block_s = time.monotonic()
        self._ended = threading.Event()
        latency_s = LATENCY_S if latency_s is None else latency_s
        self._waiting: deque[tuple[npt.NDArray[np.float32], float]] = deque(maxlen=2 + round(latency_s * HOPS_PER_SECOND))
        self._streams: list[Any] = []
        both = {
            "samplerate": self.sample_rate,
            "blocksize": hop,
            "dtype": "float32",
            "latency": latency_s,
            "finished_callback": self._ended.set,
        }
        raise_priority()  # of the threads that call back, which this one starts
        try:
            # Two streams: in one for both, what comes while the output stands still piles up in the input, and all is late by
            # that for good; after a start on PulseAudio by two seconds. Here it waits in `_waiting`, which is short.
            self._streams.append(portaudio.OutputStream(device=devices[1], channels=counts[1], callback=self._play, **both))
            self._streams.append(portaudio.InputStream(device=devices[0], channels=counts[0], callback=self._hear, **both))
            self._start()
        except portaudio.PortAudioError as error:
            self.close()
            raise DeviceError(f"cannot run from {self.names[0]!r} to {self.names[1]!r}: {_reason(error)}") from error

    def check(self) -> None:
        """Raises DeviceError if a device is gone."""
        if self._ended.is_set() or time.monotonic() - self._last_block_s > SILENCE_S:
            raise DeviceError(f"a sound device is gone: {self.names[0]!r} or {self.names[1]!r}")

    def _start(self) -> None:
        """Until a block has gone from one to the other."""
        for stream in self._streams:
            stream.start()
        end = time.monotonic() + SILENCE_S
        while time.monotonic() < end and not self._ended.wait(WAIT_S):
            if self._latency_s:
                return
        self.close()
        raise DeviceError(f"no sound comes from {self.names[0]!r}, or none goes to {self.names[1]!r}")

    def read(self) -> Reading:
        """What happened since the last time."""
        sums, self._sums = self._sums, _Sums()
        input_db, output_db = (
            10 * math.log10(power / sums.samples) if power else -math.inf for power in (sums.input, sums.output)
        )
        speech = sums.speech / sums.frames if sums.frames and self._enhancer.model.has_speech else None
        counts = (self._hops, self._overruns, self._underruns)
        return Reading(input_db, output_db, speech, self._times(), *counts, self._latency_s)

    def close(self) -> None:
        """Stops the sound. A second call does nothing."""
        for stream in self._streams:
            stream.close()
        self._enhancer.close()

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _hear(self, samples: npt.NDArray[np.float32], _: int, times: Any, status: Any) -> None:
        start = time.perf_counter()
        heard_s = time.monotonic() - (times.currentTime - times.inputBufferAdcTime)
        sums, block = self._sums, self._block
        block[:] = samples.T
        sums.input += float(np.vdot(block, block))
        frames = self._enhancer.process_block_frames(block, out=block)[1]
        sums.output += float(np.vdot(block, block))
        sums.samples += block.size
        sums.frames += len(frames)
        sums.speech += float(frames["speech_probability"].sum())
        self._overruns += status.input_overflow or len(self._waiting) == self._waiting.maxlen
        self._waiting.append((block.T.copy(), heard_s))  # in place of the oldest, if there are too many
        self._hops += 1
        self._histogram[min(int(1e6 * (time.perf_counter() - start)), LONGEST_US)] += 1

    def _play(self, out: npt.NDArray[np.float32], _: int, times: Any, status: Any) -> None:
        self._underruns += status.output_underflow or (self._hops > 0 and not self._waiting)
        if not self._waiting:
            out[:] = 0
            return
        out[:], heard_s = self._waiting.popleft()  # one channel goes to all
        self._last_block_s = time.monotonic()
        delay_s = self._last_block_s - heard_s + times.outputBufferDacTime - times.currentTime
        self._latency_s = delay_s + self._enhancer.block_latency / self.sample_rate

    def _times(self) -> tuple[int, int, int]:
        cumulative = np.cumsum(self._histogram)
        median, late, most = np.searchsorted(cumulative, np.array([0.5, 0.99, 1.0]) * cumulative[-1])
        return int(median), int(late), int(most)


@dataclass
class _Sums:
    """Of what the callback saw: energies, their samples, speech probabilities, their frames."""

    input: float = 0.0
    output: float = 0.0
    samples: int = 0
    speech: float = 0.0
    frames: int = 0


def devices() -> list[tuple[int, str, int, int]]:
    """Number, name, and how many channels it records and plays, of each sound device that PortAudio knows."""
    return [
        (row["index"], row["name"], row["max_input_channels"], row["max_output_channels"])
        for row in _portaudio().query_devices()
    ]


def _portaudio() -> Any:
    try:
        module = require("sounddevice", "sound from microphone to loudspeaker", "live")
    except OSError as error:
        raise DeviceError("PortAudio is not installed (Debian: libportaudio2)") from error
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_IGNORE)
    return module


# ALSA prints every gap on standard error; here they are counted.
_IGNORE: Final = ctypes.CFUNCTYPE(None)(lambda: None)


def _find(device: str | int | None, kind: Literal["input", "output"]) -> Any:
    portaudio = _portaudio()
    wanted = int(device) if isinstance(device, str) and device.isdecimal() else device
    try:
        found = portaudio.query_devices(wanted, kind)
    except (ValueError, portaudio.PortAudioError) as error:
        known = ", ".join(f"{n} {name}" for n, name, n_in, n_out in devices() if (n_in if kind == "input" else n_out))
        what = f"no {kind} device" if device is None else f"no single {kind} device {device!r}"
        raise DeviceError(f"{what}; there are {known or 'none'}") from error
    if not found[f"max_{kind}_channels"]:
        raise DeviceError(f"{found['name']!r} is no {kind} device")
    return found


def _common_rate(devices: tuple[int, int], channels: tuple[int, int], preferred: int) -> int:
    portaudio = _portaudio()
    try:
        portaudio.check_input_settings(devices[0], channels[0], "float32", samplerate=SAMPLE_RATE)
        portaudio.check_output_settings(devices[1], channels[1], "float32", samplerate=SAMPLE_RATE)
    except portaudio.PortAudioError:
        return preferred
    return SAMPLE_RATE


def _reason(error: Exception) -> str:
    """PortAudio's message on one line."""
    return " ".join(str(error.args[0]).split())
