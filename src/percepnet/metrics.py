"""How good enhanced speech is: PESQ, STOI, SI-SDR, DNSMOS, log-spectral distance, speech damage. Extra `eval`.

Clean and enhanced are float arrays of shape (samples,), full scale 1, aligned to the sample; `enhanced` is any signal that
is to be judged, the noisy one included. Scores of speech are taken at 16 kHz, both signals through the same filter.
"""

import functools
import importlib
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from percepnet import _core
from percepnet.errors import AudioFormatError

__all__ = [
    "DnsMos",
    "Moment",
    "SpeechDamage",
    "band_frequencies",
    "dnsmos",
    "estoi",
    "log_spectral_distance",
    "pesq_wb",
    "resample",
    "score",
    "si_sdr",
    "speech_damage",
    "stoi",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]

SCORE_RATE = 16000  # Hz: what wideband PESQ and DNSMOS are defined for
PASSBAND, STOPBAND_DB = 0.95, 120  # of the lower Nyquist frequency; a softer filter costs 0.04 of DNSMOS OVRL
DNSMOS_SAMPLES = 144160  # one window: 9.01 s
DNSMOS_SIG = (-0.08397278, 1.22083953, 0.0052439)  # P.835 calibration, published with the network
DNSMOS_BAK = (-0.13166888, 1.60915514, -0.39604546)
DNSMOS_OVRL = (-0.06766283, 1.11546468, 0.04602535)
DISTANCE_WINDOW_S, DISTANCE_RANGE_DB = 0.032, 80.0
DAMAGE_BAND_RANGE_DB, DAMAGE_RANGE_DB = 25.0, 60.0  # below the loudest of a band, and of all: what counts as speech
DAMAGE_FRAMES = 3  # averaged: then noise that happens to cancel speech, at any SNR, looks like less than 1 % of damage
MOMENT_FRAMES, N_MOMENTS = 20, 3  # 0.2 s, about a syllable


class DnsMos(NamedTuple):
    """Predicted opinion of listeners (ITU-T P.835), 1 to 5: of the speech, of the background, and overall."""

    sig: float
    bak: float
    ovrl: float


def pesq_wb(clean: npt.ArrayLike, enhanced: npt.ArrayLike, sample_rate: int) -> float:
    """PESQ, wideband (ITU-T P.862.2): 1.0 to 4.644, which equal signals reach. Blind to a constant gain.

    Raises ValueError where PESQ is not defined: no speech in `clean`, or nothing but zeros in `enhanced`.
    """
    clean, enhanced = _pair(clean, enhanced)
    _require_sound(enhanced, "enhanced")
    package = _package("pesq")
    reference, degraded = (_resample(x, sample_rate, SCORE_RATE) for x in (clean, enhanced))
    try:
        return float(package.pesq(SCORE_RATE, reference, degraded, "wb"))
    except package.PesqError as error:
        raise ValueError(f"PESQ is not defined for this pair: {error}") from error


def stoi(clean: npt.ArrayLike, enhanced: npt.ArrayLike, sample_rate: int) -> float:
    """Short-time objective intelligibility (Taal et al. 2011): 0 to 1. Blind to a constant gain."""
    clean, enhanced = _pair(clean, enhanced)
    return float(_package("pystoi").stoi(clean, enhanced, sample_rate, extended=False))


def estoi(clean: npt.ArrayLike, enhanced: npt.ArrayLike, sample_rate: int) -> float:
    """Extended STOI (Jensen and Taal 2016), for noise that is modulated: 0 to 1."""
    clean, enhanced = _pair(clean, enhanced)
    return float(_package("pystoi").stoi(clean, enhanced, sample_rate, extended=True))


