"""Runs of hops and many streams in one call: the same bits as hop by hop and one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import percepnet
import signals
from networks import random_tensors, random_tracker
from percepnet import _core
from percepnet.training.export import write_weights
from percepnet.training.int8 import quantise_tensors

HOP = 480
Chunk = npt.NDArray[np.float32]


def model(seed: int = 0, quantised: bool = True) -> percepnet.Model:
    tensors = random_tensors(seed, dereverb=True) | (random_tracker(seed) if seed else {})
    return percepnet.Model.from_bytes(write_weights(quantise_tensors(tensors) if quantised else tensors, 2, {"id": "random"}))


MODELS = [model(), model(1), model(quantised=False)]


def recording(channels: int, seed: int) -> Chunk:
    """0.6 s of noise with a silence in it that closes the gate, at another place for each seed."""
    samples = np.stack([signals.noise(0.6, -30, exponent=1, seed=10 * seed + c) for c in range(channels)]).astype(np.float32)
    start = 2400 * (1 + seed % 4)
    samples[:, start : start + 9600] = 0
    return samples


def frames_of(enhancer: percepnet.Enhancer, chunks: list[Chunk], **imposed: Any) -> tuple[Chunk, npt.NDArray[np.void]]:
    parts = [enhancer.process_frames(chunk, **imposed) for chunk in chunks] + [enhancer.flush_frames(**imposed)]
    return np.concatenate([audio for audio, _ in parts], axis=-1), np.concatenate([frames for _, frames in parts])


def pieces(samples: Chunk, size: int) -> list[Chunk]:
    return [samples[:, start : start + size] for start in range(0, samples.shape[1], size)]


@pytest.mark.parametrize("which", range(len(MODELS)), ids=["int8", "other int8", "float32"])
@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_a_run_of_hops_gives_what_single_hops_give(which: int, sample_rate: int) -> None:
    gains = np.random.default_rng(0).random((7, 2, _core.BANDS))
    samples, enhancer = recording(2, 1), percepnet.Enhancer(sample_rate, 2, MODELS[which])

    whole = frames_of(enhancer, [samples], gains=gains, first_frame=20)
    singly = frames_of(enhancer, pieces(samples, sample_rate // 100), gains=gains, first_frame=20)

    assert np.array_equal(whole[0], singly[0])
    assert np.array_equal(whole[1], singly[1])
    assert 0 < np.sum(whole[1]["gated"]) < len(whole[1])


@given(st.lists(st.sampled_from([1, 480, 960, 1440, 2500]), min_size=1, max_size=4))
@settings(max_examples=8)
def test_settings_move_as_they_do_hop_by_hop(sizes: list[int]) -> None:
    def run(chunk_size: int) -> Chunk:
        enhancer, out, start = percepnet.Enhancer(channels=1, model=MODELS[0]), [], 4800
        samples = recording(1, 2)
        out.append(enhancer.process(samples[:, :start]))
        for i, size in enumerate(sizes):
            enhancer.attenuation_limit_db = 6.0 * i
            enhancer.dereverb = 0.5 * (i % 3)
            enhancer.bypass = i % 2 == 1
            enhancer.residual = i % 3 == 1
            out += [enhancer.process(chunk) for chunk in pieces(samples[:, start : start + size], chunk_size)]
            start += size
        return np.concatenate([*out, enhancer.process(samples[:, start:]), enhancer.flush()], axis=1)

    assert np.array_equal(run(480), run(100000))


def various() -> list[percepnet.Enhancer]:
    """More than pass a layer at once, all unlike."""
    kinds = itertools.product((MODELS[0], MODELS[1]), (48000, 16000, 44100), (1, 3))
    made = [percepnet.Enhancer(rate, channels, m, attenuation_limit_db=9.0 * channels) for m, rate, channels in kinds]
    made[3].post_filter = False
    made[5].bypass = True
    made[6].residual = True
    return made


@pytest.mark.parametrize("size", [480, 1000, 20000])
def test_many_streams_give_what_each_gives_alone(size: int) -> None:
    alone, together = various(), various()
    inputs = [recording(enhancer.channels, i) for i, enhancer in enumerate(alone)]
    inputs[4] = inputs[4][:, :7000]  # ends before the others

    for chunks in itertools.zip_longest(*(pieces(samples, size) for samples in inputs)):
        fed = [(a, b, chunk) for a, b, chunk in zip(alone, together, chunks, strict=True) if chunk is not None]
        got = percepnet.process_many([b for _, b, _ in fed], [chunk for *_, chunk in fed])

        assert all(np.array_equal(out, a.process(chunk)) for out, (a, _, chunk) in zip(got, fed, strict=True))
    assert all(np.array_equal(a.flush(), b.flush()) for a, b in zip(alone, together, strict=True))


def test_types_and_shapes_stay() -> None:
    enhancers = [percepnet.Enhancer(model=MODELS[0]), percepnet.Enhancer(channels=2, model=MODELS[0])]
    chunks: list[Any] = [np.zeros(2000, np.int16), np.zeros((2, 2000), np.float64)]

    got = percepnet.process_many(enhancers, chunks)

    assert [(out.dtype, out.ndim) for out in got] == [(np.int16, 1), (np.float64, 2)]


def test_no_streams_give_nothing() -> None:
    assert percepnet.process_many([], []) == []


def test_wrong_use_is_told_and_nothing_is_processed() -> None:
    first, second = percepnet.Enhancer(model=MODELS[0]), percepnet.Enhancer(model=MODELS[0])
    chunk = np.zeros(480, np.float32)

    with pytest.raises(ValueError, match="all different"):
        percepnet.process_many([first, first], [chunk, chunk])
    with pytest.raises(ValueError, match="one chunk for each"):
        percepnet.process_many([first, second], [chunk])
    second.process_block(chunk)
    with pytest.raises(percepnet.PercepNetError, match="process_block"):
        percepnet.process_many([first, second], [chunk, chunk])

    assert first.flush().size == 0


def test_the_core_refuses_one_enhancer_twice_and_small_buffers() -> None:
    handle = _core.EnhancerHandle(MODELS[0].handle, 48000, 1, False, 0)
    samples, out, small = np.zeros(480, np.float32), np.empty((1, 2000), np.float32), np.empty((1, 480), np.float32)

    with pytest.raises(percepnet.PercepNetError, match="null pointer or a value"):
        _core.Batch([handle, handle], [samples, samples], [out, out]).run()
    with pytest.raises(percepnet.PercepNetError, match="too small"):
        _core.Batch([handle], [samples], [small]).run()

    assert _core.Batch([handle], [samples], [out]).run() == [0]
    assert handle.flush(out) == 480


@pytest.mark.parametrize("first", ["chunks", "blocks"])
def test_the_core_refuses_chunks_and_blocks_in_one_stream(first: str) -> None:
    handle = _core.EnhancerHandle(MODELS[0].handle, 48000, 1, False, 0)
    samples, out = np.zeros((1, 480), np.float32), np.empty((1, 4000), np.float32)
    chunks = (
        lambda: handle.process(samples, out),
        lambda: _core.Batch([handle], [samples], [out]).run(),
        lambda: handle.flush(out),
    )
    blocks = (lambda: handle.process_block(samples, samples),)
    right, wrong = (chunks[:1], blocks) if first == "chunks" else (blocks, chunks)

    right[0]()

    for call in wrong:
        with pytest.raises(percepnet.PercepNetError, match="null pointer or a value"):
            call()
    handle.reset()
    wrong[0]()


@pytest.mark.parametrize("first_frame", [-(2**63), 2**63 - 1])
def test_imposed_frames_may_be_as_far_away_as_numbers_reach(first_frame: int) -> None:
    gains, samples, enhancer = np.zeros((3, 1, _core.BANDS)), recording(1, 1), percepnet.Enhancer(channels=1, model=MODELS[0])

    imposed = frames_of(enhancer, [samples], gains=gains, first_frame=first_frame)

    assert np.array_equal(imposed[0], frames_of(enhancer, [samples])[0])
