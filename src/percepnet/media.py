"""What libsndfile does not read: AAC, M4A, MP4, MKV, WebM and so on, through PyAV. Video goes through untouched."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from percepnet.audio import BLOCK, Audio, Sink, Source
from percepnet.errors import AudioFormatError, PercepNetError, require
from percepnet.output import OutputFile, check_regular

PURPOSE: Final = "reading and writing AAC and video"

# Suffixes whose container has another name in FFmpeg.
_CONTAINERS: Final = {"aac": "adts", "m4a": "ipod", "m4b": "ipod", "m4v": "mp4", "mka": "matroska", "mkv": "matroska"} | {
    "ts": "mpegts",
    "wma": "asf",
    "wmv": "asf",
}
# Codecs that a container has beyond those that FFmpeg lists for it.
_ALSO_HELD: Final[dict[str, set[str]]] = {"mpegts": {"aac", "ac3", "eac3", "mp3"}}
_ENCODERS: Final = {"opus": "libopus", "mp3": "libmp3lame"}  # of codecs that FFmpeg itself does not write well
_COMMON: Final = "aac"  # where a container does not hold the codec of the input, or that does not know its rate
_INSTEAD: Final = {"vorbis": "opus"}  # FFmpeg's own encoder of the first is an experiment
_UNTIMED: Final = ("adts", "ac3")  # containers that cannot say how much of their beginning is the encoder's own delay
_AT_ZERO: Final = "mpegts"  # this one cannot either, but what goes with the sound is shifted with it
_TIMED_BY_HEADER: Final = ("mov", "matroska")  # containers that know how long they are
_CUT_S: Final = 0.5  # missing at the end: truncated
_GAP_S: Final = 0.03  # between frames: time that the timestamps say has no sound; less is rounding
_DEFAULT_BIT_RATE: Final = 96000  # per channel, where the input has none: transparent for speech in AAC and Opus
_PICTURES: Final = ("mjpeg", "png", "bmp", "gif")
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_DTYPES: Final = {np.dtype(np.int16): "s16p", np.dtype(np.int32): "s32p", np.dtype(np.float32): "fltp"}


class MediaReader(Source):
    """The first audio stream of a file, on a timeline without gaps: where timestamps leave one, there is silence.

    start: where the first sample belongs, in samples; codec priming and edit lists are accounted for
    encoder: name of the codec that writes the same
    n_samples: an estimate, from the header

    Raises MissingExtraError without PyAV, AudioFormatError where the file is not whole audio.
    """

    def __init__(self, path: Path) -> None:
        self._av = require("av", PURPOSE, "media")
        try:
            check_regular(path)
            empty = path.stat().st_size == 0
        except OSError as error:
            raise PercepNetError(f"cannot read: {error.strerror}") from error
        if empty:
            raise AudioFormatError("the file is empty")
        try:
            self.container = self._av.open(str(path), metadata_errors="replace")
        except OSError as error:
            raise PercepNetError(f"cannot read: {error.strerror}") from error
        except self._av.error.FFmpegError as error:
            raise AudioFormatError(f"not an audio or video file that can be read ({_reason(error)})") from error
        if not self.container.streams.audio:
            self.close()
            raise AudioFormatError("the file contains no audio")
        self.stream = self.container.streams.best("audio") or self.container.streams.audio[0]
        codec = self.stream.codec_context
        self.path = path
        self.sample_rate, self.channels = codec.sample_rate, codec.layout.nb_channels
        self.format, self.subtype, self.endian = self.container.format.name, codec.codec.canonical_name, "FILE"
        self.encoder = _ENCODERS.get(self.subtype, self.subtype)
        self.metadata = dict(self.container.metadata)
        self.bit_rate = codec.bit_rate
        self.start = 0
        self.n_samples = round((self._header_s() or 0) * self.sample_rate)
        self.on_packet: Callable[[Any], None] = lambda _: None  # is given what is not of this stream

    def blocks(self, dtype: npt.DTypeLike = np.float32) -> Iterator[Audio]:
        """All samples in arrays of (channels, about BLOCK)."""
        resampler = self._av.AudioResampler(_DTYPES[np.dtype(dtype)], self.stream.codec_context.layout, self.sample_rate)
        waiting: list[Audio] = []
        position: int | None = None
        for frame in self._frames():
            at = self._position(frame)
            for part in resampler.resample(frame):
                samples = part.to_ndarray()
                if position is None:
                    self.start = position = at or 0
                samples = _in_place(samples, 0 if at is None else at - position, round(_GAP_S * self.sample_rate))
                at = None
                position += samples.shape[1]
                waiting.append(samples)
            if sum(samples.shape[1] for samples in waiting) >= BLOCK:
                yield np.concatenate(waiting, axis=1)
                waiting = []
        if position is None:
            raise AudioFormatError("the file contains no audio")
        if waiting:
            yield np.concatenate(waiting, axis=1)

    def close(self) -> None:
        """Closes the file."""
        self.container.close()

    def _frames(self) -> Iterator[Any]:
        end_s = 0.0
        try:
            for packet in self.container.demux():
                if packet.pts is not None and packet.time_base:
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream is self.stream:
                    yield from packet.decode()
                else:
                    self.on_packet(packet)
        except self._av.error.FFmpegError as error:
            raise AudioFormatError(f"the file is damaged after {end_s:.1f} s ({_reason(error)})") from error
        header_s = self._header_s()
        if header_s is not None and self.format.startswith(_TIMED_BY_HEADER) and end_s < header_s - _CUT_S:
            raise AudioFormatError(f"the file is truncated: expected {header_s:.1f} s, got {end_s:.1f} s")

    def _header_s(self) -> float | None:
        duration = self.container.duration
        return None if duration is None else (duration + max(self.container.start_time or 0, 0)) / self._av.time_base

    def _position(self, frame: Any) -> int | None:
        """Of the frame's first sample, in samples."""
        return None if frame.pts is None else round(frame.pts * frame.time_base * self.sample_rate)


