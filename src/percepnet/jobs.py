"""Thousands of files: what there is to do, and processes that do it."""

import glob
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol

from percepnet.controls import Controls
from percepnet.errors import ArgumentError, PercepNetError
from percepnet.files import AUDIO_SUFFIXES, MEDIA_SUFFIXES, FileReport, clean_file, default_target
from percepnet.weights import Model

PRODUCTS = (".clean", ".residual")  # ends of the stems that we write, which folders and patterns leave out


@dataclass(frozen=True)
class Job:
    """One file to clean.

    error: why that is impossible
    makes_folder: the target's folder is made
    """

    source: Path
    target: Path
    error: str | None = None
    makes_folder: bool = False


@dataclass(frozen=True)
class Options:
    """What holds for all files: see enhance_file()."""

    model: Model
    subtype: str | None = None
    skip_existing: bool = False
    controls: Controls = field(default_factory=Controls)


@dataclass(frozen=True)
class Found:
    """A file, and the folder below the output that it goes to; None if the file itself was named."""

    path: Path
    below: Path | None = None
    error: str | None = None


# ---- what there is to do -------------------------------------------------------------------------------------------


def find(arguments: Sequence[Path]) -> list[Found]:
    """Files as they are; all audio files below folders; what patterns with *, ? and ** match. Sorted within each."""
    found: list[Found] = []
    for argument in arguments:
        if _is_folder(argument):
            found += _below(argument)
        elif glob.has_magic(str(argument)) and not argument.exists():
            found += _matching(argument)
        else:
            found.append(Found(argument))
    return list({entry.path: entry for entry in found}.values())


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - which is False, not an error, for an impossible name


def _below(folder: Path) -> list[Found]:
    paths = [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]
    found = [Found(path, path.parent.relative_to(folder)) for path in sorted(paths) if _is_input(path)]
    return found or [Found(folder, Path(), "no audio files in this folder")]


def _matching(pattern: Path) -> list[Found]:
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    paths = sorted(Path(fixed or ".").glob(str(pattern.relative_to(fixed))))
    found = [Found(path, _relative(path.parent, fixed)) for path in paths if path.is_file() and not _is_product(path)]
    return found or [Found(pattern, Path(), "no file matches")]


