"""Losses that listen: DNSMOS, PESQ-WB and SI-SDR of the sound that gains and strengths make."""

from __future__ import annotations

import torch
from torch import Tensor

from percepnet.training.config import LossConfig
from percepnet.training.dnsmos import DnsMos
from percepnet.training.loss import Targets, masked_mean
from percepnet.training.pesq import pesq_wb
from percepnet.training.sound import Sound, enhanced, play

SCORES = ("ovrl", "pesq", "si_sdr")
SI_SDR_RANGE_DB = (-10.0, 30.0)  # beyond it, nothing is gained or lost
POWER_FLOOR = 1e-6


class Listener:
    """Judges clips by the scores that the configuration weighs."""

    def __init__(self, config: LossConfig, device: torch.device) -> None:
        self._config = config
        self._weights = {"ovrl": config.dnsmos, "pesq": config.pesq, "si_sdr": config.si_sdr}
        self._opinion = DnsMos().to(device) if config.dnsmos else None

    def loss(self, gains: Tensor, strengths: Tensor, targets: Targets, sound: Sound) -> tuple[Tensor, dict[str, Tensor]]:
        """Minus the weighted sum of the mean scores, and these by name; of clips in which nobody speaks, nothing.

        DNSMOS, which dislikes rooms, judges a clip by as much of the room as is to go.
        """
        samples = play(enhanced(gains, strengths, targets, sound, self._config)).clamp(-1, 1)
        clean = play(sound.clean)
        spoken = (clean.square().sum(1) > POWER_FLOOR).float()
        counted = {"ovrl": spoken * sound.dereverb, "pesq": spoken, "si_sdr": spoken}
        scores = {name: masked_mean(score, counted[name]) for name, score in self._scores(samples, clean).items()}
        return -torch.stack([self._weights[name] * score for name, score in scores.items()]).sum(), scores

    def _scores(self, samples: Tensor, clean: Tensor) -> dict[str, Tensor]:
        scores = {}
        if self._opinion is not None:
            scores["ovrl"] = self._opinion(samples)[:, 2]
        if self._weights["pesq"]:
            scores["pesq"] = pesq_wb(clean, samples)
        if self._weights["si_sdr"]:
            scores["si_sdr"] = si_sdr(clean, samples).clamp(*SI_SDR_RANGE_DB)
        return scores


def listens(config: LossConfig) -> bool:
    """Whether any loss needs the sound."""
    return config.dnsmos > 0 or config.pesq > 0 or config.si_sdr > 0


def si_sdr(clean: Tensor, samples: Tensor) -> Tensor:
    """dB, of (batch, samples): (batch,)."""
    share = (clean * samples).sum(1, keepdim=True) / (clean.square().sum(1, keepdim=True) + POWER_FLOOR)
    target = share * clean
    kept, lost = (x.square().sum(1) + POWER_FLOOR for x in (target, samples - target))
    return 10 * torch.log10(kept / lost)
