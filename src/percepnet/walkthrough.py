"""Every stage of one recording, to hear and to see: stages().

The module is not called stages, because the function is: a module of that name would replace it in the package.
"""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from percepnet import _core, metrics, page
from percepnet.enhancer import Enhancer, Frames
from percepnet.errors import ArgumentError, AudioFormatError
from percepnet.output import write_whole
from percepnet.weights import Model, load_model

__all__ = ["Oracle", "Stages", "oracle_bins", "stages"]

Array: TypeAlias = npt.NDArray[np.float32]

LENGTH_TOLERANCE_S: Final = 1.0  # by which noisy and clean may differ: more are two recordings

# Title and what to listen for, in the order in which the method argues.
STAGES: Final = {
    "noisy": ("Noisy", "What was recorded. Every other stage starts here."),
    "oracle_bins": (
        "Oracle, 481 bins",
        "Every bin has the clean magnitude and keeps its noisy phase. The roughness that is left is the phase's.",
    ),
    "oracle_bands": (
        "Oracle, 34 bands",
        "34 gains take the place of 481 magnitudes. Noise between the harmonics of a vowel now passes: rougher.",
    ),
    "oracle_comb": (
        "Oracle + comb",
        "A comb filter at the pitch, mixed in band by band by oracle strengths, removes the noise between the harmonics.",
    ),
    "oracle_postfilter": (
        "Oracle + postfilter",
        "Bands that are still noisy are lowered a little more than is true, which the ear forgives. The bound of any network.",
    ),
    "model_bands": ("Model, 34 bands", "The network's gains alone, without comb filter and postfilter."),
    "model_comb": ("Model + comb", "The comb filter at the pitch, mixed in by the network's strengths."),
    "enhanced": ("Enhanced", "The network's gains and strengths, comb filter and postfilter: what users get."),
    "removed": ("Removed", "Noisy minus enhanced. Speech that is heard here is speech that was lost."),
    "clean": ("Clean", "What the oracles aim at, and what the scores compare with."),
}


@dataclass(frozen=True, eq=False)
class Stages:
    """What stages() found; n frames of 10 ms, of which frame t is centred at sample t * 480.

    audio: (samples,) float32 at `sample_rate` by name of the stage, all aligned
    gains, strengths: (n, BANDS) float32 in [0, 1], the network's
    oracle_gains, oracle_strengths: likewise, computed with the clean signal; None without one
    period: (n,) float32, of the pitch, in samples at 48 kHz
    correlation: (n,) float32, at that period
    voicing: (n,) float32 in [0, 1], how surely the frame is voiced
    coherence: (n, BANDS) float32, of noisy and comb
    energy: (n, BANDS) float32, of the noisy signal
    gated: (n,) bool, below the silence gate
    speech_probability: (n,) float32 in [0, 1]; None if the model does not estimate it
    scores: metric by name of the stage, for those that were scored; see percepnet.metrics
    notes: what was done to the input, and what could not be done
    """

    audio: dict[str, Array]
    gains: Array
    strengths: Array
    oracle_gains: Array | None
    oracle_strengths: Array | None
    period: Array
    correlation: Array
    voicing: Array
    coherence: Array
    energy: Array
    gated: npt.NDArray[np.bool_]
    speech_probability: Array | None
    model: Model
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sample_rate: int = _core.SAMPLE_RATE

    def to_html(self, path: str | PathLike[str], title: str = "") -> None:
        """Writes one page that needs no network: players, spectrograms, and every number of every frame.

        title: heads the page; the name of the recording
        """
        html = page.render(self._facts(title), self.audio, self._tracks())
        write_whole(Path(path), html.encode(errors="backslashreplace"))  # a file's name need not be UTF-8

    def _facts(self, title: str) -> dict[str, Any]:
        return {
            "title": title or "A recording",
            "notes": self.notes,
            "model": f"{self.model.id}, {self.model.n_weights:,} weights, look-ahead {self.model.lookahead * 10} ms",
            "stages": [{"name": name, "title": STAGES[name][0], "text": STAGES[name][1]} for name in self.audio],
            "scores": self.scores,
        }

    def _tracks(self) -> dict[str, npt.NDArray[Any] | None]:
        """What is drawn over time; None is left out."""
        return {
            "gains": self.gains,
            "oracle_gains": self.oracle_gains,
            "strengths": self.strengths,
            "oracle_strengths": self.oracle_strengths,
            "coherence": self.coherence,
            "energy": self.energy,
            "period": self.period,
            "correlation": self.correlation,
            "voicing": self.voicing,
            "speech_probability": self.speech_probability,
            "gated": self.gated,
        }


