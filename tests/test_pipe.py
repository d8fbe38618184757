"""Samples on standard input and output, and from iterators: as enhance() gives them, and as soon as they are ready."""

import asyncio
import io
import os
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import percepnet
import signals
from percepnet.cli import app
from percepnet.pcm import RAW_FORMATS, Format, read_wav_header

SOURCE = str(Path(percepnet.__file__).parents[1])
KINDS = {"s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32", "f32le": "FLOAT", "f64le": "DOUBLE"}


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": SOURCE}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "percepnet", "pipe", *map(str, arguments)]


def pipe(contents: bytes, *arguments: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command(*arguments), input=contents, env=environment(), capture_output=True, check=False)


def noisy(channels: int = 1, kind: Any = np.int16, sample_rate: int = 48000) -> np.ndarray:
    samples = np.stack([signals.noise(0.7, -20, seed=seed, sample_rate=sample_rate) for seed in range(channels)])
    return np.rint(samples * 32768).astype(kind) if np.dtype(kind).kind == "i" else samples.astype(kind)


def wav(samples: np.ndarray, sample_rate: int, subtype: str, file_format: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples.T, sample_rate, format=file_format, subtype=subtype)
    return file.getvalue()


# ---- percepnet pipe


@pytest.mark.parametrize("flush", [[], ["--flush"]], ids=["", "flush"])
def test_raw_samples_are_what_enhance_gives(flush: list[str], weights: str) -> None:
    samples = noisy(2, sample_rate=16000)

    result = pipe(samples.T.tobytes(), "-f", "s16le", "-r", 16000, "-c", 2, "-a", 20, "-m", weights, *flush)

    expected = percepnet.enhance(samples, 16000, model=weights, attenuation_limit_db=20)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == expected.T.tobytes()


def test_wav_header_goes_through_as_it_came(weights: str) -> None:
    samples = noisy(1, np.float32)
    contents = wav(samples, 48000, "FLOAT", "WAVEX")

    result = pipe(contents, "-m", weights)

    read, _ = soundfile.read(io.BytesIO(result.stdout), dtype="float32")
    assert (len(result.stdout), result.stdout[:60]) == (len(contents), contents[:60])
    assert np.array_equal(read, percepnet.enhance(samples[0], 48000, model=weights))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_wav_of_unknown_length_lasts_to_its_end(size: int, weights: str) -> None:
    samples = noisy()
    contents = bytearray(wav(samples, 48000, "PCM_16"))
    contents[40:44] = struct.pack("<I", size)

    result = pipe(bytes(contents), "-m", weights)

    assert (result.returncode, result.stdout[44:]) == (0, percepnet.enhance(samples, 48000, model=weights).tobytes())


def test_what_follows_the_samples_of_rf64_is_no_audio(weights: str) -> None:
    contents = wav(noisy(), 48000, "PCM_16", "RF64")
    start = contents.index(b"data") + 8
    long_size = struct.pack("<Q", len(contents) - start)
    contents = contents[: start - 4] + b"\xff\xff\xff\xff" + contents[start:]
    ds64 = contents.index(b"ds64") + 8
    contents = contents[: ds64 + 8] + long_size + contents[ds64 + 16 :] + b"LIST\x04\0\0\0abcd"

    result = pipe(contents, "-m", weights)

    assert (result.returncode, len(result.stdout)) == (0, len(contents))
    assert result.stdout.endswith(b"LIST\x04\0\0\0abcd")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_full_output_is_one_line(weights: str) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command("-m", weights), input=wav(noisy(), 48000, "PCM_16"), stdout=full, stderr=-1, env=environment(), check=False
        )

    assert (result.returncode, result.stderr.count(b"\n"), b"No space left" in result.stderr) == (1, 1, True)


def test_closed_input_is_one_line(weights: str) -> None:
    line = f"{' '.join(command('-m', weights))} <&-"
    result = subprocess.run(["/bin/sh", "-c", line], env=environment(), capture_output=True, check=False)

    assert (result.returncode, result.stderr) == (2, b"percepnet pipe: expected open standard input and output\n")


