"""Losses: gains and strengths against the oracle (SPEC 6.3), and the output they would give, per band (SPEC 9.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from percepnet.training.bands import BAND_CENTRES
from percepnet.training.config import LossConfig
from percepnet.training.dataset import COLUMNS, DISTANCE, ENERGY_DB, ENERGY_FLOOR, GAIN, GATED, INPUT, SPEECH, STRENGTH

CPU = torch.device("cpu")
LOSSES = ("loss", "gains", "strengths", "spectral", "loudness", "intelligibility", "speech")  # the total and its parts
POWER_OFFSET = 1e-4  # keeps the slope of x^gamma finite at 0 (SPEC 6.3)
SCALE_MAX = 4.0  # the core's limit of the band scale (SPEC 4)
GAIN_MIN = 1e-5  # keeps the slope of the postfilter finite
POSTFILTER_BETA, POSTFILTER_SMOOTHING, POSTFILTER_DEPTH = 0.02, math.exp(-1 / 10), 0.75  # SPEC 4.1, postfilter.cpp
SPEECH_LEVEL_DB = 79.0  # sound pressure of the mean clean frame
ZWICKER_POWER, LOUDNESS_SCALE = 0.23, 0.1866
STRETCH = 38  # frames
SPEECH_ABSENT = 1e-5  # of the sequence's level: all that is left of the target where nobody speaks


@dataclass(frozen=True)
class Targets:
    """A batch as the losses need it; bands are (batch, frames, BANDS), frames (batch, frames)."""

    features: Tensor  # and the scalar input, and the cues
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
    """rows: (batch, frames, COLUMNS or more) of a shard; counted: (batch, frames), 0 where no loss is wanted."""
    gains, strengths = rows[..., GAIN], rows[..., STRENGTH]
    counted = counted * (1 - rows[..., GATED])
    gain_mask = (gains >= 0) * counted[..., None]
    energies = torch.pow(10, rows[..., ENERGY_DB] / 10) - ENERGY_FLOOR
    noisy, comb, clean = (energies.clamp(min=ENERGY_FLOOR) / _level(energies)).chunk(3, -1)
    inputs = torch.cat((rows[..., INPUT], rows[..., COLUMNS:]), -1)
    yp, yx, px = (1 - rows[..., DISTANCE]).chunk(3, -1)
    return Targets(
        inputs, gains, gain_mask, strengths, (strengths >= 0) * gain_mask, noisy, comb, clean,
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


@dataclass(frozen=True)
class Output:
    """What gains and strengths would give: (batch, frames, BANDS) each, on the scale of the targets."""

    energy: Tensor
    cosine: Tensor  # of the angle to the clean spectrum


def render(gains: Tensor, strengths: Tensor, targets: Targets, config: LossConfig) -> Output:
    """The core's mixing and scaling of a band (SPEC 4), from the statistics (SPEC 9.1, item 1)."""
    gains = sharpened(gains, targets) if config.post_filter else gains
    r = strengths * (targets.strengths >= 0)
    mixed = mixed_energy(r, targets)
    scale = (gains * torch.sqrt(targets.noisy / mixed)).clamp(max=SCALE_MAX)
    product = (1 - r) * targets.noisy_clean + r * targets.comb_clean
    return Output(scale**2 * mixed, (product / torch.sqrt(mixed * targets.clean)).clamp(-1, 1))


def mixed_energy(strengths: Tensor, targets: Targets) -> Tensor:
    """Energy of noisy spectrum and comb, mixed by strength: (batch, frames, BANDS)."""
    r = strengths
    mixed = (1 - r) ** 2 * targets.noisy + r**2 * targets.comb + 2 * r * (1 - r) * targets.noisy_comb
    return mixed.clamp(min=ENERGY_FLOOR)


def sharpened(gains: Tensor, targets: Targets) -> Tensor:
    """Gains behind the envelope postfilter (SPEC 4.1), which learns nothing itself but must not surprise the network."""
    gains = gains.clamp(min=GAIN_MIN)
    warped = gains * torch.sin(0.5 * math.pi * gains)
    before, after = ((g**2 * targets.noisy).sum(-1, keepdim=True) for g in (gains, warped))
    ratio = before / after.clamp(min=ENERGY_FLOOR)
    compensation = torch.sqrt((1 + POSTFILTER_BETA) * ratio / (1 + POSTFILTER_BETA * ratio**2))
    share = postfilter_share(before.detach(), targets.noisy.sum(-1, keepdim=True))
    return torch.lerp(gains, compensation * warped, share)


def postfilter_share(kept: Tensor, total: Tensor) -> Tensor:
    """How much of the postfilter acts: most of it below 10 dB of estimated SNR, none above 20; (batch, frames, 1)."""
    frame = torch.arange(kept.shape[1], device=kept.device)
    lag = frame[:, None] - frame
    weights = torch.where(lag >= 0, (1 - POSTFILTER_SMOOTHING) * POSTFILTER_SMOOTHING ** lag.clamp(min=0), 0.0)
    kept, total = weights @ kept, weights @ total
    snr_db = 10 * (torch.log10(kept + ENERGY_FLOOR) - torch.log10((total - kept).clamp(min=0) + ENERGY_FLOOR))
    return POSTFILTER_DEPTH * ((20 - snr_db) / 10).clamp(0, 1)


