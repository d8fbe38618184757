"""DC blocker: core == reference, and its law: -3 dB at 5 Hz, no click from an offset."""

import numpy as np

import signals
from percepnet import _core
from reference import dc_blocker


def test_equals_reference() -> None:
    samples = signals.noise(1.0, exponent=1, seed=1) + 0.25

    got = _core.stage_dc_blocker(samples.astype(np.float32))

    np.testing.assert_allclose(got, dc_blocker.apply(samples), atol=5e-6)  # 48000 float32 steps of a 32 ms memory


def test_minus_3_db_at_5_hz() -> None:
    samples = signals.tone(5.0, 4.0, 0.5)

    settled = _core.stage_dc_blocker(samples.astype(np.float32))[-48000:]

    assert abs(20 * np.log10(np.std(settled) / np.std(samples)) + 3.01) < 0.01


def test_flat_within_a_hundredth_of_a_decibel_from_120_hz() -> None:
    for f_hz in (120.0, 1000.0, 20000.0):
        samples = signals.tone(f_hz, 1.0, 0.5)

        settled = _core.stage_dc_blocker(samples.astype(np.float32))[-24000:]

        assert abs(20 * np.log10(np.std(settled) / np.std(samples[-24000:]))) < 0.01


def test_constant_offset_gives_no_click() -> None:
    assert np.max(np.abs(_core.stage_dc_blocker(np.full(4800, 0.5, np.float32)))) == 0.0


def test_state_decays_to_exact_zero() -> None:
    samples = signals.click(480000, 1, 1.0)

    assert _core.stage_dc_blocker(samples.astype(np.float32))[-1] == 0.0  # 10 s: exp(-314) is flushed, not denormal
