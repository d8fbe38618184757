"""Losses: gains and strengths against the oracle (SPEC 6.3), and the output they would give, per band (SPEC 9.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from percepnet.training.config import LossConfig
from percepnet.training.dataset import DISTANCE, ENERGY_DB, ENERGY_FLOOR, FEATURE, GAIN, GATED, SPEECH, STRENGTH

POWER_OFFSET = 1e-4  # keeps the slope of x^gamma finite at 0 (SPEC 6.3)
SCALE_MAX = 4.0  # the core's limit of the band scale (SPEC 4)


@dataclass(frozen=True)
class Targets:
    """A batch as the losses need it; bands are (batch, frames, BANDS), frames (batch, frames)."""

    features: Tensor
    gains: Tensor
    gain_mask: Tensor  # 1 where the gain counts
    strengths: Tensor
    strength_mask: Tensor  # 1 where the strength counts; elsewhere the run time sets it to 0
    noisy: Tensor  # E_Y, E_P and E_X relative to the level of the sequence
    comb: Tensor
    clean: Tensor
    noisy_comb: Tensor  # <Y,P>, <Y,X> and <P,X> on the same scale
    noisy_clean: Tensor
    comb_clean: Tensor
    speech: Tensor


def unpack(rows: Tensor, counted: Tensor) -> Targets:
    """rows: (batch, frames, COLUMNS) of a shard; counted: (batch, frames), 0 where no loss is wanted."""
    gains, strengths = rows[..., GAIN], rows[..., STRENGTH]
    counted = counted * (1 - rows[..., GATED])
    gain_mask = (gains >= 0) * counted[..., None]
    energies = torch.pow(10, rows[..., ENERGY_DB] / 10) - ENERGY_FLOOR
    noisy, comb, clean = (energies.clamp(min=ENERGY_FLOOR) / _level(energies)).chunk(3, -1)
    yp, yx, px = (1 - rows[..., DISTANCE]).chunk(3, -1)
    return Targets(
        rows[..., FEATURE], gains, gain_mask, strengths, (strengths >= 0) * gain_mask, noisy, comb, clean,
        yp * torch.sqrt(noisy * comb), yx * torch.sqrt(noisy * clean), px * torch.sqrt(comb * clean), rows[..., SPEECH],
    )  # fmt: skip


def _level(energies: Tensor) -> Tensor:
    """Energy that counts as 1 in a sequence, (batch, 1, 1): the clean mean, or -20 dB of the noisy one if that is more."""
    noisy, _, clean = energies.chunk(3, -1)
    return (clean.sum(-1).mean(1) + 0.01 * noisy.sum(-1).mean(1) + ENERGY_FLOOR)[:, None, None]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where the mask is 1."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def gain_loss(gains: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """L_g of SPEC 6.3 per valid band, with eaten speech weighted (SPEC 9.1, item 3)."""
    error = torch.pow(targets.gains.clamp(min=0) + POWER_OFFSET, config.gamma) - torch.pow(gains + POWER_OFFSET, config.gamma)
    weight = torch.where(error > 0, config.eaten_speech, 1.0) * (1 + config.speech_boost * targets.speech[..., None])
    square = error**2
    return masked_mean(weight * (square + config.fourth_power * square**2), targets.gain_mask)


def strength_loss(strengths: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """L_r of SPEC 6.3 per valid band."""
    wanted = torch.pow(1 - targets.strengths.clamp(0, 1) + POWER_OFFSET, config.gamma)
    return masked_mean((wanted - torch.pow(1 - strengths + POWER_OFFSET, config.gamma)) ** 2, targets.strength_mask)


def spectral_loss(gains: Tensor, strengths: Tensor, targets: Targets, config: LossConfig) -> Tensor:
    """Compressed magnitude and complex error of the output that gains and strengths would give (SPEC 9.1, item 1)."""
    r = strengths * (targets.strengths >= 0)
    mixed = (1 - r) ** 2 * targets.noisy + r**2 * targets.comb + 2 * r * (1 - r) * targets.noisy_comb
    mixed = mixed.clamp(min=ENERGY_FLOOR)
    scale = (gains * torch.sqrt(targets.noisy / mixed)).clamp(max=SCALE_MAX)
    product = (1 - r) * targets.noisy_clean + r * targets.comb_clean
    cosine = (product / torch.sqrt(mixed * targets.clean)).clamp(-1, 1)
    c = config.spectral_power
    output = torch.pow(scale**2 * mixed + ENERGY_FLOOR, c / 2)
    clean = torch.pow(targets.clean + ENERGY_FLOOR, c / 2)
    weight = torch.where(output < clean, config.eaten_speech, 1.0)
    magnitude = weight * (output - clean) ** 2
    complex_error = output**2 + clean**2 - 2 * output * clean * cosine
    return masked_mean(magnitude + config.spectral_complex * complex_error, targets.gain_mask)


def speech_loss(speech: Tensor, targets: Targets) -> Tensor:
    """Binary cross-entropy of the speech probability."""
    counted = targets.gain_mask[..., 0]
    return masked_mean(functional.binary_cross_entropy(speech, targets.speech, reduction="none"), counted)


def total_loss(
    gains: Tensor, strengths: Tensor, speech: Tensor | None, targets: Targets, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum, and its parts by name."""
    parts = {
        "gains": gain_loss(gains, targets, config),
        "strengths": strength_loss(strengths, targets, config),
        "spectral": spectral_loss(gains, strengths, targets, config),
    }
    if speech is not None:
        parts["speech"] = speech_loss(speech, targets)
    total = torch.stack([getattr(config, name) * part for name, part in parts.items()]).sum()
    return total, parts
