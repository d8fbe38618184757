"""Raw samples and WAV headers in streams of bytes that nobody can seek in."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from percepnet.audio import UNKNOWN_SIZES
from percepnet.errors import AudioFormatError

Audio = npt.NDArray[Any]

_DTYPES: Final = {"s16le": "<i2", "s24le": "<i4", "s32le": "<i4", "f32le": "<f4", "f64le": "<f8"}
RAW_FORMATS: Final = tuple(_DTYPES)
_WAV_CODES: Final = {(1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le", (3, 32): "f32le", (3, 64): "f64le"}
_EXTENSIBLE: Final = 0xFFFE
_SEE_DS64: Final = 2**32 - 1  # RF64: a size of 64 bits, in the chunk of that name
LONGEST_CHUNK: Final = 1 << 20  # bytes of a header chunk: pictures are larger, and not for pipes


@dataclass(frozen=True)
class Format:
    """How interleaved samples are written.

    encoding: one of RAW_FORMATS
    sample_rate: Hz
    """

    encoding: str
    sample_rate: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Of one sample of every channel."""
        return self.channels * (3 if self.encoding == "s24le" else int(np.dtype(_DTYPES[self.encoding]).itemsize))

    def decode(self, contents: bytes) -> Audio:
        """Whole frames -> (channels, samples); 24 bits become the upper ones of 32."""
        if self.encoding == "s24le":
            wide = np.zeros((len(contents) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(contents, np.uint8).reshape(-1, 3)
            samples = wide.view("<i4")[:, 0]
        else:
            samples = np.frombuffer(contents, _DTYPES[self.encoding])
        return samples.reshape(-1, self.channels).T

    def encode(self, samples: Audio) -> bytes:
        """(channels, samples) -> whole frames."""
        frames = np.ascontiguousarray(samples.T)
        if self.encoding != "s24le":
            return frames.tobytes()
        rounded = np.minimum(frames.astype(np.int64) + 0x80, np.iinfo(np.int32).max) >> 8
        return rounded.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


@dataclass(frozen=True)
class WavHeader:
    """All up to the samples.

    contents: as they came
    n_bytes: of samples; None for up to the end
    """

    contents: bytes
    format: Format
    n_bytes: int | None


def read_wav_header(read: Callable[[int], bytes]) -> WavHeader:
    """From a stream, of which `read` gives exactly n bytes, or fewer at its end. Raises AudioFormatError."""
    contents = read(12)
    if contents[:4] not in (b"RIFF", b"RF64") or contents[8:12] != b"WAVE":
        raise AudioFormatError("expected a WAV stream (RIFF ... WAVE); for raw samples say -f s16le or -f f32le")
    found: Format | None = None
    long_size = 0
    while True:
        head = read(8)
        if len(head) < 8:
            raise AudioFormatError("the stream ended before its samples began")
        contents += head
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            break
        if size > LONGEST_CHUNK:
            raise AudioFormatError(f"a header chunk of {size} bytes; expected at most {LONGEST_CHUNK}")
        body = read(size + size % 2)
        contents += body
        if name == b"fmt ":
            found = _parse_format(body)
        if name == b"ds64":
            long_size = int.from_bytes(body[8:16], "little")
    if found is None:
        raise AudioFormatError("the WAV header does not say how samples are written: it has no fmt chunk")
    if size == _SEE_DS64 and long_size:
        return WavHeader(contents, found, long_size)
    unknown = size == 0 or any(size in sizes for sizes in UNKNOWN_SIZES)
    return WavHeader(contents, found, None if unknown else size)


def _parse_format(body: bytes) -> Format:
    if len(body) < 16:
        raise AudioFormatError(f"the fmt chunk has {len(body)} bytes; expected at least 16")
    code, channels, sample_rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == _EXTENSIBLE and len(body) >= 26:
        code = int.from_bytes(body[24:26], "little")
    if (code, bits) not in _WAV_CODES or not channels:
        raise AudioFormatError(
            f"WAV format {code} of {bits} bits and {channels} channels; expected PCM of 16, 24 or 32 or float"
        )
    return Format(_WAV_CODES[code, bits], sample_rate, channels)
