"""Losses against their formulas in NumPy, and blind to what is masked."""

from pathlib import Path

import numpy as np
import pytest
import torch

from percepnet.training import dataset
from percepnet.training.bands import BAND_CENTRES
from percepnet.training.config import Config, LossConfig
from percepnet.training.dataset import GAIN, GATED, STRENGTH
from percepnet.training.loss import (
    Output,
    Targets,
    gain_loss,
    intelligibility_loss,
    loudness_loss,
    render,
    sharpened,
    spectral_loss,
    strength_loss,
    threshold_in_quiet,
    total_loss,
    unpack,
)
from reference import postfilter

CONFIG = LossConfig(speech_boost=0.5)
BATCH, FRAMES, BANDS = 3, 20, 34


@pytest.fixture
def rows(toy: Config) -> np.ndarray:
    """(BATCH, FRAMES, COLUMNS) of real mixtures, some bands masked."""
    crops = dataset.Shards(Path(toy.dataset.folder), FRAMES).batch(np.random.default_rng(3), BATCH)
    crops[:, :, GAIN][:, :, 30:] = -1
    crops[:, :, STRENGTH][:, :, 30:] = -1
    crops[0, :4, GATED] = 1
    return crops


def guess(seed: int = 0) -> torch.Tensor:
    values = torch.rand(BATCH, FRAMES, BANDS, generator=torch.Generator().manual_seed(seed))
    return values.requires_grad_()


def counted() -> torch.Tensor:
    mask = torch.ones(BATCH, FRAMES)
    mask[1, :5] = 0
    return mask


def numpy_mask(rows: np.ndarray) -> np.ndarray:
    return (rows[..., GAIN] >= 0) & (counted().numpy() > 0)[..., None] & (rows[..., GATED] == 0)[..., None]


def test_gain_loss_is_its_formula(rows: np.ndarray) -> None:
    wanted, given, mask = rows[..., GAIN].astype(np.float64), guess().detach().numpy().astype(np.float64), numpy_mask(rows)
    error = np.sqrt(np.maximum(wanted, 0) + 1e-4) - np.sqrt(given + 1e-4)
    weight = np.where(given < wanted, 2, 1) * (1 + 0.5 * rows[..., dataset.SPEECH])[..., None]
    expected = (weight * (error**2 + 10 * error**4))[mask].mean()

    actual = gain_loss(guess(), unpack(torch.from_numpy(rows), counted()), CONFIG)

    assert actual.item() == pytest.approx(expected, rel=1e-5)


def test_strength_loss_is_its_formula(rows: np.ndarray) -> None:
    wanted, given = rows[..., STRENGTH].astype(np.float64), guess().detach().numpy().astype(np.float64)
    mask = numpy_mask(rows) & (wanted >= 0)
    expected = ((np.sqrt(1 - wanted + 1e-4) - np.sqrt(1 - given + 1e-4))[mask] ** 2).mean()

    actual = strength_loss(guess(), unpack(torch.from_numpy(rows), counted()), CONFIG)

    assert actual.item() == pytest.approx(expected, rel=1e-5)


def test_spectral_loss_is_that_of_the_spectra() -> None:
    """One bin per band: the band statistics are those of numbers, so the loss must be that of the mixed numbers."""
    rng = np.random.default_rng(5)
    clean, noise, other = (rng.normal(size=(BATCH, FRAMES, BANDS, 2)) @ (1, 1j) for _ in range(3))
    noisy, comb = clean + noise, clean + 0.5 * other
    pairs = ((noisy, comb), (noisy, clean), (comb, clean))
    rows = np.zeros((BATCH, FRAMES, dataset.COLUMNS))
    rows[..., dataset.ENERGY_DB] = 20 * np.log10(np.abs(np.concatenate((noisy, comb, clean), -1)))
    rows[..., dataset.DISTANCE] = np.concatenate([1 - (u * v.conj()).real / np.abs(u * v) for u, v in pairs], -1)
    gains, strengths = guess(1), guess(2)
    g, r = gains.detach().numpy().astype(np.float64), strengths.detach().numpy().astype(np.float64)
    mixed = (1 - r) * noisy + r * comb
    output = mixed * np.minimum(g * np.abs(noisy) / np.abs(mixed), 4)
    level = (np.abs(clean) ** 2).sum(-1).mean(1) + 0.01 * (np.abs(noisy) ** 2).sum(-1).mean(1)
    a, x = (np.abs(u) / np.sqrt(level)[:, None, None] for u in (output, clean))
    cosine = (output * clean.conj()).real / np.abs(output * clean)
    c, weight = CONFIG.spectral_power, np.where(a < x, 2, 1)
    complex_error = a ** (2 * c) + x ** (2 * c) - 2 * (a * x) ** c * cosine
    expected = (weight * (a**c - x**c) ** 2 + CONFIG.spectral_complex * complex_error).mean()

    targets = unpack(torch.from_numpy(rows.astype(np.float32)), torch.ones(BATCH, FRAMES))

    assert spectral_loss(render(gains, strengths, targets, CONFIG), targets, CONFIG).item() == pytest.approx(expected, rel=1e-3)


def test_what_is_masked_has_no_effect(rows: np.ndarray) -> None:
    gains, strengths, speech = guess(1), guess(2), torch.full((BATCH, FRAMES), 0.3)
    changed = gains.detach().clone()
    changed[..., 30:] = 0.99
    changed[0, :4] = 0.01
    changed[1, :5] = 0.02
    targets = unpack(torch.from_numpy(rows), counted())

    total, _ = total_loss(gains, strengths, speech, targets, CONFIG)
    other, _ = total_loss(changed, strengths, speech, targets, CONFIG)
    total.backward()

    assert total.item() == other.item()
    for gradient in (gains.grad, strengths.grad):
        assert gradient is not None
        assert not gradient[..., 30:].any()
        assert not gradient[0, :4].any()
        assert not gradient[1, :5].any()
        assert gradient.isfinite().all()