def stages(
    noisy: npt.ArrayLike,
    sample_rate: int,
    clean: npt.ArrayLike | None = None,
    *,
    model: "str | PathLike[str] | Model" = "default",
    channel: int | None = None,
    with_scores: bool = True,
) -> Stages:
    """Takes a recording through every stage of the method, at 48 kHz.

    noisy, clean: (samples,) or (channels, samples), int16, int32 or floats of full scale 1, aligned. The longer one is cut
        to the shorter one, if the difference is at most a second.
    sample_rate: 8000 to 192000 Hz, of both
    channel: the one to show; None for the mean of all
    with_scores: PESQ takes as long as everything else together, DNSMOS longer

    With `clean`, the stages are noisy, oracle_bins, oracle_bands, oracle_comb, oracle_postfilter, enhanced, removed and
    clean; without, noisy, model_bands, model_comb, enhanced and removed.
    """
    loaded = load_model(model)
    notes: list[str] = []
    signals = [_mono("noisy", noisy, channel, notes)]
    if clean is not None:
        signals.append(_mono("clean", clean, channel, notes))
    samples = [_at_48_khz(x, sample_rate) for x in _same_length(signals, notes, sample_rate)]
    if sample_rate != _core.SAMPLE_RATE:
        notes.append(f"The recording has {sample_rate} Hz; all stages are at {_core.SAMPLE_RATE} Hz, where the core works.")
    audio, frames, oracle = _walk(samples, loaded)
    return Stages(
        audio=audio,
        gains=frames["gains"],
        strengths=frames["strengths"],
        oracle_gains=None if oracle is None else oracle.gains,
        oracle_strengths=None if oracle is None else oracle.strengths,
        period=frames["period"],
        correlation=frames["correlation"],
        voicing=frames["voicing"],
        coherence=frames["coherence"],
        energy=frames["energy"],
        gated=frames["gated"] != 0,
        speech_probability=frames["speech_probability"] if loaded.has_speech else None,
        model=loaded,
        scores=_scores(audio, notes) if with_scores else {},
        notes=notes,
    )


# ---- the stages ------------------------------------------------------------------------------------------------------


class Oracle:
    """Gains and strengths that only the clean signal can tell, for every frame that enhancing `noisy` takes.

    noisy, clean: (samples,) at 48 kHz, of one length. model: its look-ahead and pitch tracker serve. pitch_source: whose
    pitch is tracked, if not that of `noisy`.
    """

    def __init__(self, noisy: Array, clean: Array, model: Model, pitch_source: Array | None = None) -> None:
        n_hops = _n_frames(noisy.size) + model.lookahead
        source = None if pitch_source is None else _padded(pitch_source, n_hops)
        analysis = _core.analyze(_padded(noisy, n_hops), _padded(clean, n_hops), model.lookahead, source, model.handle)
        if analysis.gains is None or analysis.strengths is None or analysis.statistics is None:
            raise TypeError("an analysis with a clean twin has oracles")
        noisy_energy = analysis.statistics[:, _core.STATISTICS.index("E_Y")]
        clean_energy = analysis.statistics[:, _core.STATISTICS.index("E_X")]
        silent = noisy_energy <= 0
        self.ratio: Array = np.sqrt(np.clip(clean_energy / np.where(silent, 1, noisy_energy), 0, 1))  # SPEC 2.1
        # -1 where the loss is masked, because both signals are silent there or nothing is voiced
        self.gains: Array = np.where(analysis.gains < 0, self.ratio, analysis.gains)
        self.strengths: Array = np.maximum(analysis.strengths, 0)
        self.analysis = analysis


