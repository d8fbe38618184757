"""Makes noisy_speech.flac: a speech synthesiser's voice plus generated noise, so that its licence is ours.

Needs espeak-ng on the path, and scipy. Run in this folder: python make_sample.py
"""

import io
import subprocess

import numpy as np
import scipy.signal
import soundfile

SAMPLE_RATE = 48000
SNR_DB = 6.0
LEVEL_DB = -24.0  # of the speech where it is active, re full scale
TEXT = "This voice was made by a machine, and so was the noise. After cleaning, only the voice should be left."


def speech() -> np.ndarray:
    """The text, spoken: (samples,) at 48 kHz."""
    command = ["espeak-ng", "-v", "en-gb", "-s", "165", "-p", "38", "--stdout", TEXT]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    samples, sample_rate = soundfile.read(io.BytesIO(spoken))
    divisor = np.gcd(SAMPLE_RATE, sample_rate)
    samples = scipy.signal.resample_poly(samples, SAMPLE_RATE // divisor, sample_rate // divisor)
    return np.pad(samples, (SAMPLE_RATE, SAMPLE_RATE // 2))  # a second of noise alone first


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Fan, mains hum and key strokes: (n,) of power 1."""
    time_s = np.arange(n) / SAMPLE_RATE
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f_hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
    fan = np.fft.irfft(spectrum / np.maximum(f_hz, 60) ** 0.6, n)  # power falls by 3.6 dB per octave
    fan *= 1 + 0.2 * np.sin(2 * np.pi * 7.3 * time_s)  # blades, 7.3 turns per second
    hum = sum(np.sin(2 * np.pi * 50 * k * time_s + k) / k for k in (1, 2, 3, 5, 7))
    keys = np.zeros(n)
    for start in rng.integers(0, n - 2400, 3 * n // SAMPLE_RATE):  # three strokes per second, 50 ms each
        keys[start : start + 2400] += rng.standard_normal(2400) * np.exp(-np.arange(2400) / 240)
    parts = ((fan, 0.0), (hum, -12.0), (keys, -6.0))  # dB
    total = sum(part / part.std() * 10 ** (level_db / 20) for part, level_db in parts)
    return total / total.std()


def main() -> None:
    """Writes the sample."""
    rng = np.random.default_rng(2008_04259)
    clean = speech()
    active = np.abs(clean) > 0.02 * np.abs(clean).max()
    clean *= 10 ** (LEVEL_DB / 20) / clean[active].std()
    noisy = clean + noise(len(clean), rng) * 10 ** ((LEVEL_DB - SNR_DB) / 20)
    soundfile.write("noisy_speech.flac", noisy, SAMPLE_RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
