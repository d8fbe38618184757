"""Builds the second training corpus from Debian packages and public repositories: ``python configs/fetch_corpus.py OUT_DIR``.

``corpus.csv`` beside this file is the whole list. A row takes the files of one package whose path matches ``files`` and not
``without`` (regular expressions; a group ``speaker`` names the speaker), for one kind and under one name of a source. Packages
come from ``apt-get download``, repositories (``owner/name``) from a checkout or mirror below ``--repositories``, or by
``git clone``. Nothing is installed.

OUT_DIR gets the layout of the first corpus: ``manifest.csv``, ``credits/`` and ``train/KIND/SOURCE/SOURCE_000.flac``, each at
its own sample rate (``.ogg`` where a long recording is kept as it is). A finished source is kept on the next run: delete its
folder to build it anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import random
import re
import subprocess
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

Floats = npt.NDArray[np.float32]
Row = dict[str, str]

COLUMNS = ("path", "kind", "source", "speaker", "language", "licence", "seconds", "nclips")
AUDIO = (".ogg", ".oga", ".wav", ".flac", ".opus", ".mp3", ".aiff", ".au")
ARCHIVES = (".pk3", ".zip", ".wz", ".data")
CREDITS = re.compile(
    r"(?i)(^|/)[^/]*(copyright|copying|licen[cs]|credits|readme|sources|attribution|notice|reuse|soundscape-)[^/.]*(\.(txt|md|toml))?$"
)
# Words are no noise.
VOICES = r"voices?/|speech|taunt|announcer|/coms/|player/[^/]*/|feedback|teamplay|tutorial|codriver|narrat"
RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)

FILE_SECONDS = 60  # a file of short recordings is full once it holds this much
LONG_SECONDS = 15  # a recording this long gets a file of its own
GAP_SECONDS = 0.15  # digital silence between the clips of a file
LOUD_DB = -24.0  # dBFS of the 95th percentile of 20 ms frames
SPEECH_SPAN_DB = 30.0  # least distance of the 95th from the 5th percentile: less is too noisy for a target
SILENCE = 0.003


@dataclass(frozen=True)
class Limits:
    """What one row may give, in seconds: shorter recordings are left out, longer ones cut to their beginning."""

    shortest: float
    longest: float
    total: float


LIMITS = {
    "music": Limits(15, 100, 600),
    "noise": Limits(1, 120, 1500),
    "sfx": Limits(0.1, 20, 600),
    "speech": Limits(0.3, 30, 5400),
}


@dataclass(frozen=True)
class Recording:
    """A file that a row takes: nothing of it is decoded before it is chosen."""

    path: str
    speaker: str
    content: bytes
    seconds: float
    rate: int


def package_files(name: str, downloads: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of every audio and credits file of a Debian package, those in its archives included."""
    folder = downloads / name
    if not folder.exists():
        subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", name], cwd=downloads, check=True)
        (package,) = downloads.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
        package.unlink()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.name.lower().endswith((*AUDIO, *ARCHIVES)) or CREDITS.search(str(path))):
            yield from unpack(path.relative_to(folder).as_posix(), path.read_bytes())


