"""Speech, noise and music files: manifest, licences, splits, and a decoded cache at 48 kHz.

A corpus is a folder with a ``manifest.csv`` (path, kind, source, speaker, language, licence, seconds, nclips), or any folder
with the sub-folders ``speech``, ``noise``, ``sfx`` and ``music``. Decoding is done once: every file becomes a stretch of one
flat int16 array, described by ``index.json`` beside it.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

from percepnet import Model, enhance, load_model
from percepnet.errors import ArgumentError

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 48000
KINDS = ("speech", "noise", "sfx", "music")
AUDIO_SUFFIXES = (".opus", ".ogg", ".flac", ".wav", ".mp3", ".aiff", ".aif")
AMBIENCE_SOURCES = ("0ad-ambient", "megaglest-amb", "muges", "flightgear", "unknown-horizons-sfx")
KEY_SOURCES = ("bucklespring", "mechvibes")
AUDIO_FILE, INDEX_FILE = "audio.int16", "index.json"

GAP_LEVEL = 1  # int16 steps: at or below it for GAP_SAMPLES a recording holds digital silence, not a pause
GAP_SAMPLES = 1900  # 40 ms
CLIP_SAMPLES_MIN = 4800  # 0.1 s: shorter clips are joined to nothing and left out
DENOISE_LIMIT_DB = 12.0  # more would cost the speech itself
BANDWIDTH_FLOOR_DB = 55.0  # content weaker than this below the strongest part of the spectrum counts as absent


@dataclass(frozen=True)
class Source:
    """One file as the manifest describes it."""

    path: str
    kind: str
    source: str
    speaker: str
    language: str
    licence: str


@dataclass(frozen=True)
class Recording:
    """A decoded file: where it lies in the cache, which clips it holds and up to which frequency it has content."""

    path: str
    kind: str
    source: str
    speaker: str
    language: str
    licence: str
    offset: int  # samples from the start of the cache
    n_samples: int
    bandwidth_hz: float
    clips: list[tuple[int, int]] = field(default_factory=list)  # start and stop in samples, digital silence left out


def read_sources(root: Path) -> list[Source]:
    """All files below ``root``: from its manifest if there is one, else from the folders named after the kinds."""
    if (root / "manifest.csv").exists():
        with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        missing = [name for name in Source.__dataclass_fields__ if rows and name not in rows[0]]
        if missing:
            raise ArgumentError(f"expected the columns {', '.join(missing)} too in {root / 'manifest.csv'}")
        return [Source(**{name: row[name] for name in Source.__dataclass_fields__}) for row in rows]
    return [_source_of_folder(root, path) for path in sorted(root.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES]


def _source_of_folder(root: Path, path: Path) -> Source:
    """KIND/[SOURCE/]FILE: the folder below the kind names the speaker, or the file does where there is none."""
    parts = path.relative_to(root).parts
    kind = parts[0] if len(parts) > 1 else "speech"
    source = parts[1] if len(parts) > 2 else path.stem
    return Source(path.relative_to(root).as_posix(), kind, source, source, "", "the owner of these files")


def training_sources(sources: Iterable[Source], set_aside: Iterable[str], prefix: str = "") -> list[Source]:
    """What may be trained on: files below ``prefix``, of the kinds used, and not in ``set_aside``.

    Measured rooms (kind ``rir``) are never trained on: rooms are simulated.
    """
    forbidden = set(set_aside)
    return [s for s in sources if s.kind in KINDS and s.path.startswith(prefix) and s.path not in forbidden]


def read_set_aside(path: Path | None) -> list[str]:
    """Paths of files that no training may read, one per line."""
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path else []


def licence_table(sources: Iterable[Source | Recording]) -> list[dict[str, object]]:
    """For the model card: every kind and source with its licences and number of files."""
    table: dict[tuple[str, str], dict[str, object]] = {}
    for item in sources:
        row = table.setdefault((item.kind, item.source), {"kind": item.kind, "source": item.source, "licences": [], "files": 0})
        row["files"] = cast(int, row["files"]) + 1
        licences = cast(list[str], row["licences"])
        if item.licence not in licences:
            licences.append(item.licence)
    return [table[key] for key in sorted(table)]


def decode(path: Path) -> tuple[npt.NDArray[np.int16], float]:
    """A file as mono int16 at 48 kHz, channels averaged, and the bandwidth in Hz that its own sample rate allows."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(1)
    if rate != SAMPLE_RATE:
        common = math.gcd(rate, SAMPLE_RATE)
        mono = resample_poly(mono, SAMPLE_RATE // common, rate // common)
    return np.round(np.clip(mono, -1, 32767 / 32768) * 32768).astype(np.int16), 0.475 * rate


def find_clips(samples: npt.NDArray[np.int16]) -> list[tuple[int, int]]:
    """Start and stop of the stretches between digital silences, in samples."""
    silent = np.concatenate(([0], np.abs(samples.astype(np.int32)) <= GAP_LEVEL, [0]))
    edges = np.diff(silent.astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    gaps = stops - starts >= GAP_SAMPLES
    begins = np.concatenate(([0], stops[gaps]))
    ends = np.concatenate((starts[gaps], [len(samples)]))
    return [(int(a), int(b)) for a, b in zip(begins, ends, strict=True) if b - a >= CLIP_SAMPLES_MIN]


def measure_bandwidth(samples: npt.NDArray[np.int16]) -> float:
    """The highest frequency in Hz with real content: the 99th percentile over loud windows, smoothed over 330 Hz."""
    windows = samples[: len(samples) // 1024 * 1024].reshape(-1, 1024).astype(np.float32) / 32768
    if len(windows) == 0:
        return SAMPLE_RATE / 2
    loud = windows[np.argsort((windows**2).mean(1))[len(windows) * 6 // 10 :]]
    power = np.percentile(np.abs(np.fft.rfft(loud * np.hanning(1024), axis=1)) ** 2, 99, axis=0)
    level = np.convolve(10 * np.log10(power + 1e-12), np.full(7, 1 / 7), "same")
    present = np.flatnonzero(level[:-3] > level.max() - BANDWIDTH_FLOOR_DB)
    return float(present[-1] * SAMPLE_RATE / 1024) if len(present) else SAMPLE_RATE / 2


def denoise(samples: npt.NDArray[np.int16], clips: Iterable[tuple[int, int]], model: Model) -> npt.NDArray[np.int16]:
    """Speech whose own noise a model has lowered by up to 12 dB, its room as it was: no target teaches noise (SPEC 6.4).

    Between the clips there is digital silence still.
    """
    cleaned = enhance(samples, SAMPLE_RATE, model=model, attenuation_limit_db=DENOISE_LIMIT_DB, dereverb=0.0)
    out = np.zeros_like(samples)
    for start, stop in clips:
        out[start:stop] = cleaned[start:stop]
    return out


def build_cache(sources: Iterable[tuple[Path, Source]], folder: Path, denoiser: str = "") -> list[Recording]:
    """Decodes sources, each with the root it lies below, into ``folder`` and describes them there. Returns what it holds.

    denoiser: the name or path of a model that lowers the noise in the speech first; "" for none.
    """
    model = load_model(denoiser) if denoiser else None
    folder.mkdir(parents=True, exist_ok=True)
    recordings, offset = [], 0
    with (folder / (AUDIO_FILE + ".part")).open("wb") as file:
        for root, source in sources:
            samples, limit_hz = decode(root / source.path)
            recording = _describe(source, samples, limit_hz, offset)
            if model and source.kind == "speech":
                samples = denoise(samples, recording.clips, model)
            recordings.append(recording)
            file.write(samples.tobytes())
            offset += len(samples)
    (folder / (AUDIO_FILE + ".part")).replace(folder / AUDIO_FILE)
    text = json.dumps([asdict(recording) for recording in recordings], ensure_ascii=False, indent=0)
    (folder / (INDEX_FILE + ".part")).write_text(text, encoding="utf-8")
    (folder / (INDEX_FILE + ".part")).replace(folder / INDEX_FILE)
    return recordings


def _describe(source: Source, samples: npt.NDArray[np.int16], limit_hz: float, offset: int) -> Recording:
    bandwidth_hz = min(measure_bandwidth(samples), limit_hz) if source.kind == "speech" else SAMPLE_RATE / 2
    return Recording(
        **asdict(source), offset=offset, n_samples=len(samples), bandwidth_hz=bandwidth_hz, clips=find_clips(samples)
    )


class Corpus:
    """The decoded recordings of a cache folder, less those that are set aside, grouped for mixing."""

    def __init__(self, folder: Path, set_aside: Iterable[str] = ()) -> None:
        rows = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        forbidden = set(set_aside)
        self.recordings = [
            Recording(**{**row, "clips": [(a, b) for a, b in row["clips"]]}) for row in rows if row["path"] not in forbidden
        ]
        self._audio = np.memmap(folder / AUDIO_FILE, dtype=np.int16, mode="r")
        self.speakers = self._speakers()
        self.noises = self._noises()

    def _speakers(self) -> list[list[Recording]]:
        groups: dict[tuple[str, str], list[Recording]] = {}
        for recording in self.recordings:
            if recording.kind == "speech" and recording.clips:
                groups.setdefault((recording.source, recording.speaker), []).append(recording)
        return [groups[key] for key in sorted(groups)]

    def _noises(self) -> dict[str, list[Recording]]:
        groups: dict[str, list[Recording]] = {"ambience": [], "event": [], "music": [], "keys": []}
        for recording in self.recordings:
            if recording.kind != "speech":
                groups[noise_group(recording)].append(recording)
        return groups

    def samples(self, recording: Recording, start: int, stop: int) -> Floats:
        """Samples ``start`` to ``stop`` of a recording: (stop - start,) float32, full scale 1."""
        stretch = self._audio[recording.offset + start : recording.offset + min(stop, recording.n_samples)]
        return np.asarray(stretch / np.float32(32768), dtype=np.float32)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.recordings)


def noise_group(item: Source | Recording) -> str:
    """How mixing treats a noise: ambience, event, music or keys; ``-ambience`` or ``-keys`` at the end of a name decides."""
    if item.kind == "music":
        return "music"
    if item.source in KEY_SOURCES or item.source.endswith("-keys"):
        return "keys"
    return "ambience" if item.source in AMBIENCE_SOURCES or item.source.endswith("-ambience") else "event"
