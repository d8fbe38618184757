"""The work on each pair, in this process or spread over several of one thread each."""

import math
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from percepnet import Model, PercepNetError, controls, enhance
from percepnet.evaluation import pictures
from percepnet.evaluation.pairs import Pair
from percepnet.evaluation.scores import METRICS, Scores, score
from percepnet.evaluation.signals import Signals, align, at_rate, read

__all__ = ["Exhibit", "PairScores", "Settings", "Workers"]

Array: TypeAlias = npt.NDArray[np.float32]
Progress: TypeAlias = Callable[[str, int, int], None]
Task = TypeVar("Task")
Result = TypeVar("Result")

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """What is done to every pair. model: None if the enhanced signal comes from files."""

    metrics: list[str]
    controls: controls.Settings
    model: Model | None

    def as_dict(self) -> dict[str, Any] | None:
        """The model and its settings, for JSON."""
        if self.model is None:
            return None
        model = {"id": self.model.id, "sha256": self.model.sha256, "weights": self.model.n_weights}
        limit_db = self.controls.attenuation_limit_db
        return model | self.controls._asdict() | {"attenuation_limit_db": None if math.isinf(limit_db) else limit_db}


@dataclass(frozen=True)
class PairScores:
    """What is known of one pair after scoring. delays: in samples, against clean (noisy if there is no clean)."""

    pair: Pair
    noisy: Scores
    enhanced: Scores
    sample_rate: int = 0
    channels: int = 0
    seconds: float = 0
    delays: dict[str, int] = field(default_factory=dict)
    trimmed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def row(self) -> dict[str, dict[str, float | None]]:
        """Scores by system, then metric."""
        return {"noisy": self.noisy.values, "enhanced": self.enhanced.values}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        moments = [{"start_s": start, "end_s": end, "lost": round(lost, 4)} for start, end, lost in self.enhanced.worst]
        result = {
            "file": self.pair.name,
            "about": self.pair.about,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "seconds": round(self.seconds, 3),
            "delay_samples": self.delays,
            "trimmed_samples": self.trimmed,
            "notes": self.notes,
            "noisy": _finite(self.noisy.values),
            "enhanced": _finite(self.enhanced.values),
        }
        if self.enhanced.damage_by_band:
            result |= {"worst_moments": moments, "damage_by_band": self.enhanced.damage_by_band}
        return result


@dataclass(frozen=True)
class Exhibit:
    """A pair to hear and see. sounds, spectrograms: data URIs by signal; complaint: why it is shown; top_hz of the picture."""

    scores: PairScores
    complaint: str
    sounds: dict[str, str]
    spectrograms: dict[str, str]
    top_hz: float


class Workers:
    """Does what every pair needs. With jobs > 1, in that many processes, which start when first needed."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        self._settings, self._jobs = settings, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._processes: set[BaseProcess] = set()

    def scores(self, pairs: list[Pair], progress: Progress) -> Iterator[PairScores]:
        """In the order of the pairs."""
        return self._map(_score_pair, pairs, "Scoring", progress)

    def exhibits(self, worst: list[tuple[PairScores, str]], progress: Progress) -> Iterator[Exhibit]:
        """Likewise."""
        return self._map(_exhibit, worst, "Worst cases", progress)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # Ctrl-C, above all: what they do now may take minutes
            for process in self._processes:
                process.terminate()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _map(
        self, work: Callable[[Settings, Task], Result], tasks: list[Task], title: str, progress: Progress
    ) -> Iterator[Result]:
        here = (work(self._settings, task) for task in tasks)
        results: Iterable[Result] = here if self._jobs <= 1 else self._spread(_Call(work), tasks)
        progress(title, 0, len(tasks))
        try:
            for i, result in enumerate(results, 1):
                progress(title, i, len(tasks))
                yield result
        except BrokenProcessPool as error:
            raise PercepNetError("a process ended early, killed or out of memory; fewer at once need less (-j)") from error

    def _spread(self, work: Callable[[Task], Result], tasks: list[Task]) -> Iterator[Result]:
        """In fresh interpreters, so that libraries find how many threads they may use when they are loaded."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._jobs, multiprocessing.get_context("spawn"), _begin, (self._settings,))
        others = set(multiprocessing.active_children()) - self._processes
        with _one_thread():
            results = self._pool.map(work, tasks)  # which starts those that are missing
        self._processes = set(multiprocessing.active_children()) - others
        return results


