"""Which files belong together, and what is known of each: SNR, kind and whatever else a manifest says."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from percepnet.errors import PercepNetError

__all__ = ["Pair", "find_pairs"]

SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".oga", ".opus"}
MANIFESTS = ("pairs.csv", "manifest.csv")  # looked for in the folder of the noisy files, and beside it
FILE_COLUMNS = ("file", "noisy", "filename", "path")
SNR_IN_NAME = re.compile(r"(?:^|[^a-z])snr[_=]?([+-]?\d+(?:\.\d+)?)", re.IGNORECASE)
FILE_ID = re.compile(r"fileid_\d+")  # how the DNS challenge ties noisy_fileid_3 to clean_fileid_3


@dataclass(frozen=True)
class Pair:
    """One recording: its name within the folder, its files, and its row of the manifest."""

    name: str
    noisy: Path
    clean: Path | None = None
    enhanced: Path | None = None
    about: dict[str, str] = field(default_factory=dict)
    error: str = ""


def find_pairs(
    noisy: Path, clean: Path | None, enhanced: Path | None, manifest: Path | None, *, where: Mapping[str, str]
) -> list[Pair]:
    """Every noisy file with its partners, by name; a partner that is missing is the pair's error.

    Raises PercepNetError where nothing can be scored: no such folder, no audio in it, or no partner for any file.
    """
    files = dict(_audio_files(noisy))
    if not files:
        raise PercepNetError(f"no audio files in {noisy}")
    table = _read_manifest(noisy, manifest)
    partners = {kind: _Partners(folder) for kind, folder in (("clean", clean), ("enhanced", enhanced)) if folder is not None}
    pairs = []
    for name, path in files.items():
        about = _about(name, table)
        if all(about.get(column) == value for column, value in where.items()):
            found = {kind: folder.of(name, path) for kind, folder in partners.items()}
            missing = [f"no {kind} file of that name in {partners[kind].folder}" for kind, at in found.items() if at is None]
            pairs.append(Pair(name, path, found.get("clean"), found.get("enhanced"), about, "; ".join(missing)))
    if not pairs:
        raise PercepNetError(f"no file has {', '.join(f'{column}={value}' for column, value in where.items())}")
    if all(pair.error for pair in pairs):
        raise PercepNetError(f"none of {len(pairs)} files can be scored: {pairs[0].name}: {pairs[0].error}")
    return pairs


def _audio_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name within the folder, with "/", and path, sorted; a file stands for a folder that holds it alone."""
    if folder.is_file():
        yield folder.name, folder
    elif not folder.is_dir():
        raise PercepNetError(f"no such folder: {folder}")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield path.relative_to(folder).as_posix(), path


class _Partners:
    """The files of one folder, found by the name of a noisy one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = list(_audio_files(folder))
        self._single = folder if folder.is_file() else None
        self._by_stem: dict[str, list[Path]] = {}
        self._by_id: dict[str, list[Path]] = {}
        for name, path in files:
            self._by_stem.setdefault(_stem(name), []).append(path)
            for file_id in FILE_ID.findall(path.stem):
                self._by_id.setdefault(file_id, []).append(path)

    def of(self, name: str, noisy: Path) -> Path | None:
        """The same name, if need be with another suffix or something appended, as in <stem>.clean.wav; else the file id."""
        if self._single is not None:
            return self._single
        stem = _stem(name)
        appended = [path for other, paths in self._by_stem.items() if _is_appended(stem, other) for path in paths]
        file_ids = FILE_ID.findall(noisy.stem)
        by_id = self._by_id.get(file_ids[-1], []) if file_ids else []
        for candidates in (self._by_stem.get(stem, []), appended, by_id):
            same_suffix = [path for path in candidates if path.suffix == noisy.suffix]
            if len(same_suffix or candidates) == 1:
                return (same_suffix or candidates)[0]
        return None


def _stem(name: str) -> str:
    return name[: name.rindex(".")] if "." in Path(name).name else name


def _is_appended(stem: str, other: str) -> bool:
    return other.startswith(stem) and other[len(stem) : len(stem) + 1] in {".", "_", "-"}


# ---- what is known of a file -----------------------------------------------------------------------------------------


def _read_manifest(noisy: Path, manifest: Path | None) -> dict[str, dict[str, str]]:
    """Rows by file name, and by stem."""
    folder = noisy if noisy.is_dir() else noisy.parent
    places = [folder / name for folder in (folder, folder.parent) for name in MANIFESTS]
    path = manifest or next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PercepNetError(f"cannot read manifest {path}: {error}") from error
    column = next((name for name in FILE_COLUMNS if rows and name in rows[0]), None)
    if column is None:
        if manifest is None:
            return {}
        raise PercepNetError(f"manifest {path} has no column {' or '.join(FILE_COLUMNS)}")
    return {key: _texts(row, column) for row in rows for key in (row[column], _stem(Path(row[column]).name))}


def _texts(row: dict[str, str], file_column: str) -> dict[str, str]:
    """Without the column of the file, what has no heading, and what is empty."""
    return {name: value for name, value in row.items() if isinstance(name, str) and name != file_column and value}


def _about(name: str, table: dict[str, dict[str, str]]) -> dict[str, str]:
    about = dict(table.get(name) or table.get(_stem(Path(name).name)) or {})
    snr = SNR_IN_NAME.search(Path(name).stem)
    if "snr_db" not in about and (snr or "snr" in about):
        about["snr_db"] = about.get("snr") or (snr.group(1) if snr else "")
    if "snr_db" in about:
        about["snr_db"] = _number(about["snr_db"])
    return about


def _number(text: str) -> str:
    """One spelling of +05, 5 and 5.0."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text
