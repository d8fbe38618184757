"""Which files go in and come out: the list that the tests exercise, cell by cell, and that docs/formats.md shows.

Run from the top: PYTHONPATH=src python tests/formats.py > docs/formats.md
"""

from typing import NamedTuple

RATES = (8000, 16000, 22050, 44100, 48000, 96000)
CHANNELS = (1, 2, 6)
LOW = (8000, 16000, 22050, 44100, 48000)
OPUS = (8000, 16000, 48000)


class Kind(NamedTuple):
    """One container and encoding. slack: samples that the length may differ by, a frame of a lossy codec."""

    suffix: str
    container: str
    encoding: str
    rates: tuple[int, ...] = RATES
    channels: tuple[int, ...] = CHANNELS
    slack: int = 0
    has_title: bool = True


SOUNDFILE = [
    *(Kind("wav", "WAV", encoding) for encoding in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    Kind("wav", "WAVEX", "PCM_24"),
    Kind("wav", "RF64", "PCM_16"),
    Kind("w64", "W64", "PCM_16", has_title=False),
    *(Kind("aiff", "AIFF", encoding) for encoding in ("PCM_16", "PCM_24", "FLOAT")),
    Kind("au", "AU", "PCM_16", has_title=False),
    Kind("caf", "CAF", "PCM_16"),
    *(Kind("flac", "FLAC", encoding) for encoding in ("PCM_16", "PCM_24")),
    Kind("ogg", "OGG", "VORBIS"),
    Kind("opus", "OGG", "OPUS", OPUS, (1, 2)),
    Kind("mp3", "MP3", "MPEG_LAYER_III", LOW, (1, 2), 1152),
]
MEDIA = [
    Kind("m4a", "MP4", "AAC", LOW, (1, 2, 6), 2048),
    Kind("m4a", "MP4", "ALAC", LOW, (1, 2), 8192),
    Kind("mp4", "MP4", "AAC", LOW, (1, 2, 6), 2048),
    Kind("mkv", "Matroska", "FLAC", LOW, (1, 2, 6), 9216),
    Kind("mkv", "Matroska", "OPUS", (48000,), (1, 2), 960),
    Kind("webm", "WebM", "OPUS", (48000,), (1, 2), 960),
]

HEAD = """# Formats

What goes in comes out: the same container, encoding, rate, channels and title. Every combination of this table is exercised by
the tests: a sound goes through `percepnet enhance` with nothing taken away, and must come back in its place to the sample, as
long as it was (lossy formats: within a frame of their codec). Other rates from 8 to 192 kHz and up to 64 channels work where a
format has them.

| suffix | container | encoding | rates, kHz | channels | title kept |
| --- | --- | --- | --- | --- | --- |
"""
TAIL = """
The last rows need the extra `media`, and so do `.ts` (AAC, AC-3, MPEG audio), `.mov`, `.wma`, `.3gp` and others that FFmpeg
writes. Video, subtitles and further sound tracks of such files are copied packet by packet. ALAC in CAF is only read; give it
an output of another suffix. A container that does not hold the encoding of the input gets its usual one: Opus becomes AAC in
`.m4a`. Vorbis in WebM and Matroska becomes Opus, or AAC where Matroska has it at a rate that Opus does not know.

MP3, Opus and AAC keep about the bit rate of the input where the encoding stays the same; Vorbis is written at the encoder's
standard quality. Kept of the text are title, artist, album, date, genre, and, where the format has a place for them, track
number and comment; chapters, where the extra `media` reads and writes the file. The cover of a song is not.
"""


def table() -> str:
    """docs/formats.md."""
    rows = [
        f"| .{kind.suffix} | {kind.container} | {kind.encoding} "
        f"| {', '.join(f'{rate / 1000:g}' for rate in kind.rates)} | {', '.join(map(str, kind.channels))} "
        f"| {'yes' if kind.has_title else 'the format has none'} |"
        for kind in [*SOUNDFILE, *MEDIA]
    ]
    return HEAD + "\n".join(rows) + "\n" + TAIL


if __name__ == "__main__":
    print(table(), end="")
