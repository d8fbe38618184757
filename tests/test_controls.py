"""The controls: one spelling everywhere, presets that set what is left open, and what was removed."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import percepnet
import signals
from percepnet.cli.enhance import enhance as enhance_command
from percepnet.controls import PRESETS, Controls

NAMES = set(Controls.__annotations__)


def noisy(duration_s: float = 1.0) -> np.ndarray:
    return (signals.sweep(100, 3000, duration_s, 0.2) + signals.noise(duration_s, -30)).astype(np.float32)


@pytest.mark.parametrize(
    "door", [percepnet.Enhancer, percepnet.enhance, enhance_command], ids=lambda door: f"{door.__module__}.{door.__name__}"
)
def test_every_door_has_every_control(door: object) -> None:
    assert set(inspect.signature(door).parameters) >= NAMES  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_sets_what_is_left_open(preset: str, model: percepnet.Model) -> None:
    limit_db, post_filter, dereverb = PRESETS[preset]  # type: ignore[index]

    by_name = percepnet.enhance(noisy(), 48000, model=model, preset=preset)  # type: ignore[arg-type]
    by_hand = percepnet.enhance(
        noisy(), 48000, model=model, attenuation_limit_db=limit_db, post_filter=post_filter, dereverb=dereverb
    )

    assert np.array_equal(by_name, by_hand)


def test_what_is_given_wins_over_the_preset(model: percepnet.Model) -> None:
    enhancer = percepnet.Enhancer(model=model, preset="gentle", attenuation_limit_db=math.inf)

    found = (enhancer.attenuation_limit_db, enhancer.post_filter, enhancer.dereverb)
    assert found == (None, PRESETS["gentle"].post_filter, PRESETS["gentle"].dereverb)


@pytest.mark.parametrize(
    ("control", "value"),
    [("preset", "loud"), ("attenuation_limit_db", -1), ("attenuation_limit_db", math.nan), ("dereverb", 2), ("link", "no")],
)
def test_wrong_value_is_an_argument_error(control: str, value: object, model: percepnet.Model) -> None:
    with pytest.raises(percepnet.ArgumentError, match=f"expected {control}"):
        percepnet.Enhancer(model=model, **{control: value})  # type: ignore[arg-type]


# ---- residual


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_kept_and_removed_make_the_input(sample_rate: int, model: percepnet.Model) -> None:
    samples = noisy()[:sample_rate]

    kept = percepnet.enhance(samples, sample_rate, model=model)
    removed = percepnet.enhance(samples, sample_rate, model=model, residual=True)

    assert np.array_equal(removed, samples - kept)


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=5))
@settings(max_examples=5)
def test_residual_does_not_depend_on_chunks(sizes: list[int]) -> None:
    samples = noisy(0.3)
    whole = percepnet.enhance(samples, 48000, residual=True)
    enhancer = percepnet.Enhancer(residual=True)
    edges = np.cumsum([0, *sizes]).clip(0, samples.size)

    pieces = [enhancer.process(samples[a:b]) for a, b in zip(edges, [*edges[1:], samples.size], strict=True)]

    assert np.array_equal(np.concatenate([*pieces, enhancer.flush()]), whole)


def test_residual_of_bypass_is_silence(model: percepnet.Model) -> None:
    enhancer = percepnet.Enhancer(model=model, residual=True)
    enhancer.bypass = True

    assert not np.any(enhancer.process(noisy()))


def test_residual_is_entered_within_20_ms_and_without_a_jump(model: percepnet.Model) -> None:
    samples = noisy()
    kept = percepnet.enhance(samples, 48000, model=model)
    enhancer = percepnet.Enhancer(model=model)

    first = enhancer.process(samples[:24000])
    enhancer.residual = True
    rest = np.concatenate([enhancer.process(samples[24000:]), enhancer.flush()])

    wanted, start = samples - kept, first.size
    share = np.minimum(1, np.arange(1, 961) / 960)
    faded = (1 - share) * kept[start : start + 960] + share * wanted[start : start + 960]
    np.testing.assert_allclose(rest[:960], faded, atol=1e-6)
    np.testing.assert_array_equal(rest[960:], wanted[start + 960 :])


@pytest.mark.parametrize("limit", ["x", 10**400, [1], float("nan"), -1])
def test_limit_that_is_none_is_refused(limit: object) -> None:
    with pytest.raises(percepnet.ArgumentError, match="attenuation_limit_db of 0 or more"):
        percepnet.Enhancer(attenuation_limit_db=limit)  # type: ignore[arg-type]
