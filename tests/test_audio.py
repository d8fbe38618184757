"""Files: the same format, rate, channels, length and metadata out as in, whole or not at all."""

import errno
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from percepnet.audio import BLOCK, AudioReader, AudioWriter
from percepnet.errors import AudioFormatError, PercepNetError
from percepnet.output import OutputFile

LOSSLESS = [
    ("wav", "WAV", "PCM_16"),
    ("wav", "WAV", "PCM_24"),
    ("wav", "WAV", "PCM_32"),
    ("wav", "WAV", "PCM_U8"),
    ("wav", "WAV", "FLOAT"),
    ("wav", "WAVEX", "PCM_24"),
    ("wav", "RF64", "PCM_16"),
    ("w64", "W64", "PCM_16"),
    ("aiff", "AIFF", "PCM_16"),
    ("au", "AU", "PCM_16"),
    ("caf", "CAF", "PCM_16"),
    ("flac", "FLAC", "PCM_16"),
    ("flac", "FLAC", "PCM_24"),
]
LOSSY = [("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"), ("mp3", "MP3", "MPEG_LAYER_III")]


def noise(n: int, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.5, 0.5, (n, channels))


def sweep(n: int) -> np.ndarray:
    """300 Hz to 2 kHz and beyond, amplitude 0.5."""
    time_s = np.arange(n) / 48000
    return 0.5 * np.sin(2 * np.pi * (300 + 400 * time_s) * time_s)


def make(folder: Path, suffix: str, file_format: str, subtype: str, n: int = 3 * BLOCK + 17) -> Path:
    path = folder / f"in.{suffix}"
    soundfile.write(path, noise(n), 48000, format=file_format, subtype=subtype)
    return path


def titled(folder: Path) -> Path:
    path = folder / "titled.wav"
    with soundfile.SoundFile(path, "w", 48000, 2) as file:
        file.title = "A title"
        file.write(noise(4800))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rewrite(source: Path, target: Path) -> None:
    with AudioReader(source) as reader, AudioWriter(target, reader) as writer:
        for block in reader.blocks(writer.dtype):
            writer.write(block)


def read_all(path: Path) -> None:
    with AudioReader(path) as reader:
        for _ in reader.blocks():
            pass


