"""percepnet pipe: cleans what comes in on standard input, and writes it to standard output."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from percepnet.cli import options as shared
from percepnet.cli.options import AttenuationLimit, Dereverb, LinkOption, PostFilter, PresetOption, Residual

if TYPE_CHECKING:
    from percepnet import Enhancer
    from percepnet.pcm import Format

CHUNK_S = 0.5  # without --flush
HOP_S = 0.01

EXAMPLES = """Examples:

  ffmpeg -v error -i in.mkv -f wav - | percepnet pipe | ffmpeg -v error -f wav -i - out.opus

  arecord -q -f S16_LE -r 48000 -c 1 -t raw | percepnet pipe -f s16le -r 48000 --flush | aplay -q -f S16_LE -r 48000 -c 1
"""


def pipe(
    raw_format: Annotated[
        str, typer.Option("-f", "--format", metavar="FORMAT", help="wav, or raw: s16le, s24le, s32le, f32le, f64le.")
    ] = "wav",
    sample_rate: Annotated[int, typer.Option("-r", "--sample-rate", metavar="HZ", help="Of raw samples.")] = 48000,
    channels: Annotated[int, typer.Option("-c", "--channels", metavar="N", help="Of raw samples.")] = 1,
    flush: Annotated[bool, typer.Option("--flush", help="Write after every hop of 10 ms: for live chains.")] = False,
    preset: PresetOption = "default",
    attenuation_limit_db: AttenuationLimit = None,
    dereverb: Dereverb = None,
    post_filter: PostFilter = None,
    link: LinkOption = "linked",
    residual: Residual = False,
    model: shared.Model = "default",
) -> None:
    """Cleans a stream of samples: the same format, and as many samples, out as in.

    A WAV header goes through as it came, whether it knows the length or not.
    """
    from percepnet import ArgumentError, AudioFormatError, Enhancer
    from percepnet.pcm import RAW_FORMATS, Format, read_wav_header

    if sys.stdin is None or sys.stdout is None:
        raise ArgumentError("expected open standard input and output")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    controls = shared.controls(preset, attenuation_limit_db, dereverb, post_filter, link, residual)
    if raw_format == "wav":
        header = read_wav_header(source.read)
        layout, n_bytes = header.format, header.n_bytes
        sink.write(header.contents)
    elif raw_format in RAW_FORMATS:
        layout, n_bytes = Format(raw_format, sample_rate, channels), None
    else:
        raise ArgumentError(f"expected format wav or {', '.join(RAW_FORMATS)}, got {raw_format!r}")
    read = _reader(source, n_bytes, layout.frame_bytes * round(layout.sample_rate * (HOP_S if flush else CHUNK_S)), flush)
    with Enhancer(layout.sample_rate, layout.channels, model, **controls) as enhancer:
        missing, cut = _pump(read, sink, enhancer, layout, flush)
    if cut or (n_bytes is not None and missing):
        raise AudioFormatError("the stream ended inside a sample" if cut else f"the stream ended {missing} bytes early")
    sink.write(source.read())  # what follows the samples of a WAV file
    sink.flush()


def _reader(source: BinaryIO, n_bytes: int | None, most: int, at_once: bool) -> Callable[[], tuple[bytes, int]]:
    """Gives the next bytes, none at the end, and how many are still to come if that is known; at once: what is there."""
    left = n_bytes

    def read() -> tuple[bytes, int]:
        nonlocal left
        wanted = most if left is None else min(most, left)
        contents = (source.read1(wanted) if at_once else source.read(wanted)) if wanted else b""  # type: ignore[attr-defined]
        left = None if left is None else left - len(contents)
        return contents, left or 0

    return read


def _pump(
    read: Callable[[], tuple[bytes, int]], sink: BinaryIO, enhancer: "Enhancer", layout: "Format", flush: bool
) -> tuple[int, bool]:
    """Until the input ends, or Ctrl-C; then writes what is owed. Returns bytes that never came, and if a sample is cut."""
    rest, missing, interrupted = b"", 0, False
    try:
        while True:
            contents, missing = read()
            if not contents:
                break
            rest += contents
            whole = len(rest) // layout.frame_bytes * layout.frame_bytes
            if whole:
                sink.write(layout.encode(enhancer.process(layout.decode(rest[:whole]))))
                rest = rest[whole:]
            if flush:
                sink.flush()
    except KeyboardInterrupt:
        interrupted = True
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sink.fileno())
        raise typer.Exit(shared.EXIT_SIGNAL + 13) from None
    sink.write(layout.encode(enhancer.flush()))
    sink.flush()
    if interrupted:
        raise typer.Exit(shared.EXIT_SIGNAL + 2)
    return missing, bool(rest)