def test_each_hop_comes_out_as_soon_as_it_can(weights: str) -> None:
    samples = noisy()[0]
    latency = percepnet.Enhancer(model=weights).latency
    with subprocess.Popen(
        command("-f", "s16le", "--flush", "-m", weights),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(samples[:9600].tobytes())
        wanted, given = 2 * (9600 - latency - 480), b""
        while len(given) < wanted:  # blocks for ever if it is held back
            given += process.stdout.read(wanted - len(given))
        process.stdin.close()
        rest = process.stdout.read()

    assert len(given + rest) == 2 * 9600


@pytest.mark.parametrize(
    ("contents", "arguments", "code", "line"),
    [
        (b"", [], 1, "expected a WAV stream (RIFF ... WAVE); for raw samples say -f s16le or -f f32le"),
        (b"ID3" * 100, [], 1, "expected a WAV stream (RIFF ... WAVE); for raw samples say -f s16le or -f f32le"),
        (b"RIFF\0\0\0\0WAVE", [], 1, "the stream ended before its samples began"),
        (
            b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd",
            [],
            1,
            "the WAV header does not say how samples are written: it has no fmt chunk",
        ),
        (b"RIFF\0\0\0\0WAVEfmt \2\0\0\0\1\0", [], 1, "the fmt chunk has 2 bytes; expected at least 16"),
        (b"abc", ["-f", "s16le"], 1, "the stream ended inside a sample"),
        (b"", ["-f", "mp3"], 2, "expected format wav or s16le, s24le, s32le, f32le, f64le, got 'mp3'"),
        (b"", ["-f", "s16le", "-r", "0"], 1, "expected a sample_rate of 8000 to 192000 Hz, got 0"),
        (b"", ["-f", "s16le", "-c", "65"], 2, "expected channels of 1 to 64, got 65"),
    ],
    ids=["empty", "no wav", "short", "no fmt", "short fmt", "cut", "format", "0 Hz", "65 channels"],
)
def test_bad_input_is_one_line(contents: bytes, arguments: list[str], code: int, line: str) -> None:
    result = CliRunner().invoke(app, ["pipe", *arguments], input=contents)

    assert (result.exit_code, result.stderr) == (code, f"percepnet pipe: {line}\n")


def test_truncated_wav_is_said_and_what_there_is_comes_out(weights: str) -> None:
    contents = wav(noisy(), 48000, "PCM_16")[:-1000]

    result = pipe(contents, "-m", weights)

    assert (result.returncode, len(result.stdout)) == (1, len(contents))
    assert result.stderr == b"percepnet pipe: the stream ended 1000 bytes early\n"


def test_reader_that_leaves_is_no_drama(weights: str) -> None:
    with subprocess.Popen(
        command("-f", "s16le", "-m", weights),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout
        process.stdout.close()
        _, errors = process.communicate(noisy().tobytes() * 10)

    assert (process.returncode, errors) == (141, b"")


# ---- the bytes


@pytest.mark.parametrize("encoding", RAW_FORMATS)
def test_bytes_are_as_libsndfile_writes_them(encoding: str) -> None:
    samples = noisy(2, np.float64).T
    file = io.BytesIO()
    soundfile.write(file, samples, 48000, format="RAW", subtype=KINDS[encoding], endian="LITTLE")
    layout = Format(encoding, 48000, 2)

    decoded = layout.decode(file.getvalue())

    full_scale = 2.0**15 if encoding == "s16le" else 2.0**31 if encoding[0] == "s" else 1
    np.testing.assert_allclose(decoded.T / full_scale, samples, atol=2.0**-15)
    assert layout.encode(decoded) == file.getvalue()


@pytest.mark.parametrize("subtype", KINDS.values())
def test_header_is_as_libsndfile_writes_it(subtype: str) -> None:
    contents = wav(noisy(2), 44100, subtype)

    header = read_wav_header(io.BytesIO(contents).read)

    assert (header.format.sample_rate, header.format.channels, KINDS[header.format.encoding]) == (44100, 2, subtype)
    assert len(header.contents) + (header.n_bytes or 0) <= len(contents)


def test_24_bits_saturate() -> None:
    assert Format("s24le", 48000, 1).encode(np.array([[2**31 - 1, -(2**31)]], np.int32)) == b"\xff\xff\x7f\x00\x00\x80"


# ---- iterators


def pieces(samples: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, samples.shape[-1], 1000):
        yield samples[..., start : start + 1000]


@pytest.mark.parametrize("channels", [1, 2])
def test_stream_is_what_enhance_gives(channels: int, weights: str) -> None:
    samples = noisy(channels) if channels == 2 else noisy()[0]

    out = list(percepnet.stream(pieces(samples), 48000, model=weights, preset="gentle"))

    assert np.array_equal(np.concatenate(out, axis=-1), percepnet.enhance(samples, 48000, model=weights, preset="gentle"))
    assert all(chunk.shape[-1] for chunk in out)


def test_astream_is_what_enhance_gives(weights: str) -> None:
    samples = noisy()[0]

    async def source() -> AsyncIterator[np.ndarray]:
        for piece in pieces(samples):
            await asyncio.sleep(0)
            yield piece

    async def collect() -> list[np.ndarray]:
        return [chunk async for chunk in percepnet.astream(source(), 48000, model=weights)]

    assert np.array_equal(np.concatenate(asyncio.run(collect())), percepnet.enhance(samples, 48000, model=weights))


def test_astream_leaves_the_event_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    process = percepnet.Enhancer.process
    monkeypatch.setattr(percepnet.Enhancer, "process", lambda self, chunk: (time.sleep(0.2), process(self, chunk))[1])

    async def source() -> AsyncIterator[np.ndarray]:
        yield noisy()[0]

    async def count() -> int:
        ticks = 0
        work = asyncio.ensure_future(anext(percepnet.astream(source(), 48000)))  # type: ignore[arg-type]
        while not work.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(count()) > 3


def test_stream_checks_its_arguments_at_once() -> None:
    with pytest.raises(percepnet.AudioFormatError):
        percepnet.stream([], 0)


def test_stream_of_nothing_is_empty() -> None:
    assert list(percepnet.stream([], 48000)) == []