def oracle_bins(noisy: Array, clean: Array) -> Array:
    """The magnitudes min(|X|, |Y|) with the phase of Y, for the spectra X of `clean` and Y of `noisy` (samples,)."""
    noisy_spectra, clean_spectra = (_spectra(_core.stage_dc_blocker(x)) for x in (noisy, clean))
    magnitude = np.abs(noisy_spectra)
    gain = np.minimum(1, np.abs(clean_spectra) / np.where(magnitude > 0, magnitude, 1))
    return _core.stage_synthesis(gain * noisy_spectra)[_core.HOP : _core.HOP + noisy.size]


def _walk(samples: list[Array], model: Model) -> tuple[dict[str, Array], Frames, Oracle | None]:
    """Every stage by name, what happened in each frame of the last one, and the oracle if there is a clean signal."""
    noisy = samples[0]
    no_comb = np.zeros((_n_frames(noisy.size), _core.BANDS), np.float32)
    enhanced, frames = _enhance(noisy, model, True)
    last = {"enhanced": enhanced, "removed": noisy - enhanced}
    if len(samples) == 1:
        model_bands, _ = _enhance(noisy, model, False, strengths=no_comb)
        model_comb, _ = _enhance(noisy, model, False)
        return {"noisy": noisy, "model_bands": model_bands, "model_comb": model_comb} | last, frames, None
    clean = samples[1]
    oracle = Oracle(noisy, clean, model)
    bands, _ = _enhance(noisy, model, False, oracle.ratio, no_comb)
    comb, _ = _enhance(noisy, model, False, oracle.gains, oracle.strengths)
    postfilter, _ = _enhance(noisy, model, True, oracle.gains, oracle.strengths)
    first = {"noisy": noisy, "oracle_bins": oracle_bins(noisy, clean), "oracle_bands": bands}
    return first | {"oracle_comb": comb, "oracle_postfilter": postfilter} | last | {"clean": clean}, frames, oracle


def _enhance(
    noisy: Array, model: Model, post_filter: bool, gains: Array | None = None, strengths: Array | None = None
) -> tuple[Array, Frames]:
    """(samples,) at 48 kHz -> the same, aligned, with imposed gains and strengths (frames, BANDS) where given."""
    with Enhancer(model=model, post_filter=post_filter) as enhancer:
        first, frames = enhancer.process_frames(noisy, gains=gains, strengths=strengths)
        last, more_frames = enhancer.flush_frames(gains=gains, strengths=strengths)
    return np.concatenate([first, last]), np.concatenate([frames, more_frames])[: _n_frames(noisy.size)]


