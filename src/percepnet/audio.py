"""Audio files, block by block, in constant memory."""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile

from percepnet.errors import AudioFormatError, PercepNetError

Audio = npt.NDArray[Any]

# Samples per channel in a block: 0.7 s at 48 kHz. Small beside the interpreter, large beside the cost of a call.
BLOCK: Final = 1 << 15

_INT16_SUBTYPES: Final = {"PCM_16", "ALAC_16", "ULAW", "ALAW"}
_INT32_SUBTYPES: Final = {"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"}

# libsndfile shortens a file whose header promises more than is there, and says so only in its log. The outer RIFF and FORM
# sizes do not count where the data chunk has its own: many writers get them wrong.
_SHORTENED: Final = re.compile(r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
# What programs that write to a pipe put where the size is not known: 2^31 or 2^32, less a header and an alignment.
_UNKNOWN_SIZES: Final = (range(2**31 - 2**16, 2**31), range(2**32 - 2**16, 2**32))


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is never sought in: soundfile seeks after every block, and at each seek MP3 and Opus decoders click."""

    def seekable(self) -> bool:
        return False


class AudioReader:
    """An audio file, read from its start to its end.

    Raises AudioFormatError where the file is not whole audio, and PercepNetError where it cannot be read at all.
    """

    def __init__(self, path: Path) -> None:
        try:
            _check_regular(path)
            with path.open("rb") as file:  # libsndfile does not say why a file cannot be opened
                empty = not file.read(1)
        except OSError as error:
            raise PercepNetError(f"cannot read: {error.strerror}") from error
        if empty:
            raise AudioFormatError("the file is empty")
        try:
            self._file = _SequentialFile(path)
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless formats by their suffix
            raise AudioFormatError(f"not an audio file that can be read ({_reason(error)})") from error
        self.path = path
        if self._file.frames == 0:
            self.close()
            raise AudioFormatError("the file contains no audio")
        if self._is_cut():
            self.close()
            raise AudioFormatError("the file is truncated: it ends before its audio does")

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return int(self._file.samplerate)

    @property
    def channels(self) -> int:
        """The number of channels."""
        return int(self._file.channels)

    @property
    def n_samples(self) -> int:
        """Samples per channel, as the header has it."""
        return int(self._file.frames)

    @property
    def format(self) -> str:
        """Container, as libsndfile names it."""
        return str(self._file.format)

    @property
    def subtype(self) -> str:
        """Encoding, as libsndfile names it."""
        return str(self._file.subtype)

    @property
    def endian(self) -> str:
        """Byte order, as libsndfile names it."""
        return str(self._file.endian)

    @property
    def metadata(self) -> dict[str, str]:
        """Title, artist and so on."""
        return dict(self._file.copy_metadata())

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

    def __enter__(self) -> "AudioReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _is_cut(self) -> bool:
        for promised, actual in _SHORTENED.findall(self._file.extra_info):
            if int(promised) > int(actual) and not any(int(promised) in sizes for sizes in _UNKNOWN_SIZES):
                return True
        return self.format == "OGG" and _ends_inside_page(self.path)


class AudioWriter:
    """A new audio file with the rate, channels, encoding and metadata of the one being read.

    It appears under its name only when all is written: leaving the context by an exception leaves no trace. A target
    with another suffix than the source's gets that suffix's format, and the same encoding if that format has it.
    """

    def __init__(self, path: Path, like: AudioReader) -> None:
        file_format, subtype, endian = _target_format(path, like)
        self._target = path.resolve()
        self._part = self._target.with_name(f".{self._target.name[:200]}.{secrets.token_hex(4)}.part")
        try:
            if self._target.exists():
                _check_regular(self._target)
            self._sink = _Sink(self._part)
        except OSError as error:
            raise PercepNetError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._file = _SequentialFile(
                self._sink, "w", like.sample_rate, like.channels, subtype=subtype, endian=endian, format=file_format
            )
            for key, value in like.metadata.items():
                setattr(self._file, key, value)
        except BaseException as error:
            self._discard()
            self._raise_failure(error)
        self.dtype = _sample_type(like.subtype, subtype)

    def write(self, samples: Audio) -> None:
        """Appends (channels, samples) of `dtype`."""
        try:
            self._file.write(samples.T)
        except (AssertionError, soundfile.SoundFileError) as error:  # the assertion: fewer samples written than given
            self._raise_failure(error)
        self._raise_failure(None)

    def __enter__(self) -> "AudioWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._file.close()
            if kind is None:
                self._raise_failure(None)
                self._sink.close()
                self._part.replace(self._target)
        except (OSError, soundfile.SoundFileError) as failure:
            self._raise_failure(failure)
        finally:
            self._discard()

    def _discard(self) -> None:
        self._sink.abandon()
        self._part.unlink(missing_ok=True)

    def _raise_failure(self, error: BaseException | None) -> None:
        """Raises what went wrong below libsndfile, else what libsndfile said, if anything."""
        error = self._sink.failure or error
        if isinstance(error, OSError):
            raise PercepNetError(f"cannot write {self._target}: {error.strerror}") from error
        if isinstance(error, (soundfile.SoundFileError, ValueError, AssertionError)):
            raise AudioFormatError(f"cannot write {self._target} in this format ({_reason(error)})") from error
        if error is not None:
            raise error


class _Sink:
    """A raw file that keeps its first failure: in libsndfile's callbacks an exception would be printed and lost."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        self._open = True
        self.failure: BaseException | None = None

    def write(self, contents: bytes) -> int:
        rest = memoryview(contents)
        try:
            while rest and self.failure is None:
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException as error:  # Ctrl-C too
            self.failure = error
        return len(contents) - len(rest)

    def seek(self, offset: int, whence: int) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def close(self) -> None:
        os.fsync(self._descriptor)  # some file systems tell only now that the disk is full
        self.abandon()

    def abandon(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)


def _check_regular(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))


def _target_format(path: Path, like: AudioReader) -> tuple[str, str, str]:
    """Format, subtype and byte order for a new file."""
    file_format, subtype, endian = _wanted_format(path, like)
    if subtype.startswith("ALAC"):  # libsndfile 1.2.2 overruns its buffer on loud noise
        raise AudioFormatError("ALAC can be read but not written; name an output with another suffix, such as .flac")
    return file_format, subtype, endian


def _wanted_format(path: Path, like: AudioReader) -> tuple[str, str, str]:
    if path.suffix.lower() == like.path.suffix.lower():
        return like.format, like.subtype, like.endian
    suffix = path.suffix[1:].upper()
    file_format = {"OGA": "OGG", "OPUS": "OGG", "AIF": "AIFF"}.get(suffix, suffix)
    if file_format not in soundfile.available_formats():
        raise AudioFormatError(f"no audio format has the suffix {path.suffix!r}; known: wav, flac, ogg, opus, mp3, aiff, ...")
    if path.suffix.lower() == ".opus":
        return file_format, "OPUS", "FILE"
    if soundfile.check_format(file_format, like.subtype, "FILE"):
        return file_format, like.subtype, "FILE"
    return file_format, str(soundfile.default_subtype(file_format)), "FILE"


def _sample_type(read: str, written: str) -> npt.DTypeLike:
    """The type in which samples pass: integers where both files have them, so that full scale is the same number."""
    if {read, written} <= _INT16_SUBTYPES:
        return np.int16
    if {read, written} <= _INT16_SUBTYPES | _INT32_SUBTYPES:
        return np.int32
    return np.float32


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