def si_sdr(clean: npt.ArrayLike, enhanced: npt.ArrayLike) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, eq. 3) in dB.

    infinity for signals that are equal but for a gain, -infinity where `enhanced` holds nothing of `clean`.
    """
    clean, enhanced = _pair(clean, enhanced)
    target = clean * (np.dot(enhanced, clean) / np.dot(clean, clean))
    distortion = enhanced - target
    if not target.any():
        return float("-inf")
    with np.errstate(divide="ignore"):
        return float(10 * (np.log10(np.dot(target, target)) - np.log10(np.dot(distortion, distortion))))


def dnsmos(enhanced: npt.ArrayLike, sample_rate: int) -> DnsMos:
    """DNSMOS P.835, a network's guess of what listeners would say, without the clean signal.

    One window of 9.01 s from the start, shorter clips repeated to fill it; the official script averages windows a second
    apart, which changes the mean over a set by at most 0.01. Samples outside full scale are clipped, as in a file.
    """
    samples = np.clip(_resample(_samples(enhanced), sample_rate, SCORE_RATE), -1, 1)
    window = np.resize(samples, DNSMOS_SAMPLES).astype(np.float32)
    raw = _dnsmos_session().run(None, {"input_1": window[np.newaxis]})[0][0]
    polynomials = (DNSMOS_SIG, DNSMOS_BAK, DNSMOS_OVRL)
    return DnsMos(*(float(np.polyval(p, value)) for p, value in zip(polynomials, raw, strict=True)))


def log_spectral_distance(clean: npt.ArrayLike, enhanced: npt.ArrayLike, sample_rate: int) -> float:
    """Mean over frames of the root-mean-square difference of the two spectra in dB, over all bins: 0 is best.

    Full band, hence the only score here that hears above 8 kHz. Not blind to gain: x dB of it are x dB of distance.
    Hann windows of 32 ms, half overlapping; powers 80 dB below the loudest bin of `clean` count as that floor.
    """
    clean, enhanced = _pair(clean, enhanced)
    length = round(DISTANCE_WINDOW_S * sample_rate)
    powers = [_power_spectra(x, length) for x in (clean, enhanced)]
    floor = powers[0].max() * 10 ** (-DISTANCE_RANGE_DB / 10)
    levels_db = [10 * np.log10(np.maximum(power, floor)) for power in powers]
    return float(np.sqrt(np.mean((levels_db[0] - levels_db[1]) ** 2, axis=1)).mean())


class Moment(NamedTuple):
    """A stretch of a recording, in seconds from its start, and the share of its speech that is lost there, 0 to 1."""

    start_s: float
    end_s: float
    lost: float


class SpeechDamage(NamedTuple):
    """Which share of the speech is lost, 0 to 1: in all, in each of BANDS bands (nan: no speech there), and where most."""

    lost: float
    by_band: tuple[float, ...]
    worst: tuple[Moment, ...]


def speech_damage(clean: npt.ArrayLike, enhanced: npt.ArrayLike, sample_rate: int) -> SpeechDamage:
    """How much of the clean speech's energy was taken away: 0 none, 1 all.

    Energies of clean and enhanced in frames of 10 ms and in the ERB bands of the signal path (20 ms windows, means over 3
    frames). Speech is where clean is within 25 dB of the band's loudest frame and within 60 dB of the loudest of all. There
    the loss is 1 - enhanced / clean, at least 0; the score is its mean, which weighs a faint consonant like a loud vowel.
    A gain of x dB < 0 gives 1 - 10^(x / 10). Blind to what is added: noise in the place of speech hides its loss.
    """
    clean, enhanced = _pair(clean, enhanced)
    before, after = (_band_energies(_resample(x, sample_rate, _core.SAMPLE_RATE)) for x in (clean, enhanced))
    floor = np.maximum(before.max(axis=0) * 10 ** (-DAMAGE_BAND_RANGE_DB / 10), before.max() * 10 ** (-DAMAGE_RANGE_DB / 10))
    speech = (before > floor) & (band_frequencies() < sample_rate / 2)
    lost = np.maximum(1 - np.divide(after, before, out=np.ones_like(after), where=speech), 0)
    with np.errstate(invalid="ignore"):
        by_band = lost.sum(axis=0) / speech.sum(axis=0)
    worst = _worst_moments(lost.sum(axis=1), speech.sum(axis=1))
    return SpeechDamage(float(lost.sum() / speech.sum()), tuple(by_band.tolist()), worst)


def band_frequencies() -> FloatArray:
    """(BANDS,): where the bands of speech_damage() have their weight, in Hz."""
    weights = _core.stage_band_weights()
    f_hz = np.arange(_core.BINS) * (_core.SAMPLE_RATE / _core.WINDOW)
    centres: FloatArray = weights @ f_hz / weights.sum(axis=1)
    return centres


def resample(samples: npt.ArrayLike, from_rate: int, to_rate: int) -> FloatArray:
    """(samples,) at another rate, aligned: the filter through which speech goes before it is scored."""
    return _resample(_samples(samples), from_rate, to_rate)


def score(clean: npt.ArrayLike, enhanced: npt.ArrayLike, sample_rate: int, with_dnsmos: bool = True) -> dict[str, float]:
    """Every score of one pair: pesq, stoi, estoi, si_sdr (dB, of the signals at 16 kHz), lsd (dB) and sig, bak, ovrl.

    DNSMOS takes four fifths of the time; `with_dnsmos=False` leaves its three out.
    """
    clean, enhanced = _pair(clean, enhanced)
    result = {
        "pesq": pesq_wb(clean, enhanced, sample_rate),
        "stoi": stoi(clean, enhanced, sample_rate),
        "estoi": estoi(clean, enhanced, sample_rate),
        "si_sdr": si_sdr(*(_resample(x, sample_rate, SCORE_RATE) for x in (clean, enhanced))),
        "lsd": log_spectral_distance(clean, enhanced, sample_rate),
    }
    if with_dnsmos:
        result |= dnsmos(enhanced, sample_rate)._asdict()
    return result


def _package(name: str) -> Any:
    """A package of the extra, imported when first needed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'{name} is not installed; metrics need the extra: pip install "percepnet[eval]"') from error


