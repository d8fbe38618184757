"""Metrics: planted answers, agreement with the packages they wrap, and clear refusals."""

import itertools
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import signals
from percepnet import metrics
from percepnet.errors import AudioFormatError
from signals import Array

RATE_16K = 16000
PESQ_MAXIMUM = 0.999 + 4 / (1 + np.exp(-1.3669 * 4.5 + 3.8224))  # P.862.2 of the highest raw score: 4.644


@pytest.fixture(scope="module")
def clean() -> Array:
    """Three seconds of speech-like sound at 48 kHz."""
    return signals.speech_like(3.0)


def pair(clean: Array, snr_db: float) -> tuple[Array, Array]:
    return clean, signals.at_snr(clean, signals.noise(3.0, seed=1), snr_db)


# ---- SI-SDR ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio_db", [-12.0, 0.0, 7.5, 40.0])
@pytest.mark.parametrize("gain", [1.0, 0.01, -3.0])
def test_si_sdr_of_planted_ratio(ratio_db: float, gain: float) -> None:
    """Two tones of whole periods are orthogonal, so the ratio of their powers is the answer, whatever the gain."""
    target, distortion = signals.tone(440, 1.0), signals.tone(1000, 1.0, 0.5 * 10 ** (-ratio_db / 20))

    assert metrics.si_sdr(target, gain * (target + distortion)) == pytest.approx(ratio_db, abs=1e-9)


def test_si_sdr_equals_least_squares(clean: Array) -> None:
    """The target is the best approximation by a multiple of clean: found by the solver, not by the formula's projection."""
    noisy = pair(clean, 3)[1]

    gain, residual, *_ = np.linalg.lstsq(clean[:, np.newaxis], noisy, rcond=None)

    expected = 10 * np.log10(np.sum((gain[0] * clean) ** 2) / residual[0])
    assert metrics.si_sdr(clean, noisy) == pytest.approx(expected, abs=1e-9)


def test_si_sdr_of_silence_is_minus_infinity(clean: Array) -> None:
    assert metrics.si_sdr(clean, np.zeros_like(clean)) == -np.inf


def test_si_sdr_of_the_signal_itself_is_infinite() -> None:
    impulse = signals.click(100, 50)

    assert metrics.si_sdr(impulse, 0.5 * impulse) == np.inf


# ---- PESQ ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_rate", [RATE_16K, signals.RATE])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_pesq_of_the_signal_itself_is_its_maximum(clean: Array, sample_rate: int, gain: float) -> None:
    """Within 0.005: PESQ sets levels by the power from 350 to 3250 Hz, in float32."""
    assert metrics.pesq_wb(clean, gain * clean, sample_rate) == pytest.approx(PESQ_MAXIMUM, abs=5e-3)


def test_pesq_falls_with_noise(clean: Array) -> None:
    scores = [metrics.pesq_wb(*pair(clean, snr_db), signals.RATE) for snr_db in (30, 15, 0)]

    assert PESQ_MAXIMUM > scores[0] > scores[1] > scores[2] > 1


def test_pesq_equals_the_package(clean: Array) -> None:
    import pesq

    reference, degraded = (x[: 2 * RATE_16K] for x in pair(clean, 10))

    assert metrics.pesq_wb(reference, degraded, RATE_16K) == pesq.pesq(RATE_16K, reference, degraded, "wb")


def test_pesq_ignores_what_is_above_8_khz(clean: Array) -> None:
    """A tone at 12 kHz, 6 dB stronger than the speech, leaves no trace: the filter before 16 kHz rejects 120 dB."""
    loud_above = clean + signals.at_level(signals.tone(12000, 3.0), -20)

    assert metrics.pesq_wb(clean, loud_above, signals.RATE) == pytest.approx(PESQ_MAXIMUM, abs=1e-3)


def test_pesq_without_speech_is_refused() -> None:
    faint = 1e-9 * signals.noise(1.0)

    with pytest.raises(ValueError, match="PESQ is not defined"):
        metrics.pesq_wb(faint[:2000], faint[:2000], signals.RATE)


