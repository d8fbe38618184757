"""Simulated rooms and the targets in them."""

from pathlib import Path

import numpy as np
import pytest

from percepnet.training.rooms import build_bank, load_bank, reverberation_time, simulate, target_response

RT60_S = (0.15, 0.4, 1.3)


def decaying_noise(rt60_s: float) -> np.ndarray:
    t = np.arange(int(1.2 * rt60_s * 48000)) / 48000
    response = np.random.default_rng(1).standard_normal(len(t)) * 10 ** (-3 * t / rt60_s)
    response[0] = 8
    return response.astype(np.float32)


@pytest.mark.parametrize("rt60_s", [0.3, 0.8, 1.5])
def test_reverberation_time_of_a_planted_decay(rt60_s: float) -> None:
    assert reverberation_time(decaying_noise(rt60_s)) == pytest.approx(rt60_s, rel=0.1)


@pytest.mark.parametrize("rt60_s", [0.4, 0.8, 1.5])
def test_target_decays_in_200_ms(rt60_s: float) -> None:
    target = target_response(decaying_noise(rt60_s), rt60_s)

    assert reverberation_time(target[960:]) == pytest.approx(0.2, rel=0.1)


def test_target_keeps_the_early_part() -> None:
    response = decaying_noise(0.8)

    np.testing.assert_array_equal(target_response(response, 0.8)[:960], response[:960])


def test_target_of_a_dry_room_is_the_room() -> None:
    response = decaying_noise(0.15)

    np.testing.assert_array_equal(target_response(response, 0.15), response)


def test_simulated_rooms_start_with_the_direct_sound() -> None:
    rooms = [simulate(np.random.default_rng(i), RT60_S) for i in range(4)]

    assert all(np.abs(response).argmax() == 0 for room in rooms for response in (room.near, room.far))
    assert all(0.05 < room.rt60_s < 1.6 for room in rooms)


def test_simulated_rooms_reverberate_as_long_as_they_are_told() -> None:
    laws = ((0.2, 0.3, 0.4), (1.8, 2.0, 2.2))
    short, long = (np.mean([simulate(np.random.default_rng(i), law).rt60_s for i in range(6)]) for law in laws)
    assert short < 0.45
    assert long > 1.2


def test_a_bank_comes_back(tmp_path: Path) -> None:
    build_bank(tmp_path / "rooms.npz", 2, 3, RT60_S)
    (_, second) = load_bank(tmp_path / "rooms.npz")

    again = simulate(np.random.default_rng((3, 1)), RT60_S)

    np.testing.assert_array_equal(second.near, again.near)
    np.testing.assert_array_equal(second.far, again.far)
    assert second.rt60_s == again.rt60_s
