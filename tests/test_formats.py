"""Every cell of docs/formats.md: length, place and title of what comes back."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

import formats
import percepnet
import signals

ROOT = Path(__file__).parents[1]
LENGTH_S = 0.3


def sound(sample_rate: int, channels: int) -> np.ndarray:
    """(samples, channels): a sweep that starts late; a peak in its correlation with itself."""
    sweep = signals.sweep(300, 3000, LENGTH_S, 0.4, sample_rate)
    sweep[: sweep.size // 5] = 0
    return np.repeat(sweep[:, None], channels, axis=1)


def lag(one: np.ndarray, other: np.ndarray) -> int:
    n = min(one.size, other.size)
    product = np.fft.rfft(other[:n], 2 * n) * np.conj(np.fft.rfft(one[:n], 2 * n))
    peak = int(np.argmax(np.fft.irfft(product)))
    return peak - 2 * n if peak > n else peak


def problem(before: np.ndarray, after: np.ndarray, slack: int) -> str:
    if abs(len(before) - len(after)) > slack:
        return f"{len(before)} samples became {len(after)}"
    if before.shape[1:] != after.shape[1:]:
        return f"{before.shape[1]} channels became {after.shape[1]}"
    late = lag(before[:, 0], after[:, 0])
    return f"{late} samples late" if abs(late) > 1 else ""


def through(kind: formats.Kind, sample_rate: int, channels: int, folder: Path) -> str:
    """What is wrong with one cell, or nothing."""
    source, target = folder / f"in.{kind.suffix}", folder / f"out.{kind.suffix}"
    with soundfile.SoundFile(source, "w", sample_rate, channels, kind.encoding, format=kind.container) as file:
        if kind.has_title:
            file.title = "A title"
        file.write(sound(sample_rate, channels))
    percepnet.enhance_file(source, target, attenuation_limit_db=0)
    info = soundfile.SoundFile(target)
    if (info.samplerate, info.format, info.subtype) != (sample_rate, kind.container, kind.encoding):
        return f"became {info}"
    if kind.has_title and info.title != "A title":
        return f"title became {info.title!r}"
    return problem(soundfile.read(source, always_2d=True)[0], soundfile.read(target, always_2d=True)[0], kind.slack)


@pytest.mark.parametrize("kind", formats.SOUNDFILE, ids=lambda kind: f"{kind.container}-{kind.encoding}")
def test_every_cell_comes_back_in_place(kind: formats.Kind, tmp_path: Path) -> None:
    found = {
        (sample_rate, channels): through(kind, sample_rate, channels, tmp_path)
        for sample_rate in kind.rates
        for channels in kind.channels
    }

    assert {cell: text for cell, text in found.items() if text} == {}


# ---- with PyAV

CONTAINERS = {"m4a": "ipod", "mp4": "mp4", "mkv": "matroska", "webm": "webm"}
ENCODERS = {"AAC": "aac", "ALAC": "alac", "FLAC": "flac", "OPUS": "libopus"}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def through_media(kind: formats.Kind, sample_rate: int, channels: int, folder: Path) -> str:
    av = pytest.importorskip("av")
    source, target = folder / f"in.{kind.suffix}", folder / f"out.{kind.suffix}"
    with av.open(str(source), "w", format=CONTAINERS[kind.suffix]) as container:
        container.metadata["title"] = "A title"
        stream = container.add_stream(ENCODERS[kind.encoding], rate=sample_rate)
        stream.layout = LAYOUTS[channels]
        samples = np.ascontiguousarray(sound(sample_rate, channels).T, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=LAYOUTS[channels])
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    percepnet.enhance_file(source, target, attenuation_limit_db=0)
    with av.open(str(target)) as container:
        codec = container.streams.audio[0].codec_context
        if (codec.sample_rate, codec.codec.canonical_name) != (sample_rate, kind.encoding.lower()):
            return f"became {codec}"
        if container.metadata.get("title") != "A title":
            return f"title became {container.metadata.get('title')!r}"
    return problem(decoded(source, sample_rate), decoded(target, sample_rate), kind.slack)


def decoded(path: Path, sample_rate: int) -> np.ndarray:
    """(samples, channels), with silence for what comes before the first frame."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", stream.codec_context.layout, sample_rate)
        frames = list(container.decode(stream))
        samples = np.concatenate([part.to_ndarray() for frame in frames for part in resampler.resample(frame)], axis=1)
    start = round(frames[0].pts * frames[0].time_base * sample_rate)
    return np.pad(samples, ((0, 0), (max(start, 0), 0))).T


@pytest.mark.parametrize("kind", formats.MEDIA, ids=lambda kind: f"{kind.suffix}-{kind.encoding}")
def test_every_cell_of_media_comes_back_in_place(kind: formats.Kind, tmp_path: Path) -> None:
    found = {
        (sample_rate, channels): through_media(kind, sample_rate, channels, tmp_path)
        for sample_rate in kind.rates
        for channels in kind.channels
    }

    assert {cell: text for cell, text in found.items() if text} == {}


def test_the_page_shows_this_list() -> None:
    assert (ROOT / "docs" / "formats.md").read_text(encoding="utf-8") == formats.table()
