"""What files tell about themselves, against signals that were made so."""

import numpy as np
import pytest
import scipy.signal

import signals
from percepnet import _core
from percepnet.measurement import Measurement

SPEECH_HOPS = np.arange(200) >= 80  # 0.8 s of pause, then 1.2 s of speech


def measure(noisy: np.ndarray, cleaned: np.ndarray, sample_rate: int = 48000, block: int = 30000) -> dict:
    """Of (channels, samples), with speech where SPEECH_HOPS says so."""
    noisy, cleaned = np.atleast_2d(noisy, cleaned)
    frames = np.zeros((len(SPEECH_HOPS), len(noisy)), _core.FRAME_DTYPE)
    frames["speech_probability"][:, 0] = np.where(SPEECH_HOPS, 0.9, 0.1)
    measurement, n_given = Measurement(sample_rate), 0
    for start in range(0, noisy.shape[1], block):
        part = slice(start, start + block)
        n_frames = min(part.stop, noisy.shape[1]) * 100 // sample_rate - n_given
        measurement.add(noisy[:, part], cleaned[:, part], frames[n_given : n_given + n_frames].ravel())
        n_given += n_frames
    return measurement.result()


def mixture(snr_db: float, sample_rate: int = 48000) -> np.ndarray:
    """Noise at -50 dBFS, and in the speech hops a voice, so to say, `snr_db` above it."""
    n = 2 * sample_rate
    voice = signals.noise(2.0, -50 + snr_db, sample_rate=sample_rate) * (np.arange(n) * 100 // sample_rate >= 80)
    return voice + signals.noise(2.0, -50, seed=1, sample_rate=sample_rate)


@pytest.mark.parametrize("sample_rate", [11025, 48000])
@pytest.mark.parametrize("block", [997, 30000])
def test_snr_is_that_of_the_mixture(sample_rate: int, block: int) -> None:
    result = measure(mixture(10, sample_rate), mixture(30, sample_rate), sample_rate, block)

    found = [result["snr_before_db"], result["snr_after_db"], result["speech_ratio"]]
    assert found == [pytest.approx(10, abs=0.5), pytest.approx(30, abs=0.5), 0.6]


def test_silent_pauses_are_100_db() -> None:
    cleaned = mixture(30) * (np.arange(96000) >= 38400)

    assert measure(mixture(10), cleaned)["snr_after_db"] == 100


def test_without_pauses_there_is_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_measurement.SPEECH_HOPS", np.ones(200, bool))

    result = measure(mixture(10), mixture(30))

    assert (result["snr_before_db"], result["snr_after_db"], result["speech_ratio"]) == (None, None, 1.0)


def test_level_is_the_root_mean_square() -> None:
    samples = np.stack([signals.noise(1.0, -20), np.zeros(48000)])

    assert measure(samples, samples)["level_db"] == pytest.approx(-23.0, abs=0.06)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_clipped_samples_are_counted(kind: type) -> None:
    full = 1 if kind is np.float32 else np.iinfo(kind).max
    samples = (signals.tone(100, 1.0, 0.4) * full).astype(kind)
    samples[1000:1007] = full
    samples[20000] = full  # alone: a peak, not clipping
    samples[31000:31002] = -full

    assert measure(samples, samples)["clipped_samples"] == 9


@pytest.mark.parametrize("limit_hz", [3500, 8000, 16000])
def test_bandwidth_is_found(limit_hz: float) -> None:
    lowpass = scipy.signal.firwin(1001, limit_hz, window=("kaiser", 9.0), fs=48000)
    samples = np.rint(32768 * scipy.signal.lfilter(lowpass, 1, signals.noise(2.0, -20))).astype(np.int16)

    assert measure(samples, samples)["bandwidth_hz"] == pytest.approx(limit_hz, abs=200)


@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_full_bandwidth_is_half_the_rate(sample_rate: int) -> None:
    samples = signals.noise(1.0, -20, sample_rate=sample_rate)

    assert measure(samples, samples, sample_rate)["bandwidth_hz"] == pytest.approx(sample_rate / 2, rel=0.01)


def test_silence_has_no_level() -> None:
    result = measure(np.zeros(48000), np.zeros(48000))

    assert (result["level_db"], result["bandwidth_hz"], result["clipped_samples"]) == (None, None, 0)
