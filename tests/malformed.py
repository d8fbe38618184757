"""Inputs that are wrong, each in its own way. One row: how to make it, the number `percepnet enhance` leaves with, the line.

What a row cannot make is in tests of its own: rights, a full disk and missing extras in test_malformed.py, damaged video in
test_media.py, devices that are unknown, missing or unplugged in test_live.py and test_microphone.py.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile


class Case(NamedTuple):
    """`make` gets an empty folder and returns the arguments; in the line, {0} is the first of them."""

    name: str
    make: Callable[[Path], list[object]]
    code: int
    line: str


def noise(path: Path, length_s: float = 0.5, sample_rate: int = 48000, channels: int = 1, **options: str) -> Path:
    samples = 0.05 * np.random.default_rng(2).standard_normal((round(length_s * sample_rate), channels))
    soundfile.write(path, samples, sample_rate, **options)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    contents = path.read_bytes()
    path.write_bytes(contents[: int(share * len(contents))])
    return path


def written(path: Path, contents: bytes) -> Path:
    path.write_bytes(contents)
    return path


def header(path: Path, channels: int = 1, sample_rate: int = 48000, bits: int = 16, code: int = 1) -> Path:
    """A WAV file whose header says this, with 0.1 s of zeros behind it."""
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", code, channels, sample_rate, (sample_rate * block) % 2**32, block % 2**16, bits)
    data = bytes(9600 * max(block, 1) // 2)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return written(path, b"RIFF" + struct.pack("<I", len(body)) + body)


def link(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def invalid(path: Path) -> Path:
    samples = np.full(4800, 0.1, np.float32)
    samples[[700, 701, 4000]] = np.nan, np.inf, -np.inf
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    return path


def linked_input(f: Path) -> list[object]:
    source = noise(f / "a.wav")
    return [source, "-o", link(f / "b.wav", source)]


NOT_AUDIO = "{0}: not an audio file that can be read"
CUT = "{0}: the file is truncated: it ends before its audio does"
CASES = [
    Case("missing", lambda f: [f / "a.wav"], 1, "{0}: cannot read: No such file or directory"),
    Case("name too long", lambda f: [f / ("a" * 300 + ".wav")], 1, "{0}: cannot read: File name too long"),
    Case("dangling link", lambda f: [link(f / "a.wav", f / "no")], 1, "{0}: cannot read: No such file or directory"),
    Case(
        "link to itself", lambda f: [link(f / "a.wav", f / "a.wav")], 1, "{0}: cannot read: Too many levels of symbolic links"
    ),
    Case("below a file", lambda f: [noise(f / "a.wav") / "b.wav"], 1, "{0}: cannot read: Not a directory"),
    Case("fifo", lambda f: [fifo(f / "a.wav")], 1, "{0}: cannot read: Not a regular file"),
    Case("device", lambda _: ["/dev/zero"], 1, "{0}: cannot read: Not a regular file"),
    Case("empty folder", lambda f: [folder(f / "a.wav")], 1, "{0}: no audio files in this folder"),
    Case("pattern without match", lambda f: [f / "*.wav"], 1, "{0}: no file matches"),
    Case("empty file", lambda f: [written(f / "a.wav", b"")], 1, "{0}: the file is empty"),
    Case("one byte", lambda f: [written(f / "a.wav", b"R")], 1, NOT_AUDIO),
    Case("text", lambda f: [written(f / "a.wav", b"no audio\n" * 999)], 1, NOT_AUDIO + " (Format not recognised)"),
    Case("text as FLAC", lambda f: [written(f / "a.flac", b"no audio\n" * 999)], 1, NOT_AUDIO),
    Case("picture", lambda f: [written(f / "a.mp3", b"\x89PNG\r\n\x1a\n" + bytes(999))], 1, NOT_AUDIO),
    Case("noise as MP3", lambda f: [written(f / "a.mp3", np.random.default_rng(1).bytes(5000))], 1, NOT_AUDIO),
    Case("headerless", lambda f: [written(f / "a.raw", bytes(9600))], 1, NOT_AUDIO),
    Case("RIFF but no WAVE", lambda f: [written(f / "a.wav", b"RIFF\x24\0\0\0AVI LIST" + bytes(99))], 1, NOT_AUDIO),
    Case("WAV without fmt", lambda f: [written(f / "a.wav", b"RIFF\x10\0\0\0WAVEdata\4\0\0\0abcd")], 1, NOT_AUDIO),
    Case("0 Hz", lambda f: [header(f / "a.wav", sample_rate=0)], 1, NOT_AUDIO),
    Case("0 channels", lambda f: [header(f / "a.wav", channels=0)], 1, NOT_AUDIO),
    Case("65 channels", lambda f: [header(f / "a.wav", channels=65)], 1, "{0}: expected channels of 1 to 64, got 65"),
    Case("0 bits", lambda f: [header(f / "a.wav", bits=0)], 1, NOT_AUDIO),
    Case("unknown code", lambda f: [header(f / "a.wav", code=0x7777)], 1, NOT_AUDIO),
    Case(
        "rate too low",
        lambda f: [noise(f / "a.wav", sample_rate=4000)],
        1,
        "{0}: expected a sample_rate of 8000 to 192000 Hz, got 4000",
    ),
    Case(
        "rate too high",
        lambda f: [noise(f / "a.wav", 0.1, 384000)],
        1,
        "{0}: expected a sample_rate of 8000 to 192000 Hz, got 384000",
    ),
    Case("no samples", lambda f: [noise(f / "a.wav", 0)], 1, "{0}: the file contains no audio"),
    Case("truncated WAV", lambda f: [cut(noise(f / "a.wav"))], 1, CUT),
    Case("truncated RF64", lambda f: [cut(noise(f / "a.wav", format="RF64"))], 1, CUT),
    Case("truncated AIFF", lambda f: [cut(noise(f / "a.aiff"))], 1, CUT),
    Case("truncated AU", lambda f: [cut(noise(f / "a.au"))], 1, CUT),
    Case("truncated FLAC", lambda f: [cut(noise(f / "a.flac"))], 1, "{0}: the file is "),
    Case("truncated Vorbis", lambda f: [cut(noise(f / "a.ogg", 5.0), 0.7)], 1, CUT),
    Case("truncated Opus", lambda f: [cut(noise(f / "a.opus", 5.0, format="OGG", subtype="OPUS"), 0.7)], 1, CUT),
    Case(
        "NaN and infinity",
        lambda f: [invalid(f / "a.wav")],
        0,
        "{0}: 3 samples were NaN or infinite and were replaced by 0; the first is sample 700",
    ),
    Case(
        "output is the input",
        lambda f: [noise(f / "a.wav"), "-o", f / "a.wav"],
        2,
        "percepnet enhance: {2} is an input and would be overwritten; name another output",
    ),
    Case(
        "output links to the input",
        linked_input,
        2,
        "percepnet enhance: {2} is an input and would be overwritten; name another output",
    ),
    Case(
        "two inputs, one output",
        lambda f: [noise(f / "a.wav"), noise(folder(f / "b") / "a.wav"), "-o", f / "o"],
        2,
        "percepnet enhance: two inputs would both be written to ",
    ),
    Case("output below a file", lambda f: [noise(f / "a.wav"), "-o", f"{f}/a.wav/b/"], 1, "{0}: cannot make folder "),
    Case(
        "output in no folder",
        lambda f: [noise(f / "a.wav"), "-o", f / "no" / "b.wav"],
        1,
        "{0}: cannot write {2}: No such file or directory",
    ),
    Case(
        "output on a full device",
        lambda f: [noise(f / "a.wav"), "-o", link(f / "full.wav", Path("/dev/full"))],
        1,
        "{0}: cannot write ",
    ),
    Case(
        "output of no format",
        lambda f: [noise(f / "a.wav"), "-o", f / "b.xyz"],
        1,
        "{0}: no audio format has the suffix '.xyz'; known: wav, flac, ogg, opus, mp3, aiff, ...",
    ),
    Case(
        "no such encoding",
        lambda f: [noise(f / "a.wav"), "--subtype", "PCM_99"],
        1,
        "{0}: WAV has no subtype 'PCM_99'; it has ",
    ),
    Case(
        "encoding of another format",
        lambda f: [noise(f / "a.wav"), "--format", "flac", "--subtype", "float"],
        1,
        "{0}: FLAC has no subtype 'FLOAT'; it has PCM_16, PCM_24, PCM_S8",
    ),
    Case(
        "no such model",
        lambda f: [noise(f / "a.wav"), "-m", "no"],
        4,
        "percepnet enhance: no weight file 'no', and no shipped model of that name (shipped: default, full, tiny)",
    ),
    Case("model that is none", lambda f: [noise(f / "a.wav"), "-m", f / "a.wav"], 4, "percepnet enhance: weight file "),
    Case(
        "no manifest",
        lambda f: ["--manifest", f / "m.jsonl"],
        2,
        "percepnet enhance: cannot read manifest {1}: No such file or directory",
    ),
    Case(
        "manifest of no JSON",
        lambda f: ["--manifest", written(f / "m.jsonl", b"a.wav\n")],
        2,
        "percepnet enhance: {1}, line 1: not JSON ",
    ),
    Case(
        "manifest of an impossible name",
        lambda f: ["--manifest", written(f / "m.jsonl", b'{"audio_filepath": "a\\u0000b.wav"}\n')],
        2,
        'percepnet enhance: {1}, line 1: expected an object with "audio_filepath", got ',
    ),
    Case(
        "manifest of no paths",
        lambda f: ["--manifest", written(f / "m.jsonl", b"{}\n")],
        2,
        'percepnet enhance: {1}, line 1: expected an object with "audio_filepath", got {{}}',
    ),
    Case(
        "manifest of bytes",
        lambda f: ["--manifest", written(f / "m.jsonl", b"\xff\xfe")],
        2,
        "percepnet enhance: cannot read manifest {1}: not UTF-8",
    ),
    Case(
        "no shard",
        lambda f: [noise(f / "a.wav"), "--shard", "3/2"],
        2,
        "percepnet enhance: expected a shard i/N with i from 1 to N, got '3/2'",
    ),
    Case(
        "no inputs", lambda _: [], 2, "percepnet enhance: expected files, folders or --manifest; see percepnet enhance --help"
    ),
]