def test_pesq_of_silent_output_is_refused(clean: Array) -> None:
    with pytest.raises(ValueError, match="enhanced is silent"):
        metrics.pesq_wb(clean, np.zeros_like(clean), signals.RATE)


# ---- STOI ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [metrics.stoi, metrics.estoi])
def test_stoi_of_the_signal_itself_is_1(clean: Array, measure: Callable[..., float]) -> None:
    assert measure(clean, 0.1 * clean, signals.RATE) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("measure", "most"), [(metrics.stoi, 0.3), (metrics.estoi, 0.1)])  # STOI's clipping leaves a bias
def test_stoi_of_unrelated_noise_is_low(clean: Array, measure: Callable[..., float], most: float) -> None:
    assert abs(measure(clean, signals.noise(3.0, seed=2), signals.RATE)) < most


@pytest.mark.parametrize("extended", [False, True])
def test_stoi_equals_the_package(clean: Array, extended: bool) -> None:
    import pystoi

    measure = metrics.estoi if extended else metrics.stoi

    expected = pystoi.stoi(*pair(clean, 5), signals.RATE, extended=extended)

    assert measure(*pair(clean, 5), signals.RATE) == pytest.approx(expected, abs=1e-9)  # extended: it adds random dither


# ---- DNSMOS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def official_dnsmos() -> Callable[[Array], dict[str, float]]:
    """speechmos itself, with stand-ins for the packages that only its second network, P.808, needs."""
    stand_ins = {"librosa": types.ModuleType("librosa"), "requests": types.ModuleType("requests")}
    stand_ins["requests"].session = None  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        patch.delitem(sys.modules, "speechmos.dnsmos", raising=False)
        from speechmos.dnsmos import DNSMOS

    class WithoutP808:
        def run(self, *_: object) -> list[Any]:
            return [[[0.0]]]

    official = DNSMOS.__new__(DNSMOS)
    official.onnx_sess, official.p808_onnx_sess = metrics._dnsmos_session(), WithoutP808()
    official.audio_melspec = lambda **_: np.zeros((1, 1))
    return lambda samples: official(samples, RATE_16K, False)


@pytest.mark.parametrize("duration_s", [5.0, 9.5])  # the package, too, scores a single window of these: repeated, cut
def test_dnsmos_equals_the_package(
    official_dnsmos: Callable[[Array], dict[str, float]], clean: Array, duration_s: float
) -> None:
    samples = np.resize(pair(clean, 10)[1], round(duration_s * RATE_16K))

    expected = official_dnsmos(samples)

    got = metrics.dnsmos(samples, RATE_16K)
    assert got == pytest.approx([expected[f"{name}_mos"] for name in ("sig", "bak", "ovrl")], abs=1e-5)


def test_dnsmos_hears_noise(clean: Array) -> None:
    noisy = pair(clean, 0)[1]

    assert metrics.dnsmos(clean, signals.RATE).bak > metrics.dnsmos(noisy, signals.RATE).bak + 0.3


def test_dnsmos_clips_to_full_scale(clean: Array) -> None:
    loud = clean / np.abs(clean).max() * 4

    assert metrics.dnsmos(loud, RATE_16K) == metrics.dnsmos(np.clip(loud, -1, 1), RATE_16K)


# ---- log-spectral distance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain_db", [-6.0, 0.0, 3.0])
def test_distance_of_a_gain_is_the_gain(gain_db: float) -> None:
    noise = signals.noise(1.0, seed=4)  # white: no bin is near the floor

    distance_db = metrics.log_spectral_distance(noise, noise * 10 ** (gain_db / 20), signals.RATE)

    assert distance_db == pytest.approx(abs(gain_db), abs=0.02)  # below 20 Hz the noise is empty: one bin of 769