def unpack(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The file itself, or the audio in it if it is an archive: its paths follow an exclamation mark."""
    if path.lower().endswith(ARCHIVES) and zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.lower().endswith(AUDIO):
                    yield f"{path}!{name}", archive.read(name)
    else:
        yield path, content


def repository_files(name: str, repositories: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of every audio and credits file of a repository at its newest commit."""
    folders = [repositories / name.replace("/", "+") / "repo", repositories / name.split("/")[1]]
    folder = next((f for f in folders if f.exists()), folders[1])
    if not folder.exists():
        subprocess.run(["git", "clone", "--depth=1", f"https://github.com/{name}", folder], check=True)
    listing = subprocess.run(["git", "-C", folder, "ls-tree", "-rz", "--name-only", "HEAD"], capture_output=True, check=True)
    paths = [p for p in listing.stdout.decode().split("\0") if p.lower().endswith(AUDIO) or CREDITS.search(p)]
    with subprocess.Popen(["git", "-C", folder, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
        assert git.stdin, git.stdout
        for path in paths:
            git.stdin.write(f"HEAD:{path}\n".encode())
            git.stdin.flush()
            header = git.stdout.readline()
            if header.split()[1] == b"blob":  # a mirror may lack its largest files
                yield path, git.stdout.read(int(header.split()[2]) + 1)[:-1]


def select(row: Row, path: str) -> re.Match[str] | None:
    """Whether a row takes a file."""
    unwanted = [row["without"]] * bool(row["without"]) + [VOICES] * (row["kind"] in {"sfx", "noise"})
    if not path.lower().endswith(AUDIO) or any(re.search(pattern, path) for pattern in unwanted):
        return None
    return re.search(row["files"], path)


def examine(row: Row, path: str, speaker: str, content: bytes) -> Recording | None:
    """A recording within the limits of its kind, or None if it is unreadable or too short."""
    limits = LIMITS[row["kind"]]
    try:
        info = soundfile.info(io.BytesIO(content))
    except soundfile.LibsndfileError as error:
        print(f"{path}: left out, {error}")
        return None
    if info.samplerate not in RATES or info.duration < limits.shortest:
        return None
    return Recording(path, speaker, content, min(info.duration, limits.longest), info.samplerate)


def choose(row: Row, recordings: list[Recording]) -> list[Recording]:
    """Recordings up to the limit of the kind: all, or a fixed random choice, in the order of their names."""
    order, total, chosen = sorted(recordings, key=lambda r: r.path), 0.0, []
    random.Random(row["source"]).shuffle(order)
    for recording in order:
        if total + recording.seconds <= LIMITS[row["kind"]].total:
            chosen.append(recording)
            total += recording.seconds
    return sorted(chosen, key=lambda r: (r.speaker, r.path))


def ogg_beginning(content: bytes, seconds: float, rate: int) -> bytes:
    """The pages of an Ogg stream up to a time: what is kept is not encoded anew."""
    clock = 48000 if content[28:36] == b"OpusHead" else rate  # a page tells the time of its last sample
    start = 0
    while start < len(content):
        n_segments = content[start + 26]
        end = start + 27 + n_segments + sum(content[start + 27 : start + 27 + n_segments])
        if int.from_bytes(content[start + 6 : start + 14], "little", signed=True) >= seconds * clock:
            return content[:end]
        start = end
    return content


def decode(recording: Recording) -> Floats:
    """Mono samples, loud frames at LOUD_DB; none if all is silence or the file is damaged."""
    n = int(recording.seconds * recording.rate)
    try:
        samples = soundfile.read(io.BytesIO(recording.content), n, dtype="float32", always_2d=True)[0].mean(1)
    except soundfile.LibsndfileError as error:
        print(f"{recording.path}: left out, {error}")
        return np.zeros(0, dtype=np.float32)
    peak = float(np.abs(samples).max(initial=0))
    if peak < SILENCE:
        return samples[:0]
    gain = min(10 ** (LOUD_DB / 20) / np.percentile(frame_levels(samples, recording.rate), 95), 0.99 / peak)
    return np.asarray(samples * np.float32(gain))


def frame_levels(samples: Floats, rate: int) -> npt.NDArray[np.float64]:
    """RMS of 20 ms frames, at least one."""
    size = min(rate // 50, len(samples))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    return np.asarray(np.sqrt((frames.astype(np.float64) ** 2).mean(1)) + 1e-9)


def fill(recordings: Iterable[Recording]) -> Iterator[list[Recording]]:
    """Recordings of one speaker and sample rate for one file after the other: each long one alone, short ones together."""
    open_files: dict[tuple[str, int], list[Recording]] = defaultdict(list)
    for recording in recordings:
        if recording.seconds >= LONG_SECONDS:
            yield [recording]
            continue
        key = (recording.speaker, recording.rate)
        open_files[key].append(recording)
        if sum(r.seconds for r in open_files[key]) >= FILE_SECONDS:
            yield open_files.pop(key)
    yield from open_files.values()


def write_file(row: Row, recordings: list[Recording], stem: Path) -> tuple[Path, float] | None:
    """One file and its length in seconds: a long Ogg recording as it is unless it is speech, others decoded and joined."""
    first = recordings[0]
    if row["kind"] != "speech" and first.seconds >= LONG_SECONDS and first.content[:4] == b"OggS":
        path = stem.with_suffix(".ogg")
        path.write_bytes(ogg_beginning(first.content, first.seconds, first.rate))
        return path, soundfile.info(path).duration
    clips = [clip for clip in map(decode, recordings) if len(clip)]
    if not clips or (row["kind"] == "speech" and not clean_enough(clips, first.rate)):
        return None
    gap = np.zeros(int(GAP_SECONDS * first.rate), dtype=np.float32)
    samples = np.concatenate([piece for clip in clips for piece in (clip, gap)][:-1])
    path = stem.with_suffix(".flac")
    soundfile.write(path, samples, first.rate, subtype="PCM_16")
    return path, len(samples) / first.rate


def clean_enough(clips: list[Floats], rate: int) -> bool:
    """Whether speech rises far enough above what lies between its words."""
    low, high = np.percentile(np.concatenate([frame_levels(clip, rate) for clip in clips]), (5, 95))
    return bool(20 * np.log10(high / low) >= SPEECH_SPAN_DB)


def write_source(row: Row, recordings: list[Recording], out: Path) -> None:
    """One source's files and its part of the manifest, under a temporary name until all of it is there."""
    folder = out / "train" / row["kind"] / row["source"]
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Any]] = []
    for of_file in fill(choose(row, recordings)):
        written = write_file(row, of_file, part / f"{row['source']}_{len(lines):03d}")
        if written:
            path = (folder / written[0].name).relative_to(out).as_posix()
            values = (path, row["kind"], row["source"], of_file[0].speaker, row["language"], row["licence"])
            lines.append(dict(zip(COLUMNS, (*values, round(written[1], 2), len(of_file)), strict=True)))
    write_csv(part / "manifest.csv", lines)
    part.replace(folder)
    minutes = sum(line["seconds"] for line in lines) / 60
    print(f"{row['kind']} {row['source']}: {len(lines)} files, {minutes:.1f} minutes", flush=True)


def write_csv(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """A part of the manifest, or all of it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def join_manifests(out: Path) -> None:
    """The manifest of all finished sources."""
    lines: list[dict[str, Any]] = []
    for part in sorted((out / "train").glob("*/*/manifest.csv")):
        if part.parent.suffix != ".part":
            with part.open(newline="", encoding="utf-8") as file:
                lines += csv.DictReader(file)
    write_csv(out / "manifest.csv", lines)


def build(origin: str, rows: list[Row], files: Iterable[tuple[str, bytes]], out: Path) -> None:
    """All rows of one package or repository in one pass over its files."""
    recordings: dict[str, list[Recording]] = {row["source"]: [] for row in rows}
    seen: set[str] = set()
    credits_file = out / "credits" / (origin.replace("/", "+") + ".txt")
    texts: list[str] = []
    for path, content in files:
        if CREDITS.search(path):
            texts.append(f"{path}\n\n{content.decode(errors='replace')}\n")
        digest = hashlib.sha256(content).hexdigest()
        for row in rows:
            match = select(row, path)
            if match and row["source"] + digest not in seen:
                seen.add(row["source"] + digest)
                recording = examine(row, path, match.groupdict().get("speaker") or row["source"], content)
                recordings[row["source"]] += [recording] if recording else []
    credits_file.write_text("\n".join(texts), encoding="utf-8")
    for row in rows:
        write_source(row, recordings[row["source"]], out)


def main() -> None:
    """Builds what is missing; the manifest always lists what is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--downloads", type=Path, help="keep packages here; without it they are deleted after use")
    parser.add_argument("--repositories", type=Path, help="checkouts, named as their repositories; without it all are cloned")
    parser.add_argument("--kinds", nargs="+", default=list(LIMITS), help="only these kinds: %(default)s")
    args = parser.parse_args()
    (args.out / "credits").mkdir(parents=True, exist_ok=True)
    with (Path(__file__).parent / "corpus.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in args.kinds]
    missing: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not (args.out / "train" / row["kind"] / row["source"]).exists():
            missing[row["origin"]].append(row)
    for origin, rows_of_origin in missing.items():
        with tempfile.TemporaryDirectory() as scratch:
            if "/" in origin:
                files = repository_files(origin, args.repositories or Path(scratch))
            else:
                files = package_files(origin, args.downloads or Path(scratch))
            build(origin, rows_of_origin, files, args.out)
        join_manifests(args.out)
    join_manifests(args.out)  # also where only synthesise_speech.py has added something


if __name__ == "__main__":
    main()
