"""The learned pitch tracker: its cues == reference, its network == reference, its lag is the one that is combed."""

from __future__ import annotations

import numpy as np
import pytest

import networks
import signals
from percepnet import ModelError, _core, load_model
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors
from percepnet.weights import shipped_models
from reference import HOP, Array, dc_blocker, pitch, tracker

LOOKAHEAD = 2


def noisy_vowel(seconds: float = 1.0) -> Array:
    clean = signals.voiced(signals.glide(110, 190, seconds))
    return signals.at_snr(clean, signals.noise(seconds, exponent=1, seed=3), 5)


def with_tracker(seed: int = 0) -> networks.Tensors:
    return networks.random_tensors(seed) | networks.random_tracker(seed)


def handle(tensors: networks.Tensors, quantised: bool = False) -> _core.ModelHandle:
    return _core.ModelHandle(write_weights(quantise_tensors(tensors) if quantised else tensors, LOOKAHEAD, {}))


def run(enhancer: _core.EnhancerHandle, samples: Array) -> networks.Floats:
    out = np.empty((1, enhancer.max_output(samples.size)), np.float32)
    n = enhancer.process(samples[None].astype(np.float32), out)
    return out[:, :n]


def frames_of(model: _core.ModelHandle, samples: Array) -> np.ndarray:
    hooks = _core.Hooks(frames=np.zeros(samples.size // HOP, _core.FRAME_DTYPE))
    enhancer = _core.EnhancerHandle(model, signals.RATE, 1, False, 0)
    out = np.empty((1, enhancer.max_output(samples.size)), np.float32)
    enhancer.process(samples[None].astype(np.float32), out, hooks)
    return hooks.frames[: hooks.n_frames]


PLAIN = handle(networks.random_tensors(1))


def test_cues_equal_the_reference() -> None:
    samples = noisy_vowel()

    got = _core.pitch_cues(samples)

    expected = tracker.cues(dc_blocker.apply(samples))
    np.testing.assert_allclose(got[:, :225], expected[:, :225], atol=1e-3)
    np.testing.assert_allclose(got[1:, 225:], expected[1:, 225:], atol=2e-3)


def test_cues_of_silence_are_nothing() -> None:
    cues = _core.pitch_cues(np.zeros(50 * HOP, np.float32))

    assert not cues.any()


@pytest.mark.parametrize("f0_hz", [103.0, 250.0, 731.5])
def test_phase_change_tells_the_frequency_of_a_tone(f0_hz: float) -> None:
    """Over a hop of 10 ms a tone turns by 2 pi f 0.01, whatever line it is seen on."""
    cues = _core.pitch_cues(signals.tone(f0_hz, 0.5))[10:]

    line = round(f0_hz / 50) - 1
    turns = np.arctan2(cues[:, 265 + line], cues[:, 225 + line]) / (2 * np.pi)
    error = (turns - f0_hz * HOP / signals.RATE + 0.5) % 1 - 0.5
    assert np.max(np.abs(error)) < 0.01


def test_lag_and_voicing_equal_the_reference() -> None:
    samples, tensors = noisy_vowel(), with_tracker()

    got = _core.analyze(samples, lookahead=LOOKAHEAD, tracker=handle(tensors))

    signal, network = dc_blocker.apply(samples), tracker.Tracker(tensors)
    decisions = [network.track(row) for row in tracker.cues(signal)][LOOKAHEAD:]
    lags = [int(np.argmax(scores)) + pitch.LAG_MIN for scores, _ in decisions]
    assert len(set(lags)) > 20  # it moves
    expected = np.array([pitch.refine(signal, t, lag) for t, lag in enumerate(lags)])
    assert np.mean(np.abs(got.period - expected) <= 0.5) >= 0.95  # near-ties fall either way in float32
    np.testing.assert_allclose(got.features[:, 69], [2 * voicing - 1 for _, voicing in decisions], atol=2e-3)


@pytest.mark.parametrize("quantised", [False, True])
def test_the_enhancer_combs_with_the_lag_that_training_sees(quantised: bool) -> None:
    samples, model = noisy_vowel(), handle(with_tracker(1), quantised)

    periods = frames_of(model, samples)["period"]

    expected = _core.analyze(samples, lookahead=LOOKAHEAD, tracker=model).period
    assert np.array_equal(periods, expected)
    assert not np.array_equal(expected, _core.analyze(samples, lookahead=LOOKAHEAD).period)


def test_frames_that_hardly_correlate_are_combed() -> None:
    """The plain tracker leaves them alone; a learned one may know better, and the network decides."""
    samples = noisy_vowel()
    hooked = {name: frames_of(model, samples) for name, model in (("tracked", handle(with_tracker(1))), ("plain", PLAIN))}

    weak = {name: frames[frames["correlation"] < 0.1]["strengths"] for name, frames in hooked.items()}

    assert len(weak["tracked"]) > 10
    assert np.all(weak["tracked"].max(1) > 0)
    assert np.all(weak["plain"] == 0)


def test_silence_before_the_sound_changes_nothing() -> None:
    """The tracker rests in silence, so that a stream's start does not depend on how long nothing was said."""
    samples, model = noisy_vowel(), handle(with_tracker(1))

    soon, late = (frames_of(model, np.concatenate([np.zeros(hops * HOP), samples])) for hops in (20, 80))

    for name in ("period", "voicing", "gains", "strengths"):
        assert np.array_equal(soon[name], late[name][60:]), name


def test_frames_tell_how_surely_they_are_voiced() -> None:
    samples, model = noisy_vowel(), handle(with_tracker(1))

    tracked, plain = frames_of(model, samples), frames_of(PLAIN, samples)

    features = _core.analyze(samples, lookahead=LOOKAHEAD, tracker=model).features
    np.testing.assert_allclose(tracked["voicing"], (features[:, 69] + 1) / 2, atol=1e-6)
    assert np.array_equal(plain["voicing"], np.maximum(plain["correlation"], 0))


@pytest.mark.parametrize("quantised", [False, True])
def test_analysis_tells_what_the_tracker_hears_and_remembers(quantised: bool) -> None:
    samples, tensors = noisy_vowel(), with_tracker()
    model = handle(tensors, quantised)

    told = _core.analyze(samples, lookahead=LOOKAHEAD, tracker=model).cues

    assert told.shape[1] == model.n_cues == 346 + 48
    assert np.array_equal(told[:, :346], _core.pitch_cues(samples)[LOOKAHEAD:])
    network = tracker.Tracker(tensors)
    remembered = []
    for row in _core.pitch_cues(samples):
        network.track(row)
        remembered.append(network.state["gru2"])
    error = np.abs(told[:, 346:] - remembered[LOOKAHEAD:])
    assert np.median(error) < (0.05 if quantised else 1e-5)


@pytest.mark.parametrize("quantised", [False, True])
def test_the_network_hears_in_the_enhancer_what_it_hears_in_training(quantised: bool) -> None:
    samples, model = noisy_vowel(), handle(networks.cued_tensors(1), quantised)

    frames = frames_of(model, samples)

    seen = _core.analyze(samples, lookahead=LOOKAHEAD, tracker=model)
    rows = np.hstack((seen.features, np.ones((len(seen.features), 1)), seen.cues))[~seen.gated]
    gains, _, speech = _core.network_run(model, rows)
    assert np.array_equal(frames["gains"][~seen.gated], gains)
    assert np.array_equal(frames["speech_probability"][~seen.gated], speech)
    silenced = np.hstack((rows[:, :73], 0 * rows[:, 73:]))
    assert np.abs(_core.network_run(model, silenced)[0] - gains).max() > 0.05  # they matter


def test_cues_of_another_size_are_refused() -> None:
    """As are those of a tracker that is not there."""
    wrong = networks.random_tensors(cues=346 + 32)
    for tensors in (wrong, wrong | networks.random_tracker()):
        with pytest.raises(ModelError, match="tensor"):
            handle(tensors)


def test_int8_changes_little() -> None:
    samples, tensors = noisy_vowel(), with_tracker(2)

    plain, rounded = (_core.analyze(samples, tracker=handle(tensors, quantised)) for quantised in (False, True))

    assert np.median(np.abs(plain.features[:, 69] - rounded.features[:, 69])) < 0.1


@pytest.mark.parametrize("name", ["pitch.lags.weight", "pitch.gru2.recurrent_bias", "pitch.voicing.bias"])
def test_an_incomplete_tracker_is_refused(name: str) -> None:
    tensors = with_tracker()
    del tensors[name]

    with pytest.raises(ModelError, match="tensor"):
        handle(tensors)


def test_older_readers_must_not_ignore_the_tracker() -> None:
    """The format is of version 3 where there is one, 4 where the network hears it, and 2, as before, where there is none."""
    files = [
        write_weights(tensors, LOOKAHEAD, {})
        for tensors in (networks.cued_tensors(), with_tracker(), networks.random_tensors())
    ]

    assert [contents[8] for contents in files] == [4, 3, 2]


def test_weights_are_counted() -> None:
    plain, tracked = _core.ModelHandle(write_weights(networks.random_tensors(), 2, {})), handle(with_tracker())

    assert tracked.n_weights - plain.n_weights == sum(tensor.size for tensor in networks.random_tracker().values())


def test_a_tracker_too_wide_is_refused() -> None:
    with pytest.raises(ModelError, match="tensor"):
        handle(networks.random_tensors() | networks.random_tracker(hidden=160))


def test_reset_forgets_the_tracker() -> None:
    samples, model = noisy_vowel(), handle(with_tracker(3))
    enhancer = _core.EnhancerHandle(model, signals.RATE, 1, False, 0)

    first = run(enhancer, samples)
    enhancer.reset()
    again = run(enhancer, samples)

    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_track_the_pitch_with_it(name: str) -> None:
    samples, model = noisy_vowel(), load_model(name)

    tracked, plain = frames_of(model.handle, samples), _core.analyze(samples)

    assert model.contents[8] == 4
    assert not np.array_equal(tracked["period"], plain.period[: len(tracked)])
