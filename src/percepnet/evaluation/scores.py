"""The table of metrics, and the scores of one pair."""

import importlib.metadata
import importlib.util
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from percepnet import metrics
from percepnet.errors import PercepNetError

__all__ = ["METRICS", "Metric", "Scores", "choose_metrics", "package_versions", "score"]

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Metric:
    """How a metric is named, shown and read. Shown values are `factor` times the score, with `digits` decimals."""

    name: str
    title: str
    meaning: str
    packages: tuple[str, ...]
    factor: float = 1
    digits: int = 2
    higher_is_better: bool = True
    needs_clean: bool = True

    def show(self, value: float | None, signed: bool = False) -> str:
        """As text, or a dash where there is no value."""
        if value is None:
            return "-"
        rounded = round(self.factor * value, self.digits) + 0.0  # no negative zero
        return f"{rounded:{'+' if signed else ''}.{self.digits}f}"


_SPEECHMOS = ("speechmos", "onnxruntime", "scipy")
METRICS = {
    metric.name: metric
    for metric in (
        Metric("pesq", "PESQ-WB", "ITU-T P.862.2 quality, 1 to 4.64", ("pesq", "scipy")),
        Metric("stoi", "STOI %", "short-time intelligibility, 0 to 100", ("pystoi",), 100, 1),
        Metric("estoi", "ESTOI %", "extended STOI, for modulated noise, 0 to 100", ("pystoi",), 100, 1),
        Metric("si_sdr", "SI-SDR dB", "scale-invariant signal-to-distortion ratio at 16 kHz", ("scipy",), 1, 1),
        Metric("sig", "DNSMOS SIG", "P.835 prediction: the speech, 1 to 5", _SPEECHMOS, needs_clean=False),
        Metric("bak", "DNSMOS BAK", "P.835 prediction: the background, 1 to 5", _SPEECHMOS, needs_clean=False),
        Metric("ovrl", "DNSMOS OVRL", "P.835 prediction: overall, 1 to 5", _SPEECHMOS, needs_clean=False),
        Metric("lsd", "LSD dB", "log-spectral distance over the full band", (), 1, 1, higher_is_better=False),
        Metric("damage", "Damage %", "speech energy taken away, mean over speech in time and bands", ("scipy",), 100, 1, False),
    )
}


@dataclass
class Scores:
    """Of one signal: values by metric (None: not defined, see notes), and where its speech is damaged.

    damage_by_band: (BANDS,) shares lost, None where the band has no speech; of the mean of the channels
    worst: (start_s, end_s, share lost) of the channel that lost most
    """

    values: dict[str, float | None]
    damage_by_band: list[float | None] = field(default_factory=list)
    worst: list[tuple[float, float, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose_metrics(names: Iterable[str] | None, with_clean: bool) -> list[str]:
    """The metrics to compute, in the table's order; raises PercepNetError for what is unknown, or needs what is not there."""
    wanted = [name.strip().replace("-", "_") for name in names] if names is not None else list(METRICS)
    wanted = ["si_sdr" if name == "sisdr" else name for name in wanted]
    unknown = [name for name in wanted if name not in METRICS and name != "dnsmos"]
    if unknown:
        raise PercepNetError(f"no metric {', '.join(unknown)}; there are {', '.join(METRICS)}, and dnsmos for sig,bak,ovrl")
    if "dnsmos" in wanted:
        wanted += ["sig", "bak", "ovrl"]
    chosen = [name for name, metric in METRICS.items() if name in wanted and (with_clean or not metric.needs_clean)]
    if not chosen:
        raise PercepNetError(f"{', '.join(wanted)}: not without clean files")
    packages = {"scipy"}.union(*(METRICS[name].packages for name in chosen))
    missing = {package for package in packages if importlib.util.find_spec(package) is None}
    if missing:
        raise PercepNetError(f'{", ".join(sorted(missing))} not installed; scores need: pip install "percepnet[eval]"')
    return chosen


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Of what the metrics rest on."""
    packages = {package for name in names for package in METRICS[name].packages}
    return {package: importlib.metadata.version(package) for package in sorted(packages)}


def score(clean: Array | None, enhanced: Array, sample_rate: int, names: list[str]) -> Scores:
    """Every metric in `names` of (channels, samples), each the mean of the channels where it is defined."""
    channels = [
        _score_channel(None if clean is None else clean[i], enhanced[i], sample_rate, names) for i in range(enhanced.shape[0])
    ]
    worst = max(channels, key=lambda channel: channel.values.get("damage") or 0)
    by_band = [_mean(values) for values in zip(*(c.damage_by_band for c in channels if c.damage_by_band), strict=True)]
    return Scores(
        values={name: _mean(channel.values[name] for channel in channels) for name in names},
        damage_by_band=by_band,
        worst=worst.worst,
        notes=list(dict.fromkeys(note for channel in channels for note in channel.notes)),
    )


def _score_channel(clean: Array | None, enhanced: Array, sample_rate: int, names: list[str]) -> Scores:
    scores = Scores(dict.fromkeys(names))
    if clean is not None:
        _score_against(clean, enhanced, sample_rate, scores)
    if {"sig", "bak", "ovrl"} & set(names):
        opinion = _defined("DNSMOS", scores, lambda: metrics.dnsmos(enhanced, sample_rate))
        if opinion is not None:
            scores.values |= {name: value for name, value in opinion._asdict().items() if name in names}
    return scores


def _score_against(clean: Array, enhanced: Array, sample_rate: int, scores: Scores) -> None:
    clean_16, enhanced_16 = (metrics.resample(x, sample_rate, metrics.SCORE_RATE) for x in (clean, enhanced))
    measures: dict[str, Callable[[], float]] = {
        "pesq": lambda: metrics.pesq_wb(clean_16, enhanced_16, metrics.SCORE_RATE),
        "stoi": lambda: metrics.stoi(clean, enhanced, sample_rate),
        "estoi": lambda: metrics.estoi(clean, enhanced, sample_rate),
        "si_sdr": lambda: metrics.si_sdr(clean_16, enhanced_16),
        "lsd": lambda: metrics.log_spectral_distance(clean, enhanced, sample_rate),
    }
    for name in measures.keys() & scores.values.keys():
        scores.values[name] = _defined(METRICS[name].title.split()[0], scores, measures[name])
    if "damage" in scores.values:
        damage = _defined("Damage", scores, lambda: metrics.speech_damage(clean, enhanced, sample_rate))
        if damage is not None:
            scores.values["damage"] = damage.lost
            scores.damage_by_band = [None if math.isnan(share) else share for share in damage.by_band]
            scores.worst = [tuple(moment) for moment in damage.worst]


def _defined(title: str, scores: Scores, measure: Callable[[], Any]) -> Any:
    """What `measure` gives; None, and a note, where the pair has no such score."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)  # of pystoi, which returns 1e-5
            return measure()
    except (ValueError, RuntimeWarning) as error:
        reason = str(error) if isinstance(error, ValueError) else "too little speech"
        scores.notes.append(f"{title} is not defined: {reason}")
        return None


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
