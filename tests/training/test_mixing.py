"""Mixtures: seeded, at the ratio and level they claim, with a target that is the speech."""

from dataclasses import replace

import numpy as np
import pytest

import signals
from percepnet.training.config import MixingConfig
from percepnet.training.corpus import Corpus
from percepnet.training.mixing import (
    NOISE_KINDS,
    Mixer,
    Mixture,
    active_rms,
    coloured,
    low_pass,
    rms,
    shaped_noise,
    texture,
    tones,
)  # fmt: skip
from percepnet.training.rooms import Room, simulate

PLAIN = MixingConfig(
    seconds=4.0, noise_only=0, noise_free=0, snr_high=0, level_wide=0, room=0, low_pass=0, clipping=0, quantisation=0,
    level_step=0, level_db=(-36.0, -30.0), snr_db=(0.0, 20.0),
)  # fmt: skip


def mixtures(corpus: Corpus, config: MixingConfig, count: int) -> list[Mixture]:
    mixer = Mixer(corpus, [simulate(np.random.default_rng(0), (0.15, 0.4, 1.3))] if config.room else [], config)
    return [mixer.mix(np.random.default_rng((1, i))) for i in range(count)]


def test_equal_seeds_give_equal_mixtures(corpus: Corpus) -> None:
    config = MixingConfig(seconds=3.0)

    for first, second in zip(mixtures(corpus, config, 12), mixtures(corpus, config, 12), strict=True):
        np.testing.assert_array_equal(first.noisy, second.noisy)
        np.testing.assert_array_equal(first.clean, second.clean)


def test_mixtures_are_finite_and_do_not_overload(corpus: Corpus) -> None:
    for mixture in mixtures(corpus, MixingConfig(seconds=3.0), 30):
        assert mixture.noisy.dtype == mixture.clean.dtype == np.float32
        assert mixture.noisy.shape == mixture.clean.shape == (144000,)
        assert np.isfinite(mixture.noisy).all()
        assert np.abs(mixture.noisy).max() <= 1


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_ratio_is_the_claimed_one(corpus: Corpus, kind: str) -> None:
    config = replace(PLAIN, **{name: float(name == kind) for name in NOISE_KINDS})

    for mixture in mixtures(corpus, config, 4):
        measured_db = 20 * np.log10(active_rms(mixture.clean) / rms(mixture.noisy - mixture.clean))
        assert measured_db == pytest.approx(mixture.snr_db, abs=0.2)


def test_level_is_inside_the_range(corpus: Corpus) -> None:
    levels = [20 * np.log10(active_rms(mixture.clean)) for mixture in mixtures(corpus, PLAIN, 12)]

    assert min(levels) > -36.2
    assert max(levels) < -29.8


def test_without_noise_noisy_is_clean(corpus: Corpus) -> None:
    (mixture,) = mixtures(corpus, replace(PLAIN, noise_free=1.0), 1)

    assert mixture.snr_db == float("inf")
    np.testing.assert_array_equal(mixture.noisy, mixture.clean)


def test_without_speech_the_target_is_dither(corpus: Corpus) -> None:
    (mixture,) = mixtures(corpus, replace(PLAIN, noise_only=1.0), 1)

    assert mixture.snr_db == float("-inf")
    assert 20 * np.log10(rms(mixture.clean)) < -76
    assert rms(mixture.noisy) > 10 * rms(mixture.clean)


def test_low_pass_limits_noisy_clean_and_bandwidth(corpus: Corpus) -> None:
    config = replace(PLAIN, low_pass=1.0, low_pass_hz=(6000.0, 6001.0))

    for mixture in mixtures(corpus, config, 2):
        assert mixture.bandwidth_hz <= 5701
        for samples in (mixture.noisy, mixture.clean):
            spectrum = np.abs(np.fft.rfft(samples)) ** 2
            assert spectrum[4 * 6100 :].sum() < 1e-8 * spectrum.sum()


def test_clipping_and_quantisation_leave_the_target_alone(corpus: Corpus) -> None:
    (plain,) = mixtures(corpus, PLAIN, 1)
    (worn,) = mixtures(corpus, replace(PLAIN, clipping=1.0, quantisation=1.0), 1)

    assert np.abs(worn.noisy).max() < np.abs(plain.noisy).max()
    np.testing.assert_array_equal(worn.noisy * 32768, np.round(worn.noisy * 32768))
    np.testing.assert_array_equal(worn.clean, plain.clean)