def test_distance_hears_above_8_khz(clean: Array) -> None:
    import scipy.signal

    low_passed = scipy.signal.sosfiltfilt(scipy.signal.butter(8, 8000, fs=signals.RATE, output="sos"), clean)

    assert metrics.log_spectral_distance(clean, low_passed, signals.RATE) > 3


def test_distance_to_silence_is_limited_by_the_floor(clean: Array) -> None:
    assert 0 < metrics.log_spectral_distance(clean, np.zeros_like(clean), signals.RATE) < metrics.DISTANCE_RANGE_DB


def test_distance_equals_its_formula(clean: Array) -> None:
    """With the spectra of scipy, whose scale does not matter."""
    import scipy.signal

    signals_of_pair = pair(clean, 10)
    options = {"window": "hann", "nperseg": 1536, "noverlap": 768, "detrend": False}
    powers = [scipy.signal.spectrogram(x, signals.RATE, scaling="spectrum", **options)[2].T for x in signals_of_pair]
    for power in powers:
        power[:, 1:-1] /= 2  # one-sided: the lines between 0 Hz and Nyquist stand for two
    floor = powers[0].max() * 1e-8
    levels_db = [10 * np.log10(np.maximum(power, floor)) for power in powers]
    expected = np.mean(np.sqrt(np.mean((levels_db[0] - levels_db[1]) ** 2, axis=1)))

    assert metrics.log_spectral_distance(*signals_of_pair, signals.RATE) == pytest.approx(expected, rel=1e-9)


# ---- speech damage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gain_db", "lost"), [(-20.0, 0.99), (-6.0, 1 - 10**-0.6), (0.0, 0.0), (6.0, 0.0)])
def test_damage_of_a_gain_is_the_energy_it_takes(clean: Array, gain_db: float, lost: float) -> None:
    damage = metrics.speech_damage(clean, clean * 10 ** (gain_db / 20), signals.RATE)

    assert damage.lost == pytest.approx(lost, abs=1e-9)
    assert [share for share in damage.by_band if not np.isnan(share)] == pytest.approx([lost] * 34, abs=1e-9)


def test_damage_of_silence_is_1(clean: Array) -> None:
    assert metrics.speech_damage(clean, np.zeros_like(clean), signals.RATE).lost == pytest.approx(1.0)


def test_damage_hardly_sees_noise(clean: Array) -> None:
    """Where noise cancels speech by chance, energy is missing: less than 1 %."""
    damages = [metrics.speech_damage(*pair(clean, snr_db), signals.RATE).lost for snr_db in (-5, 5, 15)]

    assert max(damages) < 0.01


def test_damage_finds_the_band(clean: Array) -> None:
    import scipy.signal

    low_passed = scipy.signal.sosfiltfilt(scipy.signal.butter(12, 3000, fs=signals.RATE, output="sos"), clean)

    by_band = np.array(metrics.speech_damage(clean, low_passed, signals.RATE).by_band)
    f_hz = metrics.band_frequencies()
    assert np.nanmax(by_band[f_hz < 2300]) < 0.02
    assert np.nanmin(by_band[f_hz > 4500]) > 0.95  # less than 1 where onsets click


def test_damage_finds_the_moment() -> None:
    """0.2 s of a vowel are lowered by 20 dB, in the second of three seconds."""
    vowel = signals.voiced(np.full(3 * signals.RATE, 150.0))
    eaten = vowel.copy()
    eaten[round(1.5 * signals.RATE) : round(1.7 * signals.RATE)] *= 0.1

    worst = metrics.speech_damage(vowel, eaten, signals.RATE).worst[0]

    assert (worst.start_s, worst.end_s) == pytest.approx((1.5, 1.7), abs=0.021)  # frames of 20 ms, three averaged
    assert worst.lost == pytest.approx(0.99, abs=0.1)