def test_the_oracle_is_cheaper_than_other_gains(rows: np.ndarray) -> None:
    targets = unpack(torch.from_numpy(rows), counted())
    oracle = (targets.gains.clamp(min=0), targets.strengths.clamp(min=0))
    speech = torch.full((BATCH, FRAMES), 0.5)

    best, parts = total_loss(*oracle, speech, targets, CONFIG)
    for gains in (torch.zeros_like(oracle[0]), torch.ones_like(oracle[0])):
        assert best < total_loss(gains, oracle[1], speech, targets, CONFIG)[0]
    assert parts["gains"] == parts["strengths"] == 0


def test_level_changes_no_loss(rows: np.ndarray) -> None:
    louder = rows.copy()
    louder[..., dataset.ENERGY_DB] += 20
    gains, strengths = guess(1), guess(2)
    both = [unpack(torch.from_numpy(r), counted()) for r in (rows, louder)]

    first, second = (spectral_loss(render(gains, strengths, targets, CONFIG), targets, CONFIG) for targets in both)

    assert first.item() == pytest.approx(second.item(), rel=2e-2)


def test_postfilter_of_the_loss_is_that_of_the_run_time(rows: np.ndarray) -> None:
    targets = unpack(torch.from_numpy(rows), counted())
    gains = 0.3 + 0.7 * guess(4).detach()
    energy, kept, total, expected = targets.noisy.double().numpy(), 0.0, 0.0, []
    for g, e in zip(gains[2].double().numpy(), energy[2], strict=True):
        kept, total = (0.904837418 * old + 0.095162582 * new for old, new in ((kept, g**2 @ e), (total, e.sum())))
        amount = postfilter.amount_at(10 * np.log10(kept / (total - kept)))
        expected.append(postfilter.blend(g, postfilter.sharpen(g, e)[0], amount))

    np.testing.assert_allclose(sharpened(gains, targets)[2].numpy(), expected, atol=2e-4)


def planted(output: np.ndarray, clean: np.ndarray) -> tuple[Output, Targets]:
    """Amplitudes (frames, BANDS) as the losses of the output see them: nothing masked, everything counted."""
    energies = [torch.from_numpy(a.astype(np.float32) ** 2)[None] for a in (output, clean)]
    ones = torch.ones_like(energies[0])
    names = Targets.__dataclass_fields__
    return Output(energies[0], ones), Targets(**(dict.fromkeys(names, ones) | {"clean": energies[1]}))


def numpy_loudness(power: np.ndarray) -> np.ndarray:
    threshold = threshold_in_quiet().numpy().astype(np.float64)
    excess = np.maximum((0.5 + 0.5 * power / threshold) ** 0.23 - 1, 0)
    return 0.1866 * (threshold / 0.5) ** 0.23 * excess


def test_threshold_in_quiet_is_that_of_the_ear() -> None:
    """About 3 dB at 1 kHz, lowest near 3 to 4 kHz (ISO 226), and 10^(dB / 10) in power."""
    level_db = 10 * np.log10(threshold_in_quiet().numpy())
    khz = BAND_CENTRES * 0.05

    assert np.interp(1, khz, level_db) == pytest.approx(3.4, abs=0.5)
    assert 3 < khz[level_db.argmin()] < 4


def test_loudness_loss_is_its_formula() -> None:
    rng = np.random.default_rng(8)
    clean = rng.exponential(0.15, (50, BANDS))
    output = np.where(rng.random((50, BANDS)) < 0.5, clean * rng.uniform(0, 2, (50, BANDS)), rng.exponential(0.5, (50, BANDS)))
    y, x = output**2 * 10**7.9, clean**2 * 10**7.9
    ly, lx = numpy_loudness(y), numpy_loudness(x)
    disturbance = np.maximum(np.abs(ly - lx) - 0.25 * np.minimum(ly, lx), 0)
    asymmetry = np.minimum(((y + 50) / (x + 50)) ** 1.2, 12)
    asymmetry[asymmetry < 3] = 0
    frames = np.sqrt((disturbance**2).sum(1) * BANDS) + 0.309 * (disturbance * asymmetry).sum(1)
    expected = (frames / ((x.sum(1) + 1e5) / 1e7) ** 0.04).mean()

    assert loudness_loss(*planted(output, clean)).item() == pytest.approx(expected, rel=1e-4)


def test_noise_that_stays_is_worse_than_speech_that_is_lost() -> None:
    clean = np.random.default_rng(9).exponential(0.15, (50, BANDS))

    losses = [loudness_loss(*planted(factor * clean, clean)).item() for factor in (1.0, 0.25, 4.0)]

    assert losses[0] == pytest.approx(0, abs=2e-3)
    assert losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize(("rho", "factor"), [(1.0, 1.0), (1.0, 0.1), (0.6, 1.0), (0.0, 1.0)])
def test_intelligibility_loss_measures_correlation_and_no_level(rho: float, factor: float) -> None:
    rng = np.random.default_rng(10)
    clean, other = (rng.normal(0, 0.1, (20000, BANDS)) for _ in range(2))
    output = factor * (1 + rho * clean + np.sqrt(1 - rho**2) * other)

    loss = intelligibility_loss(*planted(output, 1 + clean)).item()

    assert loss == pytest.approx(1 - rho, abs=0.01)