@contextmanager
def _one_thread() -> Iterator[None]:
    """What starts meanwhile finds that it may use one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_process: dict[str, Settings] = {}  # of a worker process: sent once, not with every task


def _begin(settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _process["settings"] = settings


@dataclass(frozen=True)
class _Call:
    """`work` with the settings of the process."""

    work: Callable[[Settings, Any], Any]

    def __call__(self, task: Any) -> Any:
        return self.work(_process["settings"], task)


# ---- one pair --------------------------------------------------------------------------------------------------------


def _score_pair(settings: Settings, pair: Pair) -> PairScores:
    nothing = Scores({})
    if pair.error:
        return PairScores(pair, nothing, nothing)
    try:
        signals = _load(settings, pair)
        clean = signals.by_name.get("clean")
        noisy, enhanced = (
            score(clean, signals.by_name[name], signals.sample_rate, settings.metrics) for name in ("noisy", "enhanced")
        )
    except (PercepNetError, ValueError, MemoryError) as error:
        return PairScores(replace(pair, error=str(error) or type(error).__name__), nothing, nothing)
    channels, n_samples = signals.by_name["noisy"].shape
    notes = signals.notes + [f"{n}: {note}" for n, s in (("noisy", noisy), ("enhanced", enhanced)) for note in _all_notes(s)]
    return PairScores(
        pair=pair,
        noisy=noisy,
        enhanced=enhanced,
        sample_rate=signals.sample_rate,
        channels=channels,
        seconds=n_samples / signals.sample_rate,
        delays=signals.delays,
        trimmed=signals.trimmed,
        notes=notes,
    )


def _load(settings: Settings, pair: Pair) -> Signals:
    """Clean (if there is one), noisy and enhanced of a pair, aligned."""
    noisy, sample_rate, notes = read(pair.noisy)
    by_name = {"noisy": noisy}
    if pair.clean is not None:
        clean, clean_rate, clean_notes = read(pair.clean)
        notes += clean_notes
        if clean_rate != sample_rate:
            rates = f"noisy has a sample rate of {sample_rate} Hz, clean of {clean_rate} Hz"
            raise PercepNetError(f"{rates}; convert one of them")
        by_name = {"clean": clean, "noisy": noisy}
    by_name["enhanced"] = _enhanced(settings, pair, noisy, sample_rate, notes)
    signals = align(by_name, sample_rate)
    signals.notes = notes + signals.notes
    return signals


def _enhanced(settings: Settings, pair: Pair, noisy: Array, sample_rate: int, notes: list[str]) -> Array:
    if pair.enhanced is None:
        if settings.model is None:
            raise TypeError("a pair without enhanced file needs a model")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return enhance(noisy, sample_rate, model=settings.model, **settings.controls._asdict())
    enhanced, rate, file_notes = read(pair.enhanced)
    notes += file_notes
    if rate == sample_rate:
        return enhanced
    notes.append(f"enhanced has a sample rate of {rate} Hz; converted to {sample_rate} Hz")
    return at_rate(enhanced, rate, sample_rate)


def _all_notes(scores: Scores) -> list[str]:
    infinite = [METRICS[name].title for name, value in scores.values.items() if value is not None and math.isinf(value)]
    return scores.notes + [f"{title} is infinite, and not in the mean" for title in infinite]


def _finite(values: dict[str, float | None]) -> dict[str, float | None]:
    """JSON has no infinity."""
    return {name: None if value is None or not math.isfinite(value) else round(value, 6) for name, value in values.items()}


def _exhibit(settings: Settings, case: tuple[PairScores, str]) -> Exhibit:
    scores, complaint = case
    signals = _load(settings, scores.pair)
    mono = {name: samples.mean(axis=0) for name, samples in signals.by_name.items()}
    loudest = max(1.0, *(float(np.abs(samples).max()) for samples in signals.by_name.values()))
    return Exhibit(
        scores=scores,
        complaint=complaint,
        sounds={name: pictures.sound(samples / loudest, signals.sample_rate) for name, samples in signals.by_name.items()},
        spectrograms=pictures.spectrograms(mono, signals.sample_rate),
        top_hz=signals.sample_rate / 2,
    )