def truncate(path: Path, share: float = 0.6) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@pytest.mark.parametrize("kind", LOSSLESS, ids="-".join)
def test_lossless_file_is_copied_exactly(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    source = make(tmp_path, *kind)
    target = source.with_stem("out")

    rewrite(source, target)

    np.testing.assert_array_equal(soundfile.read(target)[0], soundfile.read(source)[0])


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY, ids="-".join)
def test_blocks_are_the_whole_file(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    suffix, file_format, subtype = kind
    source = tmp_path / f"in.{suffix}"
    soundfile.write(source, sweep(3 * BLOCK + 17), 48000, format=file_format, subtype=subtype)

    with AudioReader(source) as reader:
        samples = np.concatenate([block.copy() for block in reader.blocks()], axis=1)

    np.testing.assert_array_equal(samples[0], soundfile.read(source, dtype="float32")[0])


@pytest.mark.parametrize("kind", LOSSY, ids="-".join)
def test_lossy_file_keeps_length_and_alignment(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    suffix, file_format, subtype = kind
    source = tmp_path / f"in.{suffix}"
    soundfile.write(source, sweep(2 * BLOCK + 17), 48000, format=file_format, subtype=subtype)
    target = source.with_stem("out")

    rewrite(source, target)

    before, after = soundfile.read(source)[0], soundfile.read(target)[0]
    distances = {shift: np.std(np.roll(after, shift) - before) for shift in range(-3, 4)}
    assert (len(after), min(distances, key=lambda shift: distances[shift])) == (len(before), 0)


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY, ids="-".join)
def test_format_is_kept(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    source = make(tmp_path, *kind, n=4800)
    target = source.with_stem("out")

    rewrite(source, target)

    facts = [
        (f.format, f.subtype, f.samplerate, f.channels, f.frames) for f in (soundfile.info(source), soundfile.info(target))
    ]
    assert facts[0] == facts[1]


@pytest.mark.parametrize("kind", [("wav", "WAV", "PCM_16"), ("flac", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS")], ids="-".join)
def test_metadata_are_kept(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    suffix, file_format, subtype = kind
    source = tmp_path / f"in.{suffix}"
    with soundfile.SoundFile(source, "w", 48000, 1, subtype, format=file_format) as file:
        file.title, file.artist, file.comment = "Ça va", "nobody", "a test"
        file.write(noise(4800, 1))
    target = source.with_stem("out")

    rewrite(source, target)

    with soundfile.SoundFile(target) as file:
        assert (file.title, file.artist, file.comment) == ("Ça va", "nobody", "a test")


def test_big_endian_file_stays_big_endian(tmp_path: Path) -> None:
    source, target = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, noise(480), 48000, subtype="PCM_16", endian="BIG")

    rewrite(source, target)

    assert target.read_bytes()[:4] == b"RIFX"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("out.flac", ("FLAC", "PCM_16")),
        ("out.WAV", ("WAV", "PCM_16")),
        ("out.ogg", ("OGG", "VORBIS")),
        ("out.opus", ("OGG", "OPUS")),
        ("out.mp3", ("MP3", "MPEG_LAYER_III")),
        ("out.aif", ("AIFF", "PCM_16")),
    ],
)
def test_another_suffix_means_its_format(tmp_path: Path, name: str, expected: tuple[str, str]) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16", n=4800)

    rewrite(source, tmp_path / name)

    info = soundfile.info(tmp_path / name)
    assert (info.format, info.subtype) == expected


def test_full_scale_saturates_in_float_to_integer(tmp_path: Path) -> None:
    source, target = tmp_path / "in.wav", tmp_path / "out.flac"
    soundfile.write(source, np.array([1.5, -1.5, 0.0]), 48000, subtype="FLOAT")

    rewrite(source, target)

    np.testing.assert_array_equal(soundfile.read(target, dtype="int16")[0], [32767, -32768, 0])


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY, ids="-".join)
def test_truncated_file_is_refused(tmp_path: Path, kind: tuple[str, str, str]) -> None:
    path = make(tmp_path, *kind)
    truncate(path)

    with pytest.raises(AudioFormatError, match=r"truncated|damaged|malformed"):
        read_all(path)


def test_damaged_flac_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", "FLAC", "PCM_16")
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2 : len(contents) // 2 + 5000] = bytes(5000)
    path.write_bytes(contents)

    with pytest.raises(AudioFormatError, match=r"damaged|truncated"):
        read_all(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF - 36, 0x7FFFFFFF - 36])
def test_wav_from_a_pipe_has_no_size_and_is_accepted(tmp_path: Path, size: int) -> None:
    path = make(tmp_path, "wav", "WAV", "PCM_16", n=4800)
    contents = bytearray(path.read_bytes())
    contents[4:8] = contents[40:44] = struct.pack("<I", size)
    path.write_bytes(contents)

    with AudioReader(path) as reader:
        assert sum(block.shape[1] for block in reader.blocks()) == 4800


def test_wrong_outer_size_is_harmless(tmp_path: Path) -> None:
    path = make(tmp_path, "wav", "WAV", "PCM_16", n=4800)
    contents = bytearray(path.read_bytes())
    contents[4:8] = struct.pack("<I", len(contents))  # eight too many: a common mistake
    path.write_bytes(contents)

    with AudioReader(path) as reader:
        assert reader.n_samples == 4800


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("empty.wav", b"", "the file is empty"),
        ("text.wav", b"This is not audio at all.\n" * 100, "not an audio file"),
        ("noise.raw", bytes(1000), "not an audio file"),
        ("header.wav", b"RIFF\x24\0\0\0WAVEfmt ", "not an audio file"),
    ],
)
def test_what_is_not_audio_is_refused(tmp_path: Path, name: str, contents: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(contents)

    with pytest.raises(AudioFormatError, match=message):
        AudioReader(path)


def test_file_without_samples_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, "wav", "WAV", "PCM_16", n=0)

    with pytest.raises(AudioFormatError, match="contains no audio"):
        AudioReader(path)


def test_missing_file_and_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(PercepNetError, match="No such file"):
        AudioReader(tmp_path / "nothing.wav")
    with pytest.raises(PercepNetError, match="Is a directory"):
        AudioReader(tmp_path)


def test_alac_is_not_written(tmp_path: Path) -> None:
    source = tmp_path / "in.caf"
    soundfile.write(source, 0.01 * noise(4800), 48000, format="CAF", subtype="ALAC_16")

    with AudioReader(source) as reader, pytest.raises(AudioFormatError, match="ALAC"):
        AudioWriter(tmp_path / "out.caf", reader)


def test_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16")

    def fail() -> None:
        with AudioReader(source) as reader, AudioWriter(tmp_path / "out.wav", reader) as writer:
            writer.write(next(reader.blocks(writer.dtype)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert names(tmp_path) == ["in.wav"]


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY, ids="-".join)
@pytest.mark.parametrize("capacity", [0, 1000, 20000])
def test_full_disk_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, str, str], capacity: int
) -> None:
    source = make(tmp_path, *kind)
    write, room = os.write, [capacity]

    def write_to_small_disk(descriptor: int, contents: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n = min(room[0], len(contents))
        room[0] -= n
        return write(descriptor, contents[:n])

    monkeypatch.setattr(os, "write", write_to_small_disk)

    with pytest.raises(PercepNetError, match=r"cannot write .*out.*No space left on device"):
        rewrite(source, source.with_stem("out"))
    assert names(tmp_path) == [source.name]


def test_interrupt_inside_libsndfile_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16")

    def interrupted(_descriptor: int, _contents: bytes) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)

    with pytest.raises(KeyboardInterrupt):
        rewrite(source, tmp_path / "out.wav")
    assert names(tmp_path) == ["in.wav"]


