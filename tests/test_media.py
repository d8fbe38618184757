"""AAC, M4A and video: sound in its place to the sample, pictures untouched."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import percepnet
import signals
from percepnet.evaluation import evaluate

av = pytest.importorskip("av")

RATE = 48000
# suffix, video codec, audio codec, rate; every pair that is met in the wild and that PyAV can write
KINDS = [
    ("mp4", "mpeg4", "aac", 48000),
    ("mp4", "mpeg4", "aac", 44100),
    ("mov", "mpeg4", "pcm_s16le", 48000),
    ("mkv", "mpeg4", "aac", 48000),
    ("mkv", "mpeg4", "libopus", 48000),
    ("mkv", "mpeg4", "flac", 44100),
    ("mkv", "mpeg4", "ac3", 48000),
    ("webm", "libvpx", "libopus", 48000),
    ("m4a", None, "aac", 44100),
    ("m4a", None, "alac", 48000),
    ("mka", None, "libmp3lame", 44100),
    ("aac", None, "aac", 16000),
]
CONTAINERS = {"ts": "mpegts", "m4a": "ipod", "mkv": "matroska", "mka": "matroska", "aac": "adts"}
CHAPTERS = [(0, 1, "Begrüßung"), (1, 3, "Talk")]  # from and to, in half seconds


def sound(sample_rate: int, channels: int, length_s: float = 1.5) -> np.ndarray:
    """A sweep over noise: its correlation with itself is one peak."""
    sweep = signals.sweep(200, 3000, length_s, 0.3, sample_rate) * (np.arange(round(length_s * sample_rate)) > sample_rate // 4)
    return np.stack([sweep + signals.noise(length_s, -60, seed=c, sample_rate=sample_rate) for c in range(channels)])


def make(path: Path, video: str | None, audio: str, sample_rate: int, channels: int = 2, gap_s: float = 0.0) -> Path:
    """A film of 25 pictures a second; `gap_s` of the sound, half a second in, is not there."""
    suffix = path.suffix[1:]
    samples = sound(sample_rate, channels).astype(np.float32)
    with av.open(str(path), "w", format=CONTAINERS.get(suffix, suffix)) as container:
        container.metadata["title"] = "A title"
        container.set_chapters(
            [
                {"id": i, "start": start, "end": end, "time_base": Fraction(1, 2), "metadata": {"title": title}}
                for i, (start, end, title) in enumerate(CHAPTERS)
            ]
        )
        pixels = "yuvj420p" if video == "mjpeg" else "yuv420p"
        pictures = container.add_stream(video, rate=25, width=64, height=48, pix_fmt=pixels) if video else None
        voice = container.add_stream(audio, rate=sample_rate, options={"strict": "experimental"})  # of Vorbis
        voice.layout = {1: "mono", 2: "stereo"}[channels]
        for i in range(round(25 * samples.shape[1] / sample_rate)) if pictures else ():
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * (i % 25), np.uint8), format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, 25)
            container.mux(pictures.encode(picture))
        first, last = sample_rate // 2, sample_rate // 2 + round(gap_s * sample_rate)
        for start, part in ((0, samples[:, :first]), (last, samples[:, last:])):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout=voice.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
            container.mux(voice.encode(frame))
        for stream in (voice, pictures):
            container.mux(stream.encode(None) if stream else [])
    return path


def heard(path: Path) -> tuple[np.ndarray, int]:
    """(samples,) of the first channel and the rate, by FFmpeg's own account of time: silence before the first frame."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate, out = stream.codec_context.sample_rate, np.zeros(0)
        resampler = av.AudioResampler("fltp", stream.codec_context.layout, rate)
        for frame in container.decode(stream):
            at = round(frame.pts * frame.time_base * rate)
            out = np.pad(out, (0, max(at - out.size, 0)) if at - out.size > rate // 50 or not out.size else (0, 0))
            out = np.concatenate([out, *(part.to_ndarray()[0] for part in resampler.resample(frame))])
    return out, rate


def seen(path: Path) -> list[tuple[Any, bytes]]:
    """Time in seconds and contents of every packet of video."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0]) if container.streams.video else ()
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.dts is not None]


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """By how many samples `other` is late, from the peak of their correlation."""
    n = min(one.size, other.size)
    product = np.fft.rfft(other[:n], 2 * n) * np.conj(np.fft.rfft(one[:n], 2 * n))
    peak = int(np.argmax(np.fft.irfft(product)))
    return peak - 2 * n if peak > n else peak


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}-{kind[2]}-{kind[3]}")
def test_sound_stays_in_place_and_pictures_as_they_are(tmp_path: Path, kind: tuple[str, str | None, str, int]) -> None:
    source = make(tmp_path / f"in.{kind[0]}", *kind[1:])
    target = tmp_path / f"out.{kind[0]}"

    report = percepnet.enhance_file(source, target, attenuation_limit_db=0)

    before, rate = heard(source)
    after, rate_after = heard(target)
    assert (rate_after, report.sample_rate, report.channels) == (rate, kind[3], 2)
    assert abs(lag(before, after)) <= 1
    assert abs(before.size - after.size) <= 2048  # two frames of the codec
    assert seen(source) == seen(target)


CONVERSIONS = [  # from, its codec, to, the codec there, as PyAV names decoders
    ("ts", "aac", "ts", "aac"),
    ("ts", "ac3", "ts", "ac3"),
    ("m4a", "aac", "ts", "aac"),
    ("webm", "libopus", "m4a", "aac"),
    ("webm", "vorbis", "webm", "opus"),
    ("webm", "libopus", "mkv", "opus"),
    ("mka", "libmp3lame", "webm", "opus"),
    ("mka", "pcm_s16le", "m4a", "aac"),
    ("mov", "pcm_s16le", "webm", "opus"),
]


@pytest.mark.parametrize("kind", CONVERSIONS, ids="-".join)
def test_codec_stays_where_the_container_holds_it(tmp_path: Path, kind: tuple[str, str, str, str]) -> None:
    suffix, codec, other, expected = kind
    source, target = make(tmp_path / f"in.{suffix}", None, codec, RATE), tmp_path / f"out.{other}"

    percepnet.enhance_file(source, target, attenuation_limit_db=0)

    with av.open(str(target)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == expected
    assert abs(lag(heard(source)[0], heard(target)[0])) <= 1


def test_vorbis_of_a_rate_that_opus_does_not_know_becomes_aac(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mkv", None, "vorbis", 44100)

    percepnet.enhance_file(source, tmp_path / "out.mkv", attenuation_limit_db=0)

    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == "aac"
    assert abs(lag(heard(source)[0], heard(tmp_path / "out.mkv")[0])) <= 44  # Matroska counts milliseconds


def test_cover_of_a_song_is_no_obstacle(tmp_path: Path) -> None:
    """FFmpeg calls it a film of one picture, and M4A has no films."""
    source = make(tmp_path / "in.mp4", "mjpeg", "aac", RATE)

    percepnet.enhance_file(source, tmp_path / "out.m4a", attenuation_limit_db=0)

    assert abs(lag(heard(source)[0], heard(tmp_path / "out.m4a")[0])) <= 1


def test_film_is_scored(tmp_path: Path) -> None:
    film = make(tmp_path / "a.mp4", "mpeg4", "aac", RATE)
    evaluation = evaluate(film, film, film, metrics=["si_sdr"])

    assert not evaluation.failed


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "m4a"])
def test_title_and_codec_stay(tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"in.{suffix}", None, "aac", RATE)

    percepnet.enhance_file(source)

    with av.open(str(tmp_path / f"in.clean.{suffix}")) as container:
        found = container.metadata["title"], container.streams.audio[0].codec_context.codec.canonical_name
    assert found == ("A title", "aac")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "m4a"])
def test_chapters_stay(tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / f"in.{suffix}", None, "aac", RATE)

    percepnet.enhance_file(source)

    with av.open(str(tmp_path / f"in.clean.{suffix}")) as container:
        chapters = container.chapters()
    found = [(*(2 * c[at] * c["time_base"] for at in ("start", "end")), c["metadata"]["title"]) for c in chapters]
    assert found == CHAPTERS


def test_gap_in_the_timestamps_is_silence_and_shifts_nothing(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mkv", "mpeg4", "flac", RATE, gap_s=0.3)

    percepnet.enhance_file(source, tmp_path / "out.mkv", attenuation_limit_db=0)

    after, _ = heard(tmp_path / "out.mkv")
    whole = sound(RATE, 1)[0]
    late = slice(round(0.9 * RATE), round(1.4 * RATE))
    assert abs(lag(whole[late], after[late])) <= RATE // 1000  # Matroska counts milliseconds
    assert np.max(np.abs(after[round(0.6 * RATE) : round(0.75 * RATE)])) < 0.01


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_sound_of_a_film_may_become_a_plain_file(tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / "in.mp4", "mpeg4", "aac", RATE)

    report = percepnet.enhance_file(source, tmp_path / f"out.{suffix}", attenuation_limit_db=0)

    assert abs(lag(*(heard(tmp_path / name)[0] for name in ("in.mp4", f"out.{suffix}")))) <= 1
    assert report.samples == heard(tmp_path / f"out.{suffix}")[0].size


def test_plain_file_may_become_aac(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "in.wav", sound(RATE, 2).T, RATE)

    percepnet.enhance_file(tmp_path / "in.wav", tmp_path / "out.m4a", attenuation_limit_db=0)

    assert abs(lag(sound(RATE, 1)[0], heard(tmp_path / "out.m4a")[0])) <= 1


# ---- what is wrong


def text(path: Path) -> Iterator[str]:
    path.write_text("no film " * 1000)
    yield "not an audio or video file that can be read"


def empty(path: Path) -> Iterator[str]:
    path.touch()
    yield "the file is empty"


def silent_film(path: Path) -> Iterator[str]:
    make(path, "mpeg4", "aac", RATE)
    with av.open(str(path)) as film, av.open(str(path) + ".mute", "w", format="mp4") as mute:
        pictures = mute.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                mute.mux(packet)
    Path(str(path) + ".mute").replace(path)
    yield "the file contains no audio"


def truncated(path: Path) -> Iterator[str]:
    make(path, "mpeg4", "aac", RATE)
    path.write_bytes(path.read_bytes()[:-4000])  # an index at the end is cut off
    yield "not an audio or video file that can be read"


def truncated_matroska(path: Path) -> Iterator[str]:
    made = make(path.with_suffix(".mkv"), None, "flac", RATE)
    path.write_bytes(made.read_bytes()[: made.stat().st_size // 2])
    made.unlink()
    yield "the file is truncated: expected 1.5 s, got 0."


@pytest.mark.parametrize("kind", [text, empty, silent_film, truncated, truncated_matroska], ids=lambda kind: kind.__name__)
def test_bad_film_is_said_and_nothing_written(tmp_path: Path, kind: Any) -> None:
    [line] = kind(tmp_path / "in.mp4")

    with pytest.raises(percepnet.AudioFormatError, match=line):
        percepnet.enhance_file(tmp_path / "in.mp4", tmp_path / "out.mp4")

    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("rate", "channels", "suffix", "line"),
    [
        (22050, 1, "webm", "libopus has no sample rate of 22050 Hz"),
        (48000, 9, "m4a", "expected 1 to 8 channels for this format"),
    ],
)
def test_what_a_codec_cannot_do_is_said(tmp_path: Path, rate: int, channels: int, suffix: str, line: str) -> None:
    import soundfile

    soundfile.write(tmp_path / "in.wav", np.zeros((4800, channels)), rate)

    with pytest.raises(percepnet.AudioFormatError, match=line):
        percepnet.enhance_file(tmp_path / "in.wav", tmp_path / f"out.{suffix}")
