"""The streaming contract: chunks, causality, reset, flush, latency and bypass, whatever the model says."""

from __future__ import annotations

import copy
import functools
import itertools
import pathlib
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import percepnet
import signals

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000]
Chunk = npt.NDArray[np.float32]


@functools.cache
def recording(sample_rate: int = 48000, duration_s: float = 0.2, seed: int = 0) -> Chunk:
    """Speech-like signal in noise, at any rate by taking every n-th time of a 48 kHz signal."""
    noisy = signals.at_snr(signals.speech_like(2.0, seed), signals.noise(2.0, exponent=1, seed=seed), 10)
    times = np.arange(round(duration_s * sample_rate)) * 48000 / sample_rate
    samples = np.interp(times, np.arange(noisy.size), noisy).astype(np.float32)
    samples.flags.writeable = False
    return samples


def split(samples: Chunk, sizes: list[int]) -> list[Chunk]:
    """`samples` in chunks of these sizes, again from the first when they are used up."""
    chunks, start = [], 0
    while start < samples.shape[-1] and any(sizes):
        for size in sizes:
            chunks.append(samples[..., start : start + size])
            start += size
    return chunks


def stream(enhancer: percepnet.Enhancer, chunks: list[Chunk]) -> Chunk:
    """Everything that comes out, flush included."""
    return np.concatenate([enhancer.process(chunk) for chunk in chunks] + [enhancer.flush()], axis=-1)


@pytest.fixture(scope="module", autouse=True)
def shared(model_paths: list[pathlib.Path]) -> dict[str, Any]:
    """Models and whole-file results, made once: Hypothesis runs each test many times."""
    models = [percepnet.load_model(path) for path in model_paths]
    SHARED.update(models=models, whole={rate: percepnet.enhance(recording(rate), rate, model=models[2]) for rate in RATES})
    return SHARED


SHARED: dict[str, Any] = {}


def new(sample_rate: int = 48000, lookahead: int = 2, **arguments: Any) -> percepnet.Enhancer:
    return percepnet.Enhancer(sample_rate, model=SHARED["models"][lookahead], **arguments)


# ---- chunks


@given(st.lists(st.integers(0, 9000), min_size=1, max_size=12).filter(any), st.sampled_from([16000, 44100, 48000]))
@example([1], 48000)
@example([479], 48000)
@example([480], 48000)
@example([481], 48000)
@example([7919], 48000)
@example([1], 16000)
@example([441, 1, 0, 500], 44100)
def test_any_chunks_give_the_whole_file_result(sizes: list[int], sample_rate: int) -> None:
    got = stream(new(sample_rate), split(recording(sample_rate), sizes))

    assert np.array_equal(got, SHARED["whole"][sample_rate])


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.integers(0, 3))
def test_any_chunks_give_the_same_bits_in_stereo_and_at_every_lookahead(sizes: list[int], lookahead: int) -> None:
    samples = np.stack([recording(seed=1), recording(seed=2)])

    got = stream(new(channels=2, lookahead=lookahead), split(samples, sizes))

    assert np.array_equal(got, stream(new(channels=2, lookahead=lookahead), [samples]))


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.sampled_from([16000, 44100, 48000]))
@example([1], 48000)
@example([7919], 44100)
def test_any_blocks_give_the_whole_file_result_late(sizes: list[int], sample_rate: int) -> None:
    enhancer = new(sample_rate)

    got = np.concatenate([enhancer.process_block(chunk) for chunk in split(recording(sample_rate), sizes)])

    late = enhancer.block_latency
    assert np.all(got[:late] == 0)
    assert np.array_equal(got[late:], SHARED["whole"][sample_rate][: got.size - late])


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_blocks_of_whole_hops_are_late_by_the_latency_only(sample_rate: int) -> None:
    size = sample_rate // 100
    enhancer = new(sample_rate, block_size=size)

    samples = recording(sample_rate)
    got = np.concatenate([enhancer.process_block(chunk) for chunk in samples.reshape(-1, size)])

    late = enhancer.latency
    assert enhancer.block_latency == late
    assert np.array_equal(got[late:], SHARED["whole"][sample_rate][: got.size - late])


