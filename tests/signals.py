"""Test signals with known answers. Audio is float64, full scale +-1, 48 kHz unless said otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
RATE = 48000
HOP = 480


def seconds(duration_s: float, sample_rate: int = RATE) -> Array:
    """Times of the samples of `duration_s` seconds, in seconds."""
    return np.arange(round(duration_s * sample_rate)) / sample_rate


def tone(f_hz: float, duration_s: float, amplitude: float = 0.5, sample_rate: int = RATE) -> Array:
    """A sine that starts at phase 0."""
    return amplitude * np.sin(2 * np.pi * f_hz * seconds(duration_s, sample_rate))


def sweep(from_hz: float, to_hz: float, duration_s: float, amplitude: float = 0.5, sample_rate: int = RATE) -> Array:
    """A sine whose frequency moves linearly."""
    t = seconds(duration_s, sample_rate)
    return amplitude * np.sin(2 * np.pi * (from_hz * t + (to_hz - from_hz) * t**2 / (2 * duration_s)))


def click(n: int, at: int, amplitude: float = 1.0) -> Array:
    """Zeros but for one sample."""
    samples = np.zeros(n)
    samples[at] = amplitude
    return samples


def noise(duration_s: float, level_db: float = -26.0, exponent: float = 0.0, seed: int = 0, sample_rate: int = RATE) -> Array:
    """Gaussian noise with a power spectrum of 1/f^exponent (0 white, 1 pink, 2 brown) above 20 Hz; rms level in dBFS."""
    n = round(duration_s * sample_rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    f_hz = np.fft.rfftfreq(n, 1 / sample_rate)
    spectrum *= np.where(f_hz >= 20, np.maximum(f_hz, 20.0) ** (-exponent / 2), 0.0)
    return at_level(np.fft.irfft(spectrum, n), level_db)


def at_level(samples: Array, level_db: float) -> Array:
    """`samples` scaled to an rms level in dBFS."""
    return samples * (10 ** (level_db / 20) / np.sqrt(np.mean(samples**2)))


def at_snr(clean: Array, disturbance: Array, snr_db: float) -> Array:
    """`clean` plus `disturbance`, the latter scaled to the given ratio of mean powers."""
    level_db = 10 * np.log10(np.mean(clean**2)) - snr_db
    return clean + at_level(disturbance[: clean.size], level_db)


def glide(from_hz: float, to_hz: float, duration_s: float, vibrato: float = 0.0, vibrato_hz: float = 5.0) -> Array:
    """A track of the fundamental, one value a sample: geometric glide times a relative vibrato."""
    t = seconds(duration_s)
    return from_hz * (to_hz / from_hz) ** (t / duration_s) * (1 + vibrato * np.sin(2 * np.pi * vibrato_hz * t))


VOWELS = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240), "e": (530, 1840, 2480), "o": (570, 840, 2410)}


def voiced(f0_hz: Array, vowel: str = "a", level_db: float = -26.0) -> Array:
    """A vowel with the fundamental `f0_hz` (one value a sample): harmonics to 16 kHz under three formants and -6 dB/octave."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    samples = np.zeros(f0_hz.size)
    for harmonic in range(1, int(16000 / f0_hz.min()) + 1):
        f_hz = harmonic * f0_hz
        formants = sum(1 / (1 + ((f_hz - formant) / (60 + 0.04 * formant)) ** 2) for formant in VOWELS[vowel])
        amplitude = (formants + 0.02) * (200 / (200 + f_hz)) * (f_hz < 16000)
        samples += amplitude * np.cos(harmonic * phase + harmonic**2 * 0.3)
    return at_level(samples, level_db)


def pulse_train(period: float, duration_s: float, level_db: float = -26.0) -> Array:
    """Band-limited pulses every `period` samples (may be fractional), the first after half a period: harmonics to 16 kHz."""
    n = np.arange(round(duration_s * RATE)) + period / 2
    harmonics = np.arange(1, int(period * 16000 / RATE) + 1)
    return at_level(np.sum(np.cos(2 * np.pi * harmonics[:, None] * n / period), axis=0), level_db)


def speech_like(duration_s: float, seed: int = 0, level_db: float = -26.0) -> Array:
    """Vowels with glides, hisses and pauses in random order: everything the path must handle, nothing to understand."""
    rng = np.random.default_rng(seed)
    pieces: list[Array] = []
    while sum(piece.size for piece in pieces) < duration_s * RATE:
        length_s = float(rng.uniform(0.1, 0.35))
        kind = rng.choice(["vowel", "vowel", "vowel", "hiss", "pause"])
        if kind == "vowel":
            start_hz = float(rng.uniform(90, 300))
            piece = voiced(
                glide(start_hz, start_hz * float(rng.uniform(0.8, 1.25)), length_s, 0.01), str(rng.choice(list("aiueo")))
            )
        elif kind == "hiss":
            piece = np.diff(noise(length_s, -35, seed=int(rng.integers(1 << 30))), prepend=0.0)
        else:
            piece = np.zeros(round(length_s * RATE))
        ramp = np.minimum(1, np.minimum(np.arange(piece.size), np.arange(piece.size)[::-1]) / 480)
        pieces.append(piece * ramp)
    return at_level(np.concatenate(pieces)[: round(duration_s * RATE)], level_db)
