"""Every row of the specification's table of edge cases (SPEC 11), each with its tolerance."""

from __future__ import annotations

import concurrent.futures
import pickle
from typing import Any

import numpy as np
import pytest

import percepnet
import signals
from percepnet import _core
from reference import Array, bands, dc_blocker

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000]


def noisy_speech(duration_s: float = 1.0, seed: int = 0, level_db: float = -26.0) -> Array:
    clean = signals.speech_like(duration_s, seed)
    return signals.at_level(signals.at_snr(clean, signals.noise(duration_s, exponent=1, seed=seed), 8), level_db)


def whole(enhancer: percepnet.Enhancer, samples: Any) -> Any:
    return np.concatenate([enhancer.process(samples), enhancer.flush()], axis=-1)


# ---- silence


@pytest.mark.parametrize("sample_rate", [16000, 48000])
def test_silence_stays_silent(sample_rate: int, model: percepnet.Model) -> None:
    out = percepnet.enhance(np.zeros(sample_rate), sample_rate, model=model)

    assert np.max(np.abs(out)) < 1e-7


def test_silence_after_speech_becomes_silent(model: percepnet.Model) -> None:
    out = percepnet.enhance(np.concatenate([noisy_speech(0.5), np.zeros(48000)]), 48000, model=model)

    assert np.max(np.abs(out[24000 + 16800 :])) < 1e-7  # 350 ms: eleven time constants of the DC blocker


def test_speech_onset_after_10_s_of_silence_is_that_after_1_s(model: percepnet.Model) -> None:
    speech = noisy_speech()

    long, short = (percepnet.enhance(np.concatenate([np.zeros(48000 * n), speech]), 48000, model=model) for n in (10, 1))

    np.testing.assert_allclose(long[-48000:], short[-48000:], atol=1e-6)


# ---- invalid samples