@pytest.mark.parametrize(("sample_rate", "size"), [(48000, 128), (48000, 481), (44100, 512), (16000, 100)])
def test_other_blocks_are_late_by_one_hop_more(sample_rate: int, size: int) -> None:
    enhancer = new(sample_rate, block_size=size)

    assert 0 < enhancer.block_latency - enhancer.latency <= -(-sample_rate // 100)


def test_frames_of_blocks_are_those_of_chunks() -> None:
    samples = recording()[: 100 * 480]

    expected_audio, expected = new().process_frames(samples)
    blocks, frames = zip(*map(new(block_size=480).process_block_frames, samples.reshape(-1, 480)), strict=True)

    assert np.array_equal(np.concatenate(frames), expected)
    assert np.array_equal(np.concatenate(blocks)[-expected_audio.size :], expected_audio)


def test_block_in_place_and_into_out_give_the_same() -> None:
    samples = recording()
    fresh, in_place, into = new(), new(), new()

    expected = np.concatenate([fresh.process_block(chunk) for chunk in split(samples, [512])])

    buffer, out = samples.copy(), np.empty_like(samples)
    for start in range(0, samples.size, 512):
        in_place.process_block(buffer[start : start + 512], buffer[start : start + 512])
        into.process_block(samples[start : start + 512], out[start : start + 512])
    assert np.array_equal(buffer, expected)
    assert np.array_equal(out, expected)


# ---- causality


@given(st.integers(1, 19000), st.sampled_from([16000, 44100, 48000]))
def test_new_input_never_changes_previous_output(at: int, sample_rate: int) -> None:
    samples = recording(sample_rate)
    at = at * samples.size // 19000
    changed = samples.copy()
    changed[at:] = signals.noise(1.0, -6, seed=3)[: samples.size - at]

    first, second = (new(sample_rate).process_block(signal) for signal in (samples, changed))

    assert np.array_equal(first[:at], second[:at])


def test_input_is_used_no_later_than_the_latency_allows() -> None:
    """Output sample i is settled once input i + latency + one hop is known."""
    samples, at = recording(duration_s=0.3), 9600
    changed = samples.copy()
    changed[at:] *= -0.3

    first, second = (stream(new(), [signal]) for signal in (samples, changed))

    assert np.array_equal(first[: at - 1440 - 480], second[: at - 1440 - 480])
    assert not np.array_equal(first[: at - 480], second[: at - 480])  # the look-ahead is used


# ---- reset and flush


@given(st.integers(0, 9600), st.sampled_from([16000, 44100, 48000]))
def test_reset_equals_new(used: int, sample_rate: int) -> None:
    enhancer = new(sample_rate)
    enhancer.process(recording(sample_rate, seed=4)[:used])

    enhancer.reset()

    assert np.array_equal(stream(enhancer, [recording(sample_rate)]), SHARED["whole"][sample_rate])


def test_reset_after_blocks_equals_new() -> None:
    enhancer = new()
    enhancer.process_block(recording(seed=4)[:1000])

    enhancer.reset()

    assert np.array_equal(stream(enhancer, [recording()]), SHARED["whole"][48000])


def test_settings_survive_reset() -> None:
    enhancer = new(attenuation_limit_db=6.0, post_filter=False, dereverb=0.5)
    before = stream(enhancer, [recording()])

    enhancer.reset()

    assert np.array_equal(stream(enhancer, [recording()]), before)
    assert not np.array_equal(before, SHARED["whole"][48000])


@pytest.mark.parametrize("sample_rate", RATES)
def test_flush_drains_then_resets(sample_rate: int) -> None:
    enhancer, samples = new(sample_rate), recording(sample_rate)

    first = stream(enhancer, [samples])
    empty = enhancer.flush()
    second = stream(enhancer, [samples])

    assert empty.shape == (0,)
    assert first.shape == samples.shape
    assert np.array_equal(first, second)


@given(st.integers(0, 3000), st.sampled_from(RATES))
@example(0, 48000)
@example(1, 48000)
@example(479, 48000)
@example(480, 48000)
@example(1, 8000)
def test_output_is_as_long_as_the_input(n: int, sample_rate: int) -> None:
    samples = recording(sample_rate)[:n]

    assert stream(new(sample_rate), [samples]).shape == samples.shape
    assert percepnet.enhance(samples, sample_rate, model=SHARED["models"][2]).shape == samples.shape


@pytest.mark.parametrize("lookahead", range(4))
def test_output_is_aligned_with_the_input(lookahead: int) -> None:
    samples = recording(duration_s=1.0)

    got = percepnet.enhance(samples, 48000, model=SHARED["models"][lookahead], attenuation_limit_db=3)

    correlation = [np.dot(samples[1000:-1000], got[1000 + lag : got.size - 1000 + lag]) for lag in range(-1000, 1001)]
    assert np.argmax(correlation) == 1000


# ---- latency


def impulse_delay(sample_rate: int, lookahead: int = 2) -> tuple[int, float]:
    """Delay of the largest sample of an impulse, and the asymmetry of the response around it."""
    size = sample_rate // 100
    enhancer = new(sample_rate, lookahead, attenuation_limit_db=0, block_size=size if sample_rate % 100 == 0 else None)
    at = 20 * size
    samples = signals.click(60 * size, at).astype(np.float32)
    out = np.concatenate([enhancer.process_block(chunk) for chunk in split(samples, [size])])
    peak = int(np.argmax(np.abs(out)))
    asymmetry = np.max(np.abs(out[peak - 10 : peak] - out[peak + 10 : peak : -1])) / out[peak]
    return peak - at - (enhancer.block_latency - enhancer.latency), float(asymmetry)


@pytest.mark.parametrize("sample_rate", RATES)
def test_latency_equals_the_measured_delay(sample_rate: int) -> None:
    delay, asymmetry = impulse_delay(sample_rate)

    assert delay == new(sample_rate).latency
    assert asymmetry < 0.01  # symmetric about a whole sample; the DC blocker's tail is 0.4 % at 8 kHz


@pytest.mark.parametrize("sample_rate", [16000, 24000, 44100])
def test_latency_is_at_most_35_ms(sample_rate: int) -> None:
    assert new(sample_rate).latency_seconds <= 0.035


@pytest.mark.parametrize("lookahead", range(4))
def test_latency_at_48_khz_is_a_hop_more_than_the_lookahead(lookahead: int) -> None:
    assert new(lookahead=lookahead).latency == (lookahead + 1) * 480


@pytest.mark.parametrize("sample_rate", RATES)
def test_process_is_never_behind_latency_by_more_than_a_hop(sample_rate: int) -> None:
    enhancer, samples = new(sample_rate), recording(sample_rate, 0.4)
    edges = [round(i * sample_rate / 100) for i in range(41)]  # chunks of 10 ms
    given_out = 0

    for start, end in itertools.pairwise(edges):
        given_out += enhancer.process(samples[start:end]).size

        assert end - given_out <= enhancer.latency + sample_rate / 100


# ---- bypass


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.sampled_from(RATES))
@settings(max_examples=15)
def test_bypass_is_the_input_bit_for_bit(sizes: list[int], sample_rate: int) -> None:
    enhancer, samples = new(sample_rate), recording(sample_rate)
    enhancer.bypass = True

    assert np.array_equal(stream(enhancer, split(samples, sizes)), samples)


