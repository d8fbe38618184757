"""A widened network says what the smaller one says, and its copies are not bound to stay alike."""

import numpy as np
import pytest

import networks
from percepnet.errors import ArgumentError
from percepnet.training.config import ModelConfig
from percepnet.training.widen import repeated, share_columns, side_by_side, widened
from reference.network import Network

SMALL = (16, 32, 16)


@pytest.mark.parametrize("new", [(16, 32, 16), (16, 40, 16), (24, 80, 40), (33, 70, 17)])
def test_outputs_stay(new: tuple[int, int, int]) -> None:
    tensors = networks.random_tensors(sizes=SMALL, dereverb=True)
    frames = np.random.default_rng(1).normal(-20, 20, (12, 73))

    wide = widened(tensors, ModelConfig(*new), seed=1)

    before, after = Network(tensors), Network(wide)
    for frame in frames:
        for a, b in zip(before.step(frame), after.step(frame), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_shapes_are_those_of_the_larger_network() -> None:
    wide = widened(networks.random_tensors(sizes=SMALL, dereverb=True), ModelConfig(24, 80, 40), seed=1)

    expected = networks.random_tensors(sizes=(24, 80, 40), dereverb=True)
    assert {name: tensor.shape for name, tensor in wide.items()} == {name: t.shape for name, t in expected.items()}


def test_equal_sizes_change_nothing() -> None:
    tensors = networks.random_tensors(sizes=SMALL)

    wide = widened(tensors, ModelConfig(*SMALL), seed=1)

    assert all(np.array_equal(tensors[name], wide[name]) for name in tensors)


def test_copies_are_heard_differently() -> None:
    units = repeated(3, 6, np.random.default_rng(1))

    shared = share_columns(np.ones((4, 3), np.float32), [units], np.random.default_rng(2))

    np.testing.assert_allclose(shared.sum(1), 3, rtol=1e-6)
    assert np.all(np.abs(shared[:, :3] - shared[:, 3:][:, np.argsort(units[3:])]) > 1e-3)


@pytest.mark.parametrize("heard", [0, 40])
def test_a_network_may_learn_to_hear_cues(heard: int) -> None:
    """What it says stays, whether it heard them before or not."""
    tensors = networks.random_tensors(sizes=SMALL, dereverb=True, cues=heard)
    frames = np.random.default_rng(1).uniform(-1, 1, (12, 73 + 40))

    wide = widened(tensors, ModelConfig(24, 80, 40, cues=40), seed=1)

    before, after = Network(tensors), Network(wide)
    for frame in frames:
        for a, b in zip(before.step(frame[: 73 + heard]), after.step(frame), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_smaller_network_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        widened(networks.random_tensors(sizes=SMALL), ModelConfig(16, 16, 16), seed=1)


def scaled(tensors: networks.Tensors, seed: int) -> networks.Tensors:
    """With a scaling of features of its own."""
    rng = np.random.default_rng(seed)
    mean, scale = rng.normal(-20, 5, (1, 72)).astype(np.float32), rng.uniform(0.03, 0.1, (1, 72)).astype(np.float32)
    return tensors | {"features.mean": mean, "features.scale": scale}


@pytest.mark.parametrize("new", [(40, 80, 40), (41, 90, 47)])
def test_networks_side_by_side_say_their_mean(new: tuple[int, int, int]) -> None:
    parts = [
        scaled(networks.random_tensors(seed=seed, sizes=size, dereverb=True, cues=40), seed)
        for seed, size in enumerate([SMALL, (24, 48, 24)])
    ]
    frames = np.random.default_rng(1).normal(-20, 5, (12, 73 + 40))

    wide = Network(side_by_side(parts, ModelConfig(*new, cues=40), seed=1))

    first, second = (Network(part) for part in parts)
    for frame in frames:
        for a, b, both in zip(first.step(frame), second.step(frame), wide.step(frame), strict=True):
            np.testing.assert_allclose(logit(both), (logit(a) + logit(b)) / 2, atol=1e-4)


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def test_networks_that_do_not_fit_side_by_side_are_refused() -> None:
    small = networks.random_tensors(sizes=SMALL)

    with pytest.raises(ValueError, match=r"at least \(32, 64, 32\)"):
        side_by_side([small, small], ModelConfig(32, 63, 32), seed=1)


@pytest.mark.parametrize("cues", [0, 30, 50])
def test_a_network_that_hears_other_cues_is_refused(cues: int) -> None:
    hearing = networks.random_tensors(sizes=SMALL, cues=40)

    with pytest.raises(ArgumentError, match=f"model.cues=40.*got {cues}"):
        widened(hearing, ModelConfig(40, 80, 40, cues=cues), seed=1)


@pytest.mark.parametrize("cues", [(0, 40), (40, 0)])
def test_networks_that_hear_different_things_are_refused_side_by_side(cues: tuple[int, int]) -> None:
    parts = [networks.random_tensors(sizes=SMALL, dereverb=True, cues=n) for n in cues]

    with pytest.raises(ArgumentError, match="all hear 40 cues"):
        side_by_side(parts, ModelConfig(40, 80, 40, cues=40), seed=1)