def _n_frames(n_samples: int) -> int:
    """Frames whose window holds a part of `n_samples`."""
    return -(-n_samples // _core.HOP) + 1


def _padded(samples: Array, n_hops: int) -> Array:
    return np.pad(samples, (0, n_hops * _core.HOP - samples.size))


def _spectra(samples: Array) -> npt.NDArray[np.complex64]:
    """(frames, BINS), frame t centred at sample t * HOP."""
    n = _n_frames(samples.size)
    padded = np.pad(samples, (_core.HOP, n * _core.HOP - samples.size))
    return np.stack([_core.stage_analysis(padded[t * _core.HOP : t * _core.HOP + _core.WINDOW]) for t in range(n)])


# ---- scores ----------------------------------------------------------------------------------------------------------


def _scores(audio: dict[str, Array], notes: list[str]) -> dict[str, dict[str, float]]:
    """Scores of every stage but `removed`; a note where there are none."""
    scores: dict[str, dict[str, float]] = {}
    try:
        for name, samples in audio.items():
            if name == "removed":
                continue
            if "clean" in audio:
                scores[name] = metrics.score(audio["clean"], samples, _core.SAMPLE_RATE)
            else:
                scores[name] = metrics.dnsmos(samples, _core.SAMPLE_RATE)._asdict()
    except ImportError as error:
        notes.append(f"No scores: {error}.")
    except ValueError as error:
        notes.append(f"Not all stages have scores: {error}.")
    return scores


# ---- the input -------------------------------------------------------------------------------------------------------


def _mono(name: str, samples: npt.ArrayLike, channel: int | None, notes: list[str]) -> Array:
    """The signal (samples,) to show: the mean of all channels, or one."""
    channels = _floats(name, np.asarray(samples), notes)
    if len(channels) > 1:
        which = "their mean" if channel is None else f"channel {channel}"
        notes.append(f"{name} has {len(channels)} channels; {which} is shown.")
        if channel is not None and not 0 <= channel < len(channels):
            raise ArgumentError(f"expected a channel of 0 to {len(channels) - 1}, got {channel}")
        channels = channels.mean(axis=0, keepdims=True) if channel is None else channels[channel : channel + 1]
    signal: Array = channels[0]
    return signal


def _floats(name: str, array: npt.NDArray[Any], notes: list[str]) -> npt.NDArray[np.float32]:
    """(channels, samples) of full scale 1, all finite."""
    if array.ndim not in (1, 2) or not array.size or (array.ndim == 2 and array.shape[0] > _core.CHANNELS_MAX):
        raise AudioFormatError(f"expected {name} of (samples,) or (channels, samples), got {array.shape}")
    if array.dtype not in (np.int16, np.int32) and not np.issubdtype(array.dtype, np.floating):
        raise AudioFormatError(f"expected {name} of int16, int32 or floats, got {array.dtype}; convert with astype")
    full_scale = -float(np.iinfo(array.dtype).min) if np.issubdtype(array.dtype, np.integer) else 1.0
    channels: Array = np.atleast_2d(array / full_scale).astype(np.float32)
    bad = ~np.isfinite(channels)
    if bad.any():
        channels[bad] = 0
        notes.append(f"{int(bad.sum())} samples of {name} were NaN or infinite and were replaced by 0.")
    return channels


def _same_length(signals: list[Array], notes: list[str], sample_rate: int) -> list[Array]:
    """Cuts the longer signal, if it is longer by no more than LENGTH_TOLERANCE_S."""
    n = min(x.size for x in signals)
    for name, x in zip(("noisy", "clean"), signals, strict=False):
        surplus_s = (x.size - n) / sample_rate
        if surplus_s > LENGTH_TOLERANCE_S:
            raise AudioFormatError(f"{name} is {surplus_s:.2f} s longer than the other; is it the same recording? Cut it first")
        if surplus_s:
            notes.append(f"{name} is {x.size - n} samples ({1000 * surplus_s:.1f} ms) longer; its end was cut.")
    return [x[:n] for x in signals]


def _at_48_khz(samples: Array, sample_rate: int) -> Array:
    """Resampled by the core, aligned to half a sample of 48 kHz."""
    if not _core.RATE_MIN <= sample_rate <= _core.RATE_MAX:
        raise AudioFormatError(f"expected a sample_rate of {_core.RATE_MIN} to {_core.RATE_MAX} Hz, got {sample_rate}")
    if sample_rate == _core.SAMPLE_RATE:
        return samples
    tail = np.zeros(sample_rate // 10, np.float32)  # more than the resampler's delay
    resampled, delay_s = _core.stage_resample(sample_rate, _core.SAMPLE_RATE, np.concatenate([samples, tail]))
    start, n = round(delay_s * _core.SAMPLE_RATE), -(-samples.size * _core.SAMPLE_RATE // sample_rate)
    return resampled[start : start + n].copy()