def test_target_appears_only_when_whole(tmp_path: Path) -> None:
    source, target = make(tmp_path, "wav", "WAV", "PCM_16"), tmp_path / "out.wav"
    target.write_bytes(b"before")

    with AudioReader(source) as reader, AudioWriter(target, reader) as writer:
        for block in reader.blocks(writer.dtype):
            writer.write(block)
        during = target.read_bytes()

    assert (during, soundfile.info(target).frames) == (b"before", 3 * BLOCK + 17)


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16", n=480)
    link, target = tmp_path / "link.wav", tmp_path / "target.wav"
    link.symlink_to(target)

    rewrite(source, link)

    assert (link.is_symlink(), soundfile.info(target).frames) == (True, 480)


def test_file_mode_follows_the_umask(tmp_path: Path) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16", n=480)
    previous = os.umask(0o027)
    try:
        rewrite(source, tmp_path / "out.wav")
    finally:
        os.umask(previous)

    assert (tmp_path / "out.wav").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.caf", "a.w64", "a.mp3", "a.ogg", "a.opus"])
def test_mp3_becomes_any_other_format(tmp_path: Path, name: str) -> None:
    source = make(tmp_path, "mp3", "MP3", "MPEG_LAYER_III", n=48000)

    rewrite(source, tmp_path / name)

    assert soundfile.info(tmp_path / name).frames == 48000


@pytest.mark.parametrize("name", ["a.w64", "a.au", "a.nist", "a.voc"])
def test_titles_are_left_out_where_a_format_has_no_place_for_them(tmp_path: Path, name: str) -> None:
    source = titled(tmp_path)

    rewrite(source, tmp_path / name)

    np.testing.assert_array_equal(soundfile.read(tmp_path / name)[0], soundfile.read(source)[0])


def test_discarded_file_touches_no_other(tmp_path: Path) -> None:
    """libsndfile writes a header when it is collected, after an error perhaps long after its file was closed."""
    discarded = OutputFile(tmp_path / "a.wav")
    discarded.discard()
    with (tmp_path / "b.txt").open("w+b", buffering=0) as other:  # gets the number that is free again
        other.write(b"of somebody else")

        written = discarded.write(b"RIFF")

        assert (written, (tmp_path / "b.txt").read_bytes()) == (0, b"of somebody else")


def test_name_need_not_be_utf8(tmp_path: Path) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16", n=4800).rename(os.fsdecode(os.fsencode(tmp_path) + b"/in\xff.wav"))

    rewrite(source, source.with_stem("out"))

    assert names(tmp_path) == sorted([source.name, "out.wav"])


def test_longest_name_can_be_written(tmp_path: Path) -> None:
    source = make(tmp_path, "wav", "WAV", "PCM_16", n=4800)
    target = tmp_path / ("\u97f3" * 83 + ".wav")  # 253 bytes

    rewrite(source, target)

    assert target.exists()


def test_folder_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    source = make(tmp_path, "wav", "WAV", "PCM_16", n=4800)

    rewrite(source, source.with_stem("out"))

    assert names(tmp_path) == ["in.wav", "out.wav"]


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_truncated_file_with_many_chunks_is_refused(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path, suffix, suffix.upper(), "PCM_16", n=48000)
    contents, order = path.read_bytes(), "<" if suffix == "wav" else ">"
    chunks = b"".join(b"abc%c" % (97 + i % 26) + struct.pack(f"{order}I", 4) + b"1234" for i in range(100))
    size = struct.pack(f"{order}I", len(contents) + len(chunks) - 8)
    path.write_bytes(contents[:4] + size + contents[8:12] + chunks + contents[12:])
    read_all(path)
    truncate(path)

    with pytest.raises(AudioFormatError, match="truncated"):
        read_all(path)


@pytest.mark.parametrize(
    ("suffix", "subtype", "sample_rate", "level", "mode"),
    [
        ("mp3", "MPEG_LAYER_III", 44100, 0.0, "CONSTANT"),
        ("mp3", "MPEG_LAYER_III", 48000, 0.67, "CONSTANT"),
        ("mp3", "MPEG_LAYER_III", 16000, 0.7, "CONSTANT"),
        ("mp3", "MPEG_LAYER_III", 44100, 0.3, "VARIABLE"),
        ("opus", "OPUS", 48000, 0.0, None),
        ("opus", "OPUS", 48000, 0.8, None),
    ],
)
def test_lossy_file_keeps_its_bit_rate(
    tmp_path: Path, suffix: str, subtype: str, sample_rate: int, level: float, mode: str | None
) -> None:
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    file_format = "OGG" if suffix == "opus" else "MP3"
    options = {"compression_level": level} | ({"bitrate_mode": mode} if mode else {})
    soundfile.write(source, noise(10 * sample_rate), sample_rate, subtype=subtype, format=file_format, **options)

    rewrite(source, target)

    assert 0.85 < target.stat().st_size / source.stat().st_size < 1.15