def _samples(samples: npt.ArrayLike) -> FloatArray:
    result = np.asarray(samples, dtype=np.float64)
    if result.ndim != 1 or not result.size:
        raise AudioFormatError(f"expected (samples,), got {result.shape}; score channels one by one")
    return result


def _pair(clean: npt.ArrayLike, enhanced: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    clean, enhanced = _samples(clean), _samples(enhanced)
    if clean.shape != enhanced.shape:
        raise AudioFormatError(f"clean has {clean.size} samples, enhanced has {enhanced.size}; align and trim them")
    _require_sound(clean, "clean")
    return clean, enhanced


def _require_sound(samples: FloatArray, name: str) -> None:
    if not samples.any():
        raise ValueError(f"{name} is silent; nothing to compare with")


def _resample(samples: FloatArray, from_rate: int, to_rate: int) -> FloatArray:
    """Linear phase, aligned, flat to PASSBAND of the lower Nyquist frequency and STOPBAND_DB down at it."""
    if from_rate == to_rate:
        return samples
    divisor = int(np.gcd(from_rate, to_rate))
    up, down = to_rate // divisor, from_rate // divisor
    result: FloatArray = _package("scipy.signal").resample_poly(samples, up, down, window=_lowpass(max(up, down)))
    return result


@functools.cache
def _lowpass(factor: int) -> FloatArray:
    """Kaiser low-pass at `factor` times the lower of two rates."""
    signal = _package("scipy.signal")
    n_taps, beta = signal.kaiserord(STOPBAND_DB, (1 - PASSBAND) / factor)
    taps: FloatArray = signal.firwin(n_taps | 1, (1 + PASSBAND) / 2 / factor, window=("kaiser", beta))
    return taps


@functools.cache
def _dnsmos_session() -> Any:
    """The P.835 network out of the package speechmos, on one thread.

    The package's own code is not imported: it needs librosa for a second network that is not used here.
    """
    runtime, folder = _package("onnxruntime"), Path(_package("speechmos").__file__).parent
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = folder / "dnsmos_models" / "sig_bak_ovr.onnx"
    return runtime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])


def _power_spectra(samples: FloatArray, length: int) -> FloatArray:
    """(frames, bins): |rfft(Hann * window)|^2 of the windows of `length` that start every length // 2 samples."""
    padded = np.pad(samples, (0, max(0, length - samples.size)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[:: length // 2]
    spectra: FloatArray = np.abs(np.fft.rfft(windows * np.hanning(length + 1)[:-1])) ** 2
    return spectra


def _band_energies(samples: FloatArray) -> FloatArray:
    """(frames, BANDS) at 48 kHz: frame t is centred on sample t * HOP, and averaged with its neighbours.

    Mirrored at its ends, because a cut there would look like a click in all bands.
    """
    padded = np.pad(samples, _core.HOP, mode="reflect")
    powers = _power_spectra(padded, _core.WINDOW)
    energies = np.pad(powers @ _core.stage_band_weights().T.astype(np.float64), ((DAMAGE_FRAMES // 2,) * 2, (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(energies, DAMAGE_FRAMES, axis=0)
    smooth: FloatArray = around.mean(axis=-1)
    return smooth


def _worst_moments(lost: FloatArray, speech: FloatArray) -> tuple[Moment, ...]:
    """The stretches of MOMENT_FRAMES frames with most bands lost, most first, without overlap. Counts of bands by frame."""
    padding = (0, max(0, MOMENT_FRAMES - lost.size))
    sums = [np.convolve(np.pad(x, padding), np.ones(MOMENT_FRAMES), "valid") for x in (lost, speech)]
    moments: list[Moment] = []
    hop_s = _core.HOP / _core.SAMPLE_RATE
    while len(moments) < N_MOMENTS and sums[0].max() > 1e-6:
        start = int(sums[0].argmax())
        share = float(sums[0][start] / sums[1][start])
        moments.append(Moment(round(start * hop_s, 3), round((start + MOMENT_FRAMES) * hop_s, 3), share))
        sums[0][max(0, start - MOMENT_FRAMES + 1) : start + MOMENT_FRAMES] = 0
    return tuple(moments)