def test_worst_moments_come_in_order_and_apart(clean: Array) -> None:
    gains = np.repeat([1, 0.1, 1, 0.5, 1, 0.3], clean.size // 6)

    worst = metrics.speech_damage(clean, clean * gains, signals.RATE).worst

    starts = sorted(moment.start_s for moment in worst)
    assert len(worst) == metrics.N_MOMENTS
    assert all(later - earlier >= 0.2 - 1e-9 for earlier, later in itertools.pairwise(starts))


def test_bands_without_speech_have_no_damage() -> None:
    narrow = signals.noise(1.0, sample_rate=8000)

    by_band = np.array(metrics.speech_damage(narrow, 0.5 * narrow, 8000).by_band)

    f_hz = metrics.band_frequencies()
    np.testing.assert_allclose(by_band[f_hz < 3500], 0.75, atol=1e-6)
    assert np.isnan(by_band[f_hz > 4500]).all()


def test_damage_of_a_recording_shorter_than_a_frame() -> None:
    assert metrics.speech_damage(np.ones(100), 0.5 * np.ones(100), signals.RATE).lost == pytest.approx(0.75)


def test_band_frequencies_rise_over_the_full_band() -> None:
    f_hz = metrics.band_frequencies()

    assert f_hz.shape == (34,)
    assert np.all(np.diff(f_hz) > 0)
    assert 0 < f_hz[0] < 100
    assert 18000 < f_hz[-1] < 24000


# ---- resampling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_a_tone(sample_rate: int) -> None:
    tone = signals.tone(3000, 0.5, sample_rate=sample_rate)

    got = metrics._resample(tone, sample_rate, RATE_16K)

    expected = signals.tone(3000, 0.5, sample_rate=RATE_16K)
    np.testing.assert_allclose(got[800:-800], expected[800:-800], atol=1e-5)  # 120 dB, and away from the cut ends


# ---- the table and its refusals --------------------------------------------------------------------------------------


def test_score_holds_every_metric(clean: Array) -> None:
    reference, degraded = pair(clean, 5)

    scores = metrics.score(reference, degraded, signals.RATE)

    quality = metrics.dnsmos(degraded, signals.RATE)
    assert scores == pytest.approx(
        {
            "pesq": metrics.pesq_wb(reference, degraded, signals.RATE),
            "stoi": metrics.stoi(reference, degraded, signals.RATE),
            "estoi": metrics.estoi(reference, degraded, signals.RATE),
            "si_sdr": metrics.si_sdr(*(metrics._resample(x, signals.RATE, RATE_16K) for x in (reference, degraded))),
            "lsd": metrics.log_spectral_distance(reference, degraded, signals.RATE),
            "sig": quality.sig,
            "bak": quality.bak,
            "ovrl": quality.ovrl,
        }
    )


def test_score_can_leave_dnsmos_out(clean: Array) -> None:
    assert metrics.score(*pair(clean, 5), signals.RATE, with_dnsmos=False).keys() == {"pesq", "stoi", "estoi", "si_sdr", "lsd"}


def test_unequal_lengths_are_refused(clean: Array) -> None:
    with pytest.raises(AudioFormatError, match=r"clean has 144000 samples, enhanced has 143999"):
        metrics.si_sdr(clean, clean[:-1])


def test_channels_are_refused(clean: Array) -> None:
    with pytest.raises(AudioFormatError, match=r"expected \(samples,\), got \(1, 144000\)"):
        metrics.dnsmos(clean[np.newaxis], signals.RATE)


def test_silent_clean_is_refused(clean: Array) -> None:
    with pytest.raises(ValueError, match="clean is silent"):
        metrics.si_sdr(np.zeros_like(clean), clean)


def test_missing_package_names_the_extra(clean: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)

    with pytest.raises(ImportError, match=r"pip install \"percepnet\[eval\]\""):
        metrics.stoi(clean, clean, signals.RATE)


def test_importing_metrics_imports_no_package_of_the_extra() -> None:
    program = "import sys, percepnet.metrics; print(*sys.modules)"

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "percepnet.metrics" in imported
    assert not {"pesq", "pystoi", "speechmos", "onnxruntime", "scipy", "librosa"} & set(imported)