@pytest.mark.parametrize("sample_rate", [16000, 48000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_invalid_samples_are_zeros_and_counted(bad: float, sample_rate: int, model: percepnet.Model) -> None:
    samples = noisy_speech()[:sample_rate].astype(np.float32)
    samples[[5000, 5001, 9000]] = bad
    zeroed = np.where(np.isfinite(samples), samples, np.float32(0))
    enhancer = percepnet.Enhancer(sample_rate, model=model)

    out = enhancer.process(samples)
    count, first = enhancer.invalid_samples, enhancer.first_invalid_sample

    assert (count, first) == (3, 5000)
    assert np.array_equal(np.concatenate([out, enhancer.flush()]), percepnet.enhance(zeroed, sample_rate, model=model))


def test_enhance_warns_of_invalid_samples(model: percepnet.Model) -> None:
    samples = noisy_speech()
    samples[123] = np.nan

    with pytest.warns(RuntimeWarning, match="1 sample"):
        out = percepnet.enhance(samples, 48000, model=model)

    assert np.all(np.isfinite(out))


def test_bypass_zeroes_invalid_samples(model: percepnet.Model) -> None:
    samples = noisy_speech().astype(np.float32)
    samples[200] = np.inf
    enhancer = percepnet.Enhancer(model=model)
    enhancer.bypass = True

    assert np.array_equal(whole(enhancer, samples), np.where(np.isfinite(samples), samples, np.float32(0)))


def test_only_invalid_samples_is_silence(model: percepnet.Model) -> None:
    with pytest.warns(RuntimeWarning):
        out = percepnet.enhance(np.full(9600, np.nan, np.float32), 48000, model=model)

    assert np.all(out == 0)


# ---- level


@pytest.mark.parametrize("amplitude", [1.0, 100.0, 1e6])
def test_full_scale_square_does_not_overflow(amplitude: float, model: percepnet.Model) -> None:
    square = amplitude * np.sign(signals.tone(110.0, 1.0))

    out = percepnet.enhance(square, 48000, model=model)

    assert np.all(np.isfinite(out))
    assert np.max(np.abs(out)) < 20 * amplitude


@pytest.mark.parametrize("absurd", [1e9, 1e20, 3.4e38])
def test_absurd_samples_do_no_lasting_harm(absurd: float, model: percepnet.Model) -> None:
    """Ten samples far beyond full scale, as in a damaged file: output stays finite, and one second later all is as without."""
    samples = noisy_speech(2.0).astype(np.float32)
    damaged = samples.copy()
    damaged[20000:20010] = absurd

    out = percepnet.Enhancer(model=model).process(damaged)

    assert np.all(np.isfinite(out))
    np.testing.assert_allclose(out[72000:], percepnet.Enhancer(model=model).process(samples)[72000:], atol=1e-3)


def test_int16_saturates(model: percepnet.Model) -> None:
    """A step past full scale overshoots after the DC blocker: integers stay at their limit instead of wrapping."""
    samples = np.sign(signals.tone(50.0, 1.0)) * 32767

    ints = percepnet.enhance(samples.astype(np.int16), 48000, model=model, attenuation_limit_db=0)
    floats = percepnet.enhance(samples / 32768, 48000, model=model, attenuation_limit_db=0)

    assert np.max(floats) > 1
    assert np.array_equal(ints, np.clip(np.rint(floats.astype(np.float32).astype(np.float64) * 32768), -32768, 32767))


def test_offset_is_removed_without_a_click(model: percepnet.Model) -> None:
    samples = noisy_speech() * np.minimum(1, np.arange(48000) / 4800)  # starts at zero

    plain, shifted = (percepnet.enhance(x, 48000, model=model, attenuation_limit_db=0) for x in (samples, samples + 0.5))

    np.testing.assert_allclose(shifted, plain, atol=2e-5)  # float32 of a signal around 0.5, through a 32 ms memory
    constant = percepnet.Enhancer(model=model).process(np.full(9600, 0.5))
    assert np.max(np.abs(constant)) < 1e-7


def test_gate_closes_below_minus_95_dbfs(model: percepnet.Model) -> None:
    enhancer = percepnet.Enhancer(model=model)

    _, frames = enhancer.process_frames(signals.noise(0.5, -101, seed=1).astype(np.float32))

    assert np.all(frames["gated"][2:] == 1)


def test_denormals_are_flushed(model: percepnet.Model) -> None:
    """A signal that decays past the smallest normal float leaves zeros, not denormals."""
    decaying = noisy_speech(3.0) * 10 ** (-np.arange(144000) / 3000)
    enhancer = percepnet.Enhancer(model=model, attenuation_limit_db=0)

    out = whole(enhancer, decaying.astype(np.float32))

    tiny = np.abs(out[np.abs(out) < np.finfo(np.float32).tiny])
    assert np.all(tiny[-48000:] == 0)
    assert np.max(np.abs(_core.stage_dc_blocker(decaying)[-4800:])) == 0


# ---- sample rates


@pytest.mark.parametrize("sample_rate", RATES)
def test_unit_gains_pass_the_band_at_every_rate(sample_rate: int, model: percepnet.Model) -> None:
    """1 kHz comes back in place: within 0.1 dB each way of resampling, and the DC blocker's 0.3 degrees."""
    samples = signals.tone(1000.0, 1.0, 0.3, sample_rate)

    out = percepnet.enhance(samples, sample_rate, model=model, attenuation_limit_db=0)

    inner = slice(sample_rate // 4, -sample_rate // 4)
    assert out.shape == samples.shape
    assert np.max(np.abs(out[inner] - samples[inner])) < 0.3 * 0.03


@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_bands_above_the_callers_limit_are_empty(sample_rate: int, model: percepnet.Model) -> None:
    """No image of the band below gets through the resampler: 60 dB under the loudest band, and finite."""
    enhancer = percepnet.Enhancer(sample_rate, model=model)

    _, frames = enhancer.process_frames(noisy_speech()[:sample_rate].astype(np.float32))

    empty = np.array(bands.CENTRES) * 50 > 1.3 * sample_rate / 2
    assert np.all(np.isfinite(frames["energy"]))
    assert np.max(frames["energy"][5:, empty]) < 1e-6 * np.max(frames["energy"][5:])


@pytest.mark.parametrize("sample_rate", [88200, 96000, 192000])
def test_content_above_24_khz_is_dropped(sample_rate: int, model: percepnet.Model) -> None:
    samples = signals.tone(30000.0, 0.5, 0.5, sample_rate)

    out = percepnet.enhance(samples, sample_rate, model=model, attenuation_limit_db=0)

    inner = slice(sample_rate // 10, -sample_rate // 10)
    assert np.max(np.abs(out[inner])) < 0.5 * 10 ** (-70 / 20)


# ---- channels and types


def test_linked_channels_keep_the_stereo_image(model: percepnet.Model) -> None:
    """A source that is 12 dB louder on the left comes out 12 dB louder on the left; without comb, to float32 rounding."""
    left = noisy_speech().astype(np.float32)
    samples = np.stack([left, np.float32(0.25) * left])
    strengths = np.zeros((98, 2, 34), np.float32)

    out, _ = percepnet.Enhancer(channels=2, model=model).process_frames(samples, strengths=strengths)

    np.testing.assert_allclose(out[1], out[0] / 4, atol=1e-6)


def test_linked_gain_is_the_largest_of_all_channels(model: percepnet.Model) -> None:
    """One channel's imposed gains of one serve a second whose own are zero."""
    samples = np.stack([noisy_speech(seed=1), noisy_speech(seed=2)]).astype(np.float32)
    gains = np.zeros((98, 2, 34), np.float32)
    gains[:, 0] = 1
    strengths = np.zeros_like(gains)

    linked, independent = (
        percepnet.Enhancer(channels=2, model=model, link=link).process_frames(samples, gains=gains, strengths=strengths)[0]
        for link in ("linked", "independent")
    )

    expected = np.stack([_core.stage_dc_blocker(channel) for channel in samples])[:, : linked.shape[1]]
    np.testing.assert_allclose(linked, expected, atol=1e-6)
    np.testing.assert_allclose(independent[0], expected[0], atol=1e-6)
    assert np.all(independent[1] == 0)


def test_independent_channels_equal_mono(model: percepnet.Model) -> None:
    samples = np.stack([noisy_speech(seed=seed) for seed in range(3)]).astype(np.float32)

    out = percepnet.enhance(samples, 48000, model=model, link="independent")

    assert np.array_equal(out, np.stack([percepnet.enhance(channel, 48000, model=model) for channel in samples]))


def test_equal_linked_channels_equal_mono(model: percepnet.Model) -> None:
    mono = noisy_speech().astype(np.float32)

    out = percepnet.enhance(np.stack([mono, mono]), 48000, model=model)

    assert np.array_equal(out, np.stack([percepnet.enhance(mono, 48000, model=model)] * 2))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(24000,), (1, 24000), (2, 24000)])
def test_type_and_shape_are_kept(dtype: type, shape: tuple[int, ...], model: percepnet.Model) -> None:
    scale = {np.int16: 2.0**15, np.int32: 2.0**31}.get(dtype, 1.0)
    samples = np.broadcast_to(noisy_speech(0.5) * scale, shape).astype(dtype)

    out = percepnet.enhance(samples, 48000, model=model)

    floats = percepnet.enhance((samples / scale).astype(np.float32), 48000, model=model)
    assert (out.dtype, out.shape) == (samples.dtype, samples.shape)
    np.testing.assert_allclose(out / scale, floats, atol=1.01 * max(0.5 / scale if scale > 1 else 0, 1e-9))


@pytest.mark.parametrize("shape", [(24000, 2), (1, 2, 24000), ()])
def test_orientation_is_never_guessed(shape: tuple[int, ...], model: percepnet.Model) -> None:
    with pytest.raises(ValueError, match="expected"):
        percepnet.Enhancer(channels=2, model=model).process(np.zeros(shape, np.float32))


def test_scale_is_never_guessed(model: percepnet.Model) -> None:
    """Values like 12000.0 in a float array are 80 dB above full scale, not 16-bit integers."""
    samples = noisy_speech()

    one, loud = (percepnet.enhance(gain * samples, 48000, model=model, attenuation_limit_db=0) for gain in (1.0, 32768.0))

    np.testing.assert_allclose(loud / 32768, one, atol=1e-6)


# ---- pitch


def test_doubled_period_still_passes_all_harmonics() -> None:
    samples = signals.pulse_train(150.0, 0.3).astype(np.float32)

    got, _, _ = _core.stage_comb(samples, 4800, 300.0, 960)

    np.testing.assert_allclose(got, samples[4800:5760], atol=1e-6)


def test_halved_period_is_rare_on_clean_vowels() -> None:
    """The guard against T/2 in the tracker: low voices with a strong second harmonic."""
    for f0_hz in (80.0, 100.0, 130.0):
        period = _core.analyze(signals.voiced(signals.glide(f0_hz, f0_hz, 1.0), "a")).period[5:]

        assert np.mean(period < 0.6 * 48000 / f0_hz) < 0.01


# ---- long runs, threads, pickle


def test_long_run_does_not_drift(model: percepnet.Model) -> None:
    """The 2 s segment of the second minute equals that of the first: nothing accumulates."""
    segment = noisy_speech(2.0).astype(np.float32)
    enhancer = percepnet.Enhancer(model=model)
    enhancer.process(np.zeros(7 * 480, np.float32))

    out = np.concatenate([enhancer.process(segment) for _ in range(60)])

    first, last = out[10 * 96000 : 11 * 96000], out[58 * 96000 : 59 * 96000]
    np.testing.assert_allclose(last, first, atol=1e-5)


def test_streams_on_many_threads_share_one_model(model: percepnet.Model) -> None:
    recordings = [noisy_speech(seed=seed).astype(np.float32) for seed in range(4)]

    def run(samples: Any) -> Any:
        return percepnet.enhance(samples, 48000, model=model)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, recordings * 2))

    alone = [run(samples) for samples in recordings * 2]
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))


def test_model_survives_pickle(model: percepnet.Model) -> None:
    samples = noisy_speech(0.3).astype(np.float32)

    copy = pickle.loads(pickle.dumps(model))

    assert np.array_equal(percepnet.enhance(samples, 48000, model=copy), percepnet.enhance(samples, 48000, model=model))


# ---- the trained model


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quiet_speech_is_cleaned_like_normal_speech(seed: int) -> None:
    """At -60 dBFS the shipped model's SNR gain is within 1 dB of that at -26 dBFS (mean over the vowel and its pauses)."""
    duration_s = 4.0
    clean = signals.speech_like(duration_s, seed)
    noise = signals.noise(duration_s, exponent=1, seed=seed)
    noisy = signals.at_snr(clean, noise, 5)

    def gain_db(level: float) -> float:
        scale = 10 ** ((level + 26) / 20)
        out = percepnet.enhance(noisy * scale, 48000) / scale
        clean_dc = dc_blocker.apply(clean)
        projected = clean_dc * (out @ clean_dc) / (clean_dc @ clean_dc)
        return float(10 * np.log10(np.sum(projected**2) / np.sum((out - projected) ** 2)))

    assert abs(gain_db(-60) - gain_db(-26)) < 1