def _is_input(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES | MEDIA_SUFFIXES and not path.name.startswith(".") and not _is_product(path)


def _is_product(path: Path) -> bool:
    return path.stem.endswith(PRODUCTS)


def _relative(path: Path, start: Path) -> Path:
    return path.relative_to(start) if path.is_relative_to(start) else Path()


def read_manifest(manifest: Path) -> list[Found]:
    """The files named in `audio_filepath` of each line's JSON object, relative to the manifest's folder."""
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ArgumentError(f"cannot read manifest {manifest}: {reason}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            name = _filepath(line, f"{manifest}, line {number}")
            found.append(Found(manifest.parent / name, Path() if name.anchor else name.parent))
    return found


def _filepath(line: str, place: str) -> Path:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ArgumentError(f"{place}: not JSON ({error})") from error
    name = row.get("audio_filepath") if isinstance(row, dict) else None
    if not isinstance(name, str) or "\0" in name:
        raise ArgumentError(f'{place}: expected an object with "audio_filepath", got {line.strip()[:80]}')
    return Path(name)


def shard(found: Sequence[Found], part: str) -> list[Found]:
    """Every N-th file from the i-th on, for a part "i/N" with i from 1 to N."""
    try:
        i, n = map(int, part.split("/"))
    except ValueError:
        raise ArgumentError(f"expected a shard i/N, such as 3/8, got {part!r}") from None
    if not 1 <= i <= n:
        raise ArgumentError(f"expected a shard i/N with i from 1 to N, got {part!r}")
    return list(found[i - 1 :: n])


def plan(
    found: Sequence[Found], output: str | None, suffix: str | None = None, residual: bool = False, skip_existing: bool = False
) -> list[Job]:
    """Where each result goes; raises ArgumentError where that would overwrite an input or another result.

    output: a file for a single input, else a folder; None for beside the inputs
    suffix: of the results; None for the input's
    """
    folder = None if output is None else Path(output)
    if folder is not None and not _into_folder(found, str(output)):
        if suffix is not None and folder.suffix.lower() != suffix:
            raise ArgumentError(f"expected an output with the suffix {suffix}, as the format, got {output}")
        jobs = [Job(found[0].path, folder, found[0].error)]
    elif folder is not None and (folder.suffix.lower() in AUDIO_SUFFIXES | MEDIA_SUFFIXES or folder.is_file()):
        raise ArgumentError(f"expected a folder for the results of several inputs, got {output}")
    else:
        jobs = [_job(entry, folder, suffix, residual) for entry in found]
    if skip_existing:  # a shell's pattern matches what an earlier run wrote, too
        written = {_identity(job.target) for job in jobs}
        jobs = [job for job in jobs if not (_is_product(job.source) and _identity(job.source) in written)]
    _check_targets(jobs)
    return jobs


def _into_folder(found: Sequence[Found], output: str) -> bool:
    return len(found) != 1 or found[0].below is not None or output.endswith(("/", os.sep)) or _is_folder(Path(output))


def _job(entry: Found, folder: Path | None, suffix: str | None, residual: bool) -> Job:
    target = default_target(entry.path, residual, suffix)
    if folder is None:
        return Job(entry.path, target, entry.error)
    return Job(entry.path, folder / (entry.below or "") / target.name, entry.error, makes_folder=True)


def _check_targets(jobs: Sequence[Job]) -> None:
    sources = {_identity(job.source) for job in jobs}
    targets: set[object] = set()
    for job in jobs:
        identity = _identity(job.target)
        if identity in sources:
            raise ArgumentError(f"{job.target} is an input and would be overwritten; name another output")
        if identity in targets:
            raise ArgumentError(f"two inputs would both be written to {job.target}; clean them one at a time")
        targets.add(identity)


def _identity(path: Path) -> object:
    """Equal for two paths to one file."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


# ---- doing it ------------------------------------------------------------------------------------------------------


class Watcher(Protocol):
    """Told of what happens, and asked whether to go on."""

    def started(self, worker: int, job: Job) -> None:
        """A worker begins a file."""

    def advanced(self, worker: int, done: int, total: int) -> None:
        """Samples."""

    def check(self) -> None:
        """Called at least every half second, and after every block of a single worker; what it raises ends it all."""


def run(jobs: Sequence[Job], options: Options, n_workers: int, watcher: Watcher) -> Iterator[FileReport]:
    """Does all jobs and yields a report as each ends; a failure is a report. More than one worker: processes."""
    possible = [job for job in jobs if job.error is None]
    yield from (failed(job, str(job.error)) for job in jobs if job.error is not None)
    if min(n_workers, len(possible)) <= 1:
        yield from (_do_here(job, options, watcher) for job in possible)
    else:
        yield from _do_in_processes(possible, options, min(n_workers, len(possible)), watcher)


def failed(job: Job, error: str) -> FileReport:
    """The report of a job that went wrong."""
    return FileReport(str(job.source), None, "failed", error)


def _do_here(job: Job, options: Options, watcher: Watcher) -> FileReport:
    def progress(done: int, total: int) -> None:
        watcher.advanced(0, done, total)
        watcher.check()

    watcher.check()
    watcher.started(0, job)
    return do(job, options, progress)


def do(job: Job, options: Options, progress: Callable[[int, int], None]) -> FileReport:
    """One job, here and now; a failure is a report."""
    try:
        if job.makes_folder:
            _make_folder(job.target.parent)
        return clean_file(
            job.source, job.target, options.model, options.subtype, options.skip_existing, progress, options.controls
        )
    except (PercepNetError, ValueError) as error:  # ValueError: of the system, for a name that no file can have
        return replace(failed(job, str(error)), model=options.model.id, model_sha256=options.model.sha256)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PercepNetError(f"cannot make folder {folder}: {error.strerror}") from error


class _Worker:
    """A process, our end of its pipe, and what it is doing."""

    def __init__(self, options: Options) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_work, args=(theirs, options), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None

    def give(self, job: Job) -> None:
        self.job = job
        self.pipe.send(job)

    def end(self) -> int | None:
        """Lets it finish what can be undone, and waits. Returns its exit code."""
        self.pipe.close()
        self.process.join()
        return self.process.exitcode


def _do_in_processes(jobs: Sequence[Job], options: Options, n_workers: int, watcher: Watcher) -> Iterator[FileReport]:
    waiting = list(reversed(jobs))
    workers: dict[int, _Worker] = {}
    try:
        for number in range(n_workers):
            workers[number] = _Worker(options)
            _give_next(number, workers[number], waiting, watcher)
        while any(worker.job for worker in workers.values()):
            watcher.check()
            pipes: dict[Any, int] = {worker.pipe: number for number, worker in workers.items() if worker.job}
            for pipe in wait(list(pipes), timeout=0.2):
                number = pipes[pipe]
                report = _hear(number, workers, options, watcher)
                if report is not None:
                    _give_next(number, workers[number], waiting, watcher)
                    yield report
    finally:
        for worker in workers.values():
            worker.pipe.close()
        for worker in workers.values():
            worker.process.join()


def _give_next(number: int, worker: _Worker, waiting: list[Job], watcher: Watcher) -> None:
    worker.job = None
    if waiting:
        watcher.started(number, waiting[-1])
        worker.give(waiting.pop())


def _hear(number: int, workers: dict[int, _Worker], options: Options, watcher: Watcher) -> FileReport | None:
    """What a worker says: progress, or that it is done. One that died is replaced, and its file has failed."""
    worker = workers[number]
    try:
        message = worker.pipe.recv()
    except (EOFError, OSError):
        assert worker.job is not None
        report = failed(worker.job, f"the process that worked on it ended with code {worker.end()}")
        workers[number] = _Worker(options)
        return report
    if isinstance(message, FileReport):
        return message
    watcher.advanced(number, *message)
    return None


def _work(pipe: Connection, options: Options) -> None:
    """The life of a worker: until nobody listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one decides
    try:
        while True:
            job = pipe.recv()
            pipe.send(do(job, options, lambda done, total: pipe.send((done, total))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
