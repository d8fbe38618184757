"""Audio files, block by block, in constant memory."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import soundfile

from percepnet.errors import AudioFormatError, PercepNetError
from percepnet.output import OutputFile, check_regular

Audio = npt.NDArray[Any]

# Samples per channel in a block: 0.7 s at 48 kHz. Small beside the interpreter, large beside the cost of a call.
BLOCK: Final = 1 << 15

_INT16_SUBTYPES: Final = {"PCM_16", "ALAC_16", "ULAW", "ALAW"}
_INT32_SUBTYPES: Final = {"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"}

# Bits a second between which a compression level chooses, from a sample rate on: of MP3 all in all, of Opus a channel.
_BIT_RATES: Final = {
    "MPEG_LAYER_III": {32000: (32e3, 320e3), 16000: (8e3, 160e3), 0: (8e3, 64e3)},
    "OPUS": {0: (6e3, 256e3)},
}

# libsndfile shortens a file whose header promises more than is there, and says so only in its log. The outer RIFF and FORM
# sizes do not count where the data chunk has its own: many writers get them wrong.
_SHORTENED: Final = re.compile(r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_LOG_LENGTH: Final = 2047  # a log as long as this is cut, too
# What programs that write to a pipe put where the size is not known: 2^31 or 2^32, less a header and an alignment.
UNKNOWN_SIZES: Final = (range(2**31 - 2**16, 2**31), range(2**32 - 2**16, 2**32))


class Source(ABC):
    """Audio that is read from its start to its end.

    path: of the file
    sample_rate: Hz
    channels: the number of channels
    n_samples: samples per channel, as the header has it
    format, subtype, endian: container, encoding and byte order, as libsndfile names them
    metadata: title, artist and so on
    bit_rate: bits a second of a lossy encoding, all in all; None where it is lossless
    """

    path: Path
    sample_rate: int
    channels: int
    n_samples: int
    format: str
    subtype: str
    endian: str
    metadata: dict[str, str]
    bit_rate: float | None

    @abstractmethod
    def blocks(self, dtype: npt.DTypeLike = np.float32) -> Iterator[Audio]:
        """All samples in arrays of (channels, at most BLOCK); each is valid until the next is asked for."""

    @abstractmethod
    def close(self) -> None:
        """Closes the file."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Sink(ABC):
    """Audio that is written from its start to its end, into a file that appears under its name only when it is whole.

    dtype: in which samples are written
    """

    dtype: npt.DTypeLike

    @abstractmethod
    def write(self, samples: Audio) -> None:
        """Appends (channels, samples) of `dtype`."""

    @abstractmethod
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def __enter__(self) -> "Sink":
        return self


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is never sought in: soundfile seeks after every block, and at each seek MP3 and Opus decoders click."""

    def seekable(self) -> bool:
        return False


class AudioReader(Source):
    """An audio file that libsndfile reads.

    Raises AudioFormatError where the file is not whole audio, and PercepNetError where it cannot be read at all.
    """

    def __init__(self, path: Path) -> None:
        try:
            check_regular(path)
            with path.open("rb") as file:  # libsndfile does not say why a file cannot be opened
                empty = not file.read(1)
        except OSError as error:
            raise PercepNetError(f"cannot read: {error.strerror}") from error
        if empty:
            raise AudioFormatError("the file is empty")
        try:
            self._file = _SequentialFile(os.fsencode(path) if os.name == "posix" else path)  # a name need not be UTF-8
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless formats by their suffix
            raise AudioFormatError(f"not an audio file that can be read ({_reason(error)})") from error
        self.path = path
        self.sample_rate, self.channels, self.n_samples = self._file.samplerate, self._file.channels, self._file.frames
        self.format, self.subtype, self.endian = self._file.format, self._file.subtype, self._file.endian
        self.metadata = {name: text for name, text in self._file.copy_metadata().items() if text}  # empty: refused by writers
        if self.n_samples == 0:
            self.close()
            raise AudioFormatError("the file contains no audio")
        n_bits = 8 * path.stat().st_size
        self.bit_rate = n_bits * self.sample_rate / self.n_samples if self.subtype in _BIT_RATES else None
        if self._is_cut():
            self.close()
            raise AudioFormatError("the file is truncated: it ends before its audio does")

    def blocks(self, dtype: npt.DTypeLike = np.float32) -> Iterator[Audio]:
        """All samples in arrays of (channels, at most BLOCK); each is valid until the next is asked for."""
        buffer = np.empty((BLOCK, self.channels), dtype)
        n_read = 0
        while True:
            try:
                block = self._file.read(out=buffer, always_2d=True)
            except soundfile.SoundFileError as error:
                raise AudioFormatError(f"the file is damaged after sample {n_read} ({_reason(error)})") from error
            if not len(block):
                break
            n_read += len(block)
            yield block.T
        if n_read != self.n_samples:
            raise AudioFormatError(f"the file is truncated: expected {self.n_samples} samples, got {n_read}")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _is_cut(self) -> bool:
        for promised, actual in _SHORTENED.findall(self._file.extra_info):
            if int(promised) > int(actual) and not any(int(promised) in sizes for sizes in UNKNOWN_SIZES):
                return True
        if len(self._file.extra_info) >= _LOG_LENGTH and _ends_inside_data(self.path):
            return True
        return self.format == "OGG" and _ends_inside_page(self.path)


class AudioWriter(Sink):
    """A new audio file with the rate, channels, encoding and metadata of the one being read.

    It appears under its name only when all is written: leaving the context by an exception leaves no trace. A target
    with another suffix than the source's gets that suffix's format, and the same encoding if that format has it.
    `subtype` is another encoding, as libsndfile names it.
    """

    def __init__(self, path: Path, like: Source, subtype: str | None = None) -> None:
        file_format, subtype, endian = _target_format(path, like, subtype)
        try:
            self._sink = OutputFile(path)
        except OSError as error:
            raise PercepNetError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._file = _SequentialFile(
                self._sink,
                "w",
                like.sample_rate,
                like.channels,
                subtype=subtype,
                endian=endian,
                format=file_format,
                **_quality(like, subtype),
            )
        except BaseException as error:
            self._sink.discard()
            self._raise_failure(error)
        for key, value in like.metadata.items():
            with suppress(soundfile.LibsndfileError):  # not every format has a place for it
                setattr(self._file, key, value)
        self.dtype = _sample_type(like.subtype, subtype)

    def write(self, samples: Audio) -> None:
        """Appends (channels, samples) of `dtype`."""
        try:
            self._file.write(samples.T)
        except (AssertionError, soundfile.SoundFileError) as error:  # the assertion: fewer samples written than given
            self._raise_failure(error)
        self._raise_failure(None)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._file.close()
            if kind is None:
                self._raise_failure(None)
                self._sink.commit()
        except (OSError, soundfile.SoundFileError) as failure:
            self._raise_failure(failure)
        finally:
            self._sink.discard()

    def _raise_failure(self, error: BaseException | None) -> None:
        """Raises what went wrong below libsndfile, else what libsndfile said, if anything."""
        error = self._sink.failure or error
        if isinstance(error, OSError):
            raise PercepNetError(f"cannot write {self._sink.target}: {error.strerror}") from error
        if isinstance(error, (soundfile.SoundFileError, ValueError, AssertionError)):
            raise AudioFormatError(f"cannot write {self._sink.target} in this format ({_reason(error)})") from error
        if error is not None:
            raise error


def formats() -> list[str]:
    """Suffixes of the formats that can be written, without their dot; the first are the common ones."""
    common = ["wav", "flac", "ogg", "opus", "mp3", "aiff"]
    return [*common, *sorted({name.lower() for name in soundfile.available_formats()} - {*common, "raw"})]


def _target_format(path: Path, like: Source, subtype: str | None) -> tuple[str, str, str]:
    """Format, subtype and byte order for a new file."""
    file_format, kept, endian = _wanted_format(path, like)
    subtype = kept if subtype is None else subtype.upper()
    if subtype.startswith("ALAC"):  # libsndfile 1.2.2 overruns its buffer on loud noise
        raise AudioFormatError("ALAC can be read but not written; name an output with another suffix, such as .flac")
    if subtype != kept and not soundfile.check_format(file_format, subtype, "FILE"):
        known = ", ".join(sorted(soundfile.available_subtypes(file_format)))
        raise AudioFormatError(f"{file_format} has no subtype {subtype!r}; it has {known}")
    return file_format, subtype, endian


def _wanted_format(path: Path, like: Source) -> tuple[str, str, str]:
    if path.suffix.lower() == like.path.suffix.lower():
        return like.format, like.subtype, like.endian
    suffix = path.suffix[1:].upper()
    file_format = {"OGA": "OGG", "OPUS": "OGG", "AIF": "AIFF"}.get(suffix, suffix)
    if file_format not in soundfile.available_formats():
        raise AudioFormatError(f"no audio format has the suffix {path.suffix!r}; known: {', '.join(formats()[:6])}, ...")
    if path.suffix.lower() == ".opus":
        return file_format, "OPUS", "FILE"
    writable = file_format == "MP3" or not like.subtype.startswith("MPEG")  # libsndfile checks MP3 in WAV as good, and fails
    if writable and soundfile.check_format(file_format, like.subtype, "FILE"):
        return file_format, like.subtype, "FILE"
    return file_format, str(soundfile.default_subtype(file_format)), "FILE"


def _quality(like: Source, subtype: str) -> dict[str, Any]:
    """What makes libsndfile spend as many bits as the source did, where it is the same encoding."""
    if like.bit_rate is None or subtype != like.subtype:
        return {}
    channels = like.channels if subtype == "OPUS" else 1
    low, high = next(rates for from_hz, rates in _BIT_RATES[subtype].items() if like.sample_rate >= from_hz)
    level = (high - like.bit_rate / channels) / (high - low)
    mode = {} if subtype == "OPUS" else {"bitrate_mode": "AVERAGE"}
    return {"compression_level": min(max(level, 0.0), 0.99), **mode}  # libsndfile fails at 1


def _sample_type(read: str, written: str) -> npt.DTypeLike:
    """The type in which samples pass: integers where both files have them, so that full scale is the same number."""
    if {read, written} <= _INT16_SUBTYPES:
        return np.int16
    if {read, written} <= _INT16_SUBTYPES | _INT32_SUBTYPES:
        return np.int32
    return np.float32


def _ends_inside_data(path: Path) -> bool:
    """Whether a WAV or AIFF file is shorter than its chunk of samples."""
    end = path.stat().st_size
    with path.open("rb") as file:
        order: Literal["little", "big"] = "little" if file.read(12)[:4] == b"RIFF" else "big"
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], order)
            if head[:4] in (b"data", b"SSND"):
                return file.tell() + size > end and not any(size in sizes for sizes in UNKNOWN_SIZES)
            file.seek(size + size % 2, os.SEEK_CUR)
    return False


def _ends_inside_page(path: Path) -> bool:
    """Whether an Ogg file's last page is incomplete: libsndfile ignores such a page without a word."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - (1 << 16) - 512, 0))  # a page has at most 65307 bytes
        tail = file.read()
    header = tail.rfind(b"OggS")
    n_segments = tail[header + 26] if 0 <= header < len(tail) - 26 else 0
    sizes = tail[header + 27 : header + 27 + n_segments]
    return n_segments == 0 or len(sizes) < n_segments or header + 27 + n_segments + sum(sizes) > len(tail)


def _reason(error: BaseException) -> str:
    text = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return text.rstrip(".") or type(error).__name__