class MediaWriter(Sink):
    """A new file with the codec, bit rate, metadata, chapters and all other streams of the one being read."""

    def __init__(self, path: Path, like: Source, codec: str | None = None) -> None:
        self._av = require("av", PURPOSE, "media")
        self._other: dict[int, Any] = {}
        try:
            self._file = OutputFile(path)
        except OSError as error:
            raise PercepNetError(f"cannot write {path}: {error.strerror}") from error
        try:
            suffix = path.suffix[1:].lower()
            self._container = self._av.open(self._file, "w", format=_CONTAINERS.get(suffix, suffix))
            self._add_streams(like, codec.lower() if codec else None)
            self._container.metadata.update(like.metadata)
            if isinstance(like, MediaReader):
                self._container.set_chapters(like.container.chapters())
            self._container.start_encoding()
        except BaseException as error:  # noqa: BLE001 - whatever happens, no partial file stays
            self._file.discard()
            self._raise_failure(error)
        self._like = like
        self._position: int | None = None
        container = self._container.format.name
        self._left_out = self._priming() if container in _UNTIMED or (container == _AT_ZERO and not self._other) else 0
        self.dtype = {"s16": np.int16, "s32": np.int32}.get(self._stream.codec_context.format.packed.name, np.float32)

    def write(self, samples: Audio) -> None:
        """Appends (channels, samples) of `dtype`."""
        if self._position is None:
            self._position = self._like.start if isinstance(self._like, MediaReader) else 0
        samples, self._left_out = samples[:, self._left_out :], max(self._left_out - samples.shape[1], 0)
        if not samples.shape[1]:
            return
        layout = _DTYPES[np.dtype(self.dtype)]
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=layout, layout=self._stream.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = (
            self._like.sample_rate,
            self._position,
            Fraction(1, self._like.sample_rate),
        )
        self._position += samples.shape[1]
        self._encode(frame)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._encode(None)
                self._container.close()
                self._raise_failure(None)
                self._file.commit()
        except (OSError, self._av.error.FFmpegError) as failure:
            self._raise_failure(failure)
        finally:
            self._file.discard()

    def _add_streams(self, like: Source, codec: str | None) -> None:
        """The same streams in the same order, but for the one that is cleaned, which gets an encoder."""
        if not isinstance(like, MediaReader):
            name = codec or self._container.default_audio_codec
            self._stream = self._add_audio(_ENCODERS.get(name, name), like.sample_rate, _layout(like.channels), None)
            return
        holds_others = self._container.default_video_codec != "none"
        for stream in like.container.streams:
            if stream is like.stream:
                name = codec or self._codec_like(like)
                bit_rate = like.bit_rate if name == like.subtype else None
                layout = stream.codec_context.layout
                if layout.name.endswith("channels") and like.channels in _LAYOUTS:  # of no order, as in PCM
                    layout = _layout(like.channels)
                self._stream = self._add_audio(_ENCODERS.get(name, name), like.sample_rate, layout, bit_rate)
                self._stream.metadata.update(stream.metadata)
            elif holds_others and stream.type in ("video", "audio", "subtitle", "attachment"):
                self._add_other(stream)
        like.on_packet = self._copy

    def _codec_like(self, like: MediaReader) -> str:
        """That of the input, or one that the container holds and that knows the rate."""
        held = self._container.supported_codecs | _ALSO_HELD.get(self._container.format.name, set())
        default: str = self._container.default_audio_codec
        names = [name for name in (_INSTEAD.get(like.subtype, like.subtype), _COMMON, default) if name in held]
        return next((name for name in names if self._knows(name, like.sample_rate)), names[0] if names else default)

    def _knows(self, name: str, sample_rate: int) -> bool:
        try:
            rates = self._av.Codec(_ENCODERS.get(name, name), "w").audio_rates
        except self._av.error.FFmpegError:
            return False
        return rates is None or sample_rate in rates

    def _add_other(self, stream: Any) -> None:
        try:
            other = self._container.add_stream_from_template(stream, opaque=True)
        except ValueError as error:
            if stream.codec_context.name in _PICTURES:  # the cover of a song, which PyAV cannot mark as one
                return
            raise AudioFormatError(f"cannot write {self._file.target} in this format ({_reason(error)})") from error
        other.metadata.update(stream.metadata)
        self._other[stream.index] = other

    def _add_audio(self, name: str, sample_rate: int, layout: Any, bit_rate: float | None) -> Any:
        try:
            codec = self._av.Codec(name, "w")
        except self._av.error.FFmpegError as error:
            raise AudioFormatError(f"this PyAV cannot write {name}; name another output, such as .m4a or .wav") from error
        if codec.audio_rates and sample_rate not in codec.audio_rates:
            rates = ", ".join(map(str, sorted(codec.audio_rates)))
            raise AudioFormatError(
                f"{name} has no sample rate of {sample_rate} Hz; it has {rates}; name another output, such as .m4a or .wav"
            )
        stream = self._container.add_stream(name, rate=sample_rate)
        stream.codec_context.layout = layout
        stream.codec_context.time_base = Fraction(1, sample_rate)
        if not codec.lossless or codec.lossy:
            stream.codec_context.bit_rate = round(bit_rate or _DEFAULT_BIT_RATE * stream.codec_context.layout.nb_channels)
        return stream

    def _priming(self) -> int:
        """How many samples later than its input a decoder gives this encoder's first sample, if nobody tells it to wait."""
        like = self._stream.codec_context
        codec = self._av.CodecContext.create(like.codec.name, "w")
        codec.sample_rate, codec.layout, codec.format, codec.time_base = (
            like.sample_rate,
            like.layout,
            like.format,
            like.time_base,
        )
        silence = np.zeros((like.layout.nb_channels, 2 * BLOCK), np.float32)
        frame = self._av.AudioFrame.from_ndarray(silence, format="fltp", layout=like.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = like.sample_rate, 0, like.time_base
        return max(0, -(codec.encode(frame)[0].pts or 0))

    def _encode(self, frame: Any) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (OSError, ValueError, self._av.error.FFmpegError) as error:
            self._raise_failure(error)
        self._raise_failure(None)

    def _copy(self, packet: Any) -> None:
        if packet.stream.index in self._other and packet.dts is not None:
            packet.stream = self._other[packet.stream.index]
            try:
                self._container.mux(packet)
            except (OSError, ValueError, self._av.error.FFmpegError) as error:
                self._raise_failure(error)

    def _raise_failure(self, error: BaseException | None) -> None:
        """Raises what went wrong in the file below, else what FFmpeg said, if anything."""
        error = self._file.failure or error
        if isinstance(error, PercepNetError):
            raise error
        if isinstance(error, (self._av.error.FFmpegError, ValueError)) and not self._file.failure:
            raise AudioFormatError(f"cannot write {self._file.target} in this format ({_reason(error)})") from error
        if isinstance(error, OSError):
            raise PercepNetError(f"cannot write {self._file.target}: {error.strerror}") from error
        if error is not None:
            raise error


def _in_place(samples: Audio, late: int, tolerance: int) -> Audio:
    """A frame that comes `late` samples after the one before ends: silence before it, or its overlap cut."""
    if late > tolerance:
        return np.pad(samples, ((0, 0), (late, 0)))
    return samples[:, -late:] if late < -tolerance else samples


def _layout(channels: int) -> str:
    if channels not in _LAYOUTS:
        raise AudioFormatError(f"expected 1 to 8 channels for this format, got {channels}")
    return _LAYOUTS[channels]


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")
