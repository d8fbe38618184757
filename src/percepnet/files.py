"""Whole files, in constant memory: enhance_file() and its report."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from percepnet.audio import AudioReader, AudioWriter, Sink, Source
from percepnet.controls import Controls
from percepnet.enhancer import Enhancer
from percepnet.errors import ArgumentError, AudioFormatError, PercepNetError
from percepnet.measurement import Measurement
from percepnet.weights import Model, load_model

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Names that PyAV reads (extra `media`); all others go to libsndfile.
MEDIA_SUFFIXES: Final = frozenset(
    f".{name}"
    for name in ("aac", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp4", "webm", "wma", "wmv", "avi", "ts", "ac3", "3gp")
)
AUDIO_SUFFIXES: Final = frozenset(
    f".{name}" for name in ("wav", "w64", "rf64", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc", "au", "caf")
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FileReport:
    """What happened to one file. What is not known is None: everything about a file that failed, or was skipped.

    status: "ok", "skipped" or "failed"
    samples: per channel
    seconds, elapsed_seconds, speed: of audio, of work, and the ratio of the two
    level_db: root mean square of the input, full scale 0
    speech_ratio: share of 10 ms hops with speech
    snr_before_db, snr_after_db: estimates, from the level of hops with speech and of those without, -20 to 100
    clipped_samples: input samples at full scale beside another, of all channels
    bandwidth_hz: where the input's spectrum ends, which may be far below half its rate
    invalid_samples, first_invalid_sample: NaN or infinite, replaced by 0
    """

    input: str
    output: str | None = None
    status: str = "ok"
    error: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    samples: int | None = None
    seconds: float | None = None
    elapsed_seconds: float | None = None
    speed: float | None = None
    level_db: float | None = None
    speech_ratio: float | None = None
    snr_before_db: float | None = None
    snr_after_db: float | None = None
    clipped_samples: int | None = None
    bandwidth_hz: float | None = None
    invalid_samples: int | None = None
    first_invalid_sample: int | None = None
    model: str | None = None
    model_sha256: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


def enhance_file(
    source: "str | PathLike[str]",
    target: "str | PathLike[str] | None" = None,
    *,
    model: "str | PathLike[str] | Model" = "default",
    subtype: str | None = None,
    skip_existing: bool = False,
    progress: Progress | None = None,
    **controls: "Unpack[Controls]",
) -> FileReport:
    """Cleans an audio file in constant memory: same rate, channels, encoding, length and title out as in.

    source: a file that libsndfile reads, or, with the extra `media`, any that FFmpeg reads; video is copied
    target: its suffix is its format; without it, <stem>.clean<suffix> beside the source. It appears when it is whole.
    subtype: another encoding, such as "PCM_24"
    skip_existing: do nothing where the target exists
    progress: called with the samples done and to do, after every block; what it raises ends the work without a trace
    controls: those of Enhancer

    Raises AudioFormatError where the source is not whole audio, and PercepNetError where something cannot be read or
    written, before any file appears.
    """
    source = Path(source)
    target = default_target(source, bool(controls.get("residual"))) if target is None else Path(target)
    try:
        return clean_file(source, target, load_model(model), subtype, skip_existing, progress, controls)
    except PercepNetError as error:
        if type(error) in (PercepNetError, AudioFormatError):  # of a file, without its name
            raise type(error)(f"{source}: {error}") from error
        raise


def clean_file(
    source: Path,
    target: Path,
    loaded: Model,
    subtype: str | None,
    skip_existing: bool,
    progress: Progress | None,
    controls: Controls,
) -> FileReport:
    """enhance_file(), for those who say themselves which file failed."""
    if same_file(source, target):
        raise ArgumentError(f"{target} is the input and would be overwritten; name another output")
    report = FileReport(str(source), str(target), model=loaded.id, model_sha256=loaded.sha256)
    if skip_existing and os.path.exists(target):  # noqa: PTH110 - which is False, not an error, for an impossible name
        return FileReport(str(source), str(target), "skipped")
    start = time.perf_counter()
    facts = _copy_enhanced(source, target, loaded, subtype, progress or _ignore, controls)
    elapsed = time.perf_counter() - start
    speed = round(facts["seconds"] / elapsed, 1)
    return replace(report, elapsed_seconds=round(elapsed, 3), speed=speed, **facts)


def default_target(source: Path, residual: bool = False, suffix: str | None = None) -> Path:
    """Where the result goes if nobody says: <stem>.clean<suffix>, or <stem>.residual<suffix>."""
    return source.with_name(f"{source.stem}.{'residual' if residual else 'clean'}{suffix or source.suffix}")


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, which need not exist."""
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return os.path.realpath(one) == os.path.realpath(other)


def _copy_enhanced(
    source: Path, target: Path, model: Model, subtype: str | None, progress: Progress, controls: Controls
) -> dict[str, Any]:
    with ExitStack() as stack:
        reader = stack.enter_context(open_source(source))
        enhancer = stack.enter_context(Enhancer(reader.sample_rate, reader.channels, model, **controls))
        writer = stack.enter_context(open_sink(target, reader, subtype))
        measurement = Measurement(reader.sample_rate)
        done = 0
        for block in reader.blocks(writer.dtype):
            cleaned, frames = enhancer.process_frames(block)
            writer.write(cleaned)
            measurement.add(block, cleaned, frames)
            done += block.shape[-1]
            progress(done, max(done, reader.n_samples))
        facts = {
            "sample_rate": reader.sample_rate,
            "channels": reader.channels,
            "samples": done,
            "seconds": round(done / reader.sample_rate, 3),
            "invalid_samples": enhancer.invalid_samples,
            "first_invalid_sample": enhancer.first_invalid_sample,
        }
        cleaned, frames = enhancer.flush_frames()
        writer.write(cleaned)
        measurement.add(cleaned[:, :0], cleaned, frames)
        progress(done, done)
    return facts | measurement.result()


def open_source(path: Path) -> Source:
    """A reader for the file."""
    if path.suffix.lower() in MEDIA_SUFFIXES:
        from percepnet.media import MediaReader  # noqa: PLC0415 - of an extra

        return MediaReader(path)
    return AudioReader(path)


def open_sink(path: Path, like: Source, subtype: str | None) -> Sink:
    """A writer for the file."""
    if path.suffix.lower() in MEDIA_SUFFIXES:
        from percepnet.media import MediaWriter  # noqa: PLC0415 - of an extra

        return MediaWriter(path, like, subtype)
    return AudioWriter(path, like, subtype)


def _ignore(done: int, total: int) -> None:
    pass