@pytest.mark.parametrize("sample_rate", RATES)
def test_bypass_keeps_latency(sample_rate: int) -> None:
    enhancer, samples = new(sample_rate), recording(sample_rate)
    late = enhancer.block_latency
    enhancer.bypass = True

    out = np.concatenate([enhancer.process_block(chunk) for chunk in split(samples, [300])])

    assert enhancer.block_latency == late
    assert np.all(out[:late] == 0)
    assert np.array_equal(out[late:], samples[: out.size - late])


@pytest.mark.parametrize("sample_rate", [16000, 48000])
def test_bypass_is_entered_and_left_within_20_ms(sample_rate: int) -> None:
    samples = recording(sample_rate, 1.0)
    plain = percepnet.enhance(samples, sample_rate, model=SHARED["models"][2])
    enhancer, third = new(sample_rate), samples.size // 3

    out = [enhancer.process(samples[:third])]
    enhancer.bypass = True
    out.append(enhancer.process(samples[third : 2 * third]))
    enhancer.bypass = False
    out += [enhancer.process(samples[2 * third :]), enhancer.flush()]

    got, fade = np.concatenate(out), sample_rate // 50
    on, off = out[0].size, out[0].size + out[1].size
    assert np.array_equal(got[:on], plain[:on])
    assert np.array_equal(got[on + fade : off], samples[on + fade : off])
    assert np.array_equal(got[off + fade :], plain[off + fade :])
    between = np.minimum(plain, samples) - 1e-6, np.maximum(plain, samples) + 1e-6
    assert np.all((got >= between[0]) & (got <= between[1]))  # a cross-fade, no jump


def test_dereverb_changes_the_output_and_can_change_while_running() -> None:
    samples, enhancer = recording(duration_s=1.0), new(dereverb=0)

    none = stream(enhancer, [samples])
    first = enhancer.process(samples[:24000])
    enhancer.dereverb = 1
    rest = [enhancer.process(samples[24000:]), enhancer.flush()]

    changed = np.concatenate([first, *rest])
    assert enhancer.dereverb == 1
    assert np.array_equal(changed[: first.size], none[: first.size])
    assert not np.array_equal(changed, none)


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_dereverb_outside_0_to_1_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="dereverb of 0 to 1"):
        new(dereverb=amount)


def test_settings_take_effect_smoothly() -> None:
    """Switching the limit from none to 0 dB moves from the enhanced to the plain signal without a jump."""
    samples = signals.tone(300.0, 1.0, 0.3).astype(np.float32)
    enhancer = new()

    first = enhancer.process(samples[:24000])
    enhancer.attenuation_limit_db = 0
    rest = [enhancer.process(samples[24000:]), enhancer.flush()]

    got = np.concatenate([first, *rest])
    assert np.max(np.abs(np.diff(got, 2))) < 4 * np.max(np.abs(np.diff(samples, 2)))
    assert (
        np.max(np.abs(got[first.size + 1920 :] - samples[first.size + 1920 :])) < 0.01
    )  # the DC blocker turns 300 Hz by 1 degree


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_stream_cannot_be_copied(copied: Any) -> None:
    with pytest.raises(TypeError, match="cannot"):
        copied(new())


def test_a_closed_enhancer_says_so() -> None:
    enhancer = new()
    enhancer.close()

    assert enhancer.latency == 1440
    for use in (lambda: enhancer.invalid_samples, enhancer.flush, enhancer.reset, lambda: enhancer.process(np.zeros(1))):
        with pytest.raises(percepnet.PercepNetError, match="closed"):
            use()