def spectral_loss(output: Output, targets: Targets, config: LossConfig) -> Tensor:
    """Compressed magnitude and complex error of the output (SPEC 9.1, item 1)."""
    c = config.spectral_power
    given = torch.pow(output.energy + ENERGY_FLOOR, c / 2)
    clean = torch.pow(targets.clean + ENERGY_FLOOR, c / 2)
    weight = torch.where(given < clean, config.eaten_speech, 1.0)
    magnitude = weight * (given - clean) ** 2
    complex_error = given**2 + clean**2 - 2 * given * clean * output.cosine
    return masked_mean(magnitude + config.spectral_complex * complex_error, targets.gain_mask)


def loudness_loss(output: Output, targets: Targets) -> Tensor:
    """Disturbance of the loudness as PESQ weighs it (ITU-T P.862, 10.2), by frame and band; the unit is a tenth of a MOS.

    Zwicker's loudness of a band above its threshold in quiet, a dead zone of a quarter of the weaker of the two, what was
    added counted once more where it exceeds the clean sound; without PESQ's limits and its compensation of filters and levels.
    """
    given, clean = (energy * 10 ** (SPEECH_LEVEL_DB / 10) for energy in (output.energy, targets.clean))
    first, second = loudness(given), loudness(clean)
    disturbance = functional.relu((first - second).abs() - 0.25 * torch.minimum(first, second)) * targets.gain_mask
    ratio = ((given + 50) / (clean + 50)) ** 1.2
    added = disturbance * torch.where(ratio < 3, 0.0, ratio.clamp(max=12))
    symmetric = torch.sqrt((disturbance**2).sum(-1) * len(BAND_CENTRES) + 1e-6)
    weight = ((clean.sum(-1) + 1e5) / 1e7) ** -0.04
    frames = weight * (symmetric + 0.309 * added.sum(-1))
    return masked_mean(frames, targets.gain_mask.amax(-1))


def loudness(power: Tensor) -> Tensor:
    """Zwicker's law: sone per band of a power relative to the threshold of hearing at 1 kHz."""
    threshold = threshold_in_quiet(power.device)
    excess = torch.pow(0.5 + 0.5 * power / threshold, ZWICKER_POWER) - 1
    return LOUDNESS_SCALE * (functional.relu(excess) * torch.pow(threshold / 0.5, ZWICKER_POWER))


@cache
def threshold_in_quiet(device: torch.device = CPU) -> Tensor:
    """Power of the weakest audible tone in each band, by Terhardt's formula: (BANDS,)."""
    f = torch.tensor(BAND_CENTRES, device=device) * 0.05  # kHz
    level_db = 3.64 * f**-0.8 - 6.5 * torch.exp(-0.6 * (f - 3.3) ** 2) + 1e-3 * f**4
    return 10 ** (level_db.clamp(max=60) / 10)


def intelligibility_loss(output: Output, targets: Targets) -> Tensor:
    """1 - correlation over time of the amplitude of each band with that of the clean one, in stretches of 0.38 s as in STOI.

    Stretches more than 40 dB below the loudest of their sequence do not count, nor do masked bands.
    """
    mask = targets.gain_mask.unfold(1, STRETCH, STRETCH // 4).amin(-1)
    given, clean = (torch.sqrt(e + ENERGY_FLOOR).unfold(1, STRETCH, STRETCH // 4) for e in (output.energy, targets.clean))
    level = (clean**2).mean((-1, -2))
    mask = mask * (level > 1e-4 * level.amax(1, keepdim=True))[..., None] * (level > SPEECH_ABSENT)[..., None]
    given, clean = (a - a.mean(-1, keepdim=True) for a in (given, clean))
    product = (given * clean).sum(-1) / torch.sqrt((given**2).sum(-1) * (clean**2).sum(-1) + ENERGY_FLOOR)
    return masked_mean(1 - product, mask)


def speech_loss(speech: Tensor, targets: Targets) -> Tensor:
    """Binary cross-entropy of the speech probability."""
    counted = targets.gain_mask[..., 0]
    return masked_mean(functional.binary_cross_entropy(speech, targets.speech, reduction="none"), counted)


def total_loss(
    gains: Tensor, strengths: Tensor, speech: Tensor | None, targets: Targets, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum, and its parts by name."""
    output = render(gains, strengths, targets, config)
    parts = {
        "gains": gain_loss(gains, targets, config),
        "strengths": strength_loss(strengths, targets, config),
        "spectral": spectral_loss(output, targets, config),
    }
    if config.loudness > 0:
        parts["loudness"] = loudness_loss(output, targets)
    if config.intelligibility > 0:
        parts["intelligibility"] = intelligibility_loss(output, targets)
    if speech is not None:
        parts["speech"] = speech_loss(speech, targets)
    total = torch.stack([getattr(config, name) * part for name, part in parts.items()]).sum()
    return total, parts