def test_colour_changes_levels_by_octaves_and_no_phase() -> None:
    impulse = np.zeros(48000, np.float32)
    impulse[24000] = 1

    response = coloured(impulse, np.random.default_rng(3), 5.0)

    knots_db = np.random.default_rng(3).normal(0, 5.0, 11)  # at 31 Hz, 63 Hz, ... 32 kHz
    spectrum = np.fft.rfft(np.roll(response, -24000))
    np.testing.assert_allclose(
        20 * np.log10(np.abs(spectrum[[125, 250, 500, 1000, 2000, 4000, 8000]])), knots_db[2:9], atol=0.1
    )
    assert np.abs(spectrum.imag).max() < 1e-3


def test_texture_keeps_the_spectrum_and_spreads_the_energy() -> None:
    """A click becomes a second of stationary noise."""
    click = np.zeros(48000, np.float32)
    click[1000:1100] = np.random.default_rng(0).standard_normal(100)

    noise = texture(click, np.random.default_rng(1))

    np.testing.assert_allclose(np.abs(np.fft.rfft(noise))[1:-1], np.abs(np.fft.rfft(click))[1:-1], rtol=1e-2, atol=1e-3)
    levels = np.sqrt((noise.reshape(10, -1) ** 2).mean(1))
    assert levels.max() < 1.5 * levels.min()


def test_colours_and_textures_reach_the_mixtures(corpus: Corpus) -> None:
    noisy = {
        name: mixtures(corpus, replace(PLAIN, **{name: 1.0} if name else {}), 3)
        for name in ("", "speech_colour", "noise_colour", "noise_texture")
    }

    changed = {
        name: [not np.array_equal(a.noisy, b.noisy) for a, b in zip(noisy[""], noisy[name], strict=True)] for name in noisy
    }
    assert all(changed["speech_colour"] + changed["noise_colour"])
    assert any(changed["noise_texture"])
    assert any(not np.array_equal(a.clean, b.clean) for a, b in zip(noisy[""], noisy["speech_colour"], strict=True))


def hall() -> Room:
    """Direct sound and 0.8 s of tail with a reverberation time of 1 s, half as strong."""
    tail = np.random.default_rng(0).standard_normal(40000) * 0.05 * 10 ** (-np.arange(40000) / 16000)
    tail[0] = 1.0
    return Room(tail.astype(np.float32), tail.astype(np.float32), 1.0)


def in_the_hall(corpus: Corpus, **shares: float) -> Mixture:
    config = replace(PLAIN, **({"room": 1.0, "noise_free": 1.0, "keep_room": 0.0, "soften_room": 0.0} | shares))
    return Mixer(corpus, [hall()], config).mix(np.random.default_rng(0))


def test_room_reaches_noisy_more_than_target(corpus: Corpus) -> None:
    mixture = in_the_hall(corpus)

    assert rms(mixture.noisy - mixture.clean) > 0.3 * rms(mixture.clean)


def test_target_keeps_as_much_of_the_room_as_the_user_asks(corpus: Corpus) -> None:
    least, most, between = in_the_hall(corpus), in_the_hall(corpus, keep_room=1.0), in_the_hall(corpus, soften_room=1.0)

    share = between.dereverb
    assert (least.dereverb, most.dereverb) == (1, 0)
    assert 0 < share < 1
    np.testing.assert_allclose(most.clean, most.noisy, atol=1e-6)
    np.testing.assert_allclose(between.clean, share * least.clean + (1 - share) * most.clean, atol=1e-6)


def test_low_pass_is_flat_below_and_silent_above() -> None:
    samples = (signals.tone(3000, 1.0) + signals.tone(9000, 1.0)).astype(np.float32)

    np.testing.assert_allclose(low_pass(samples, 6000.0), signals.tone(3000, 1.0), atol=1e-4)


@pytest.mark.parametrize("make", [shaped_noise, tones])
def test_synthetic_noises_are_finite_and_audible(make: object) -> None:
    for seed in range(8):
        samples = make(48000, np.random.default_rng(seed))  # type: ignore[operator]

        assert samples.dtype == np.float32
        assert 0.1 < rms(samples) < 30
