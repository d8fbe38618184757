"""The sound that gains and strengths make, at 16 kHz and differentiable, for losses that listen (SPEC 9.1, item 2).

A shard with ``dataset.spectra`` keeps the lines below 8 kHz of noisy, comb and clean spectrum of every frame. 20 ms at 48 kHz
have the same lines, 50 Hz apart, as 20 ms at 16 kHz: cut off there, the core's synthesis gives its output resampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from percepnet import _core
from percepnet.training.config import LossConfig
from percepnet.training.dataset import DEREVERB, ENERGY_FLOOR, GATED, LINES, SPECTRA
from percepnet.training.loss import SCALE_MAX, Targets, sharpened

SAMPLE_RATE = 16000
DECIMATION = _core.SAMPLE_RATE // SAMPLE_RATE
HOP = _core.HOP // DECIMATION
WINDOW = 2 * HOP
# gains.cpp: a comb that keeps less than 0.35 of the amplitude in half of the bands below 2 kHz has half the period
LOW_BANDS, WRONG_PERIOD_AMPLITUDE, WRONG_PERIOD_STRENGTH = 14, 0.35, 0.5


def _window() -> npt.NDArray[np.float32]:
    n = np.arange(0, _core.WINDOW, DECIMATION)
    shape = np.sin(np.pi / 2 * np.sin(np.pi * (n + 0.5) / _core.WINDOW) ** 2)
    return np.asarray(shape, dtype=np.float32)


SYNTHESIS_WINDOW = torch.from_numpy(_window())
INTERPOLATION = torch.from_numpy(
    np.stack([_core.stage_band_interpolate(band)[:LINES] for band in np.eye(_core.BANDS, dtype=np.float32)])
)  # bands to lines
BAND_WEIGHTS = torch.from_numpy(_core.stage_band_weights()[:, :LINES].T.copy())  # lines to bands


@dataclass(frozen=True)
class Sound:
    """Complex spectra below 8 kHz, (batch, frames, LINES)."""

    noisy: Tensor
    comb: Tensor
    clean: Tensor
    awake: Tensor  # 1 where the silence gate lets pass: (batch, frames, 1)
    dereverb: Tensor  # how much of the room the clean spectrum leaves out: (batch,)


def unpack_sound(rows: Tensor, level_db: Tensor) -> Sound:
    """rows: (batch, frames, ... SPECTRA) of a shard with spectra; level_db: (batch,) by how much each sequence is louder."""
    parts = rows[..., -SPECTRA:].reshape(*rows.shape[:2], 3, LINES, 2) * torch.pow(10, level_db / 20)[:, None, None, None, None]
    noisy, comb, clean = torch.view_as_complex(parts.contiguous()).unbind(2)
    return Sound(noisy, comb, clean, 1 - rows[..., GATED, None], rows[:, 0, DEREVERB])


def limited(strengths: Tensor, targets: Targets) -> Tensor:
    """Strengths as the core takes them: at most a half where the period looks halved."""
    low = slice(0, LOW_BANDS)
    emptied = targets.comb[..., low] < WRONG_PERIOD_AMPLITUDE**2 * targets.noisy[..., low]
    halved = 2 * emptied.sum(-1, keepdim=True) >= LOW_BANDS
    return torch.where(halved, strengths.clamp(max=WRONG_PERIOD_STRENGTH), strengths)


def enhanced(gains: Tensor, strengths: Tensor, targets: Targets, sound: Sound, config: LossConfig) -> Tensor:
    """Spectra of the output (SPEC 4): complex (batch, frames, LINES)."""
    gains = sharpened(gains, targets) if config.post_filter else gains
    to_lines = INTERPOLATION.to(gains.device)
    mixed = sound.noisy + (limited(strengths, targets) @ to_lines) * (sound.comb - sound.noisy)
    scale = (gains * torch.sqrt(band_energy(sound.noisy) / band_energy(mixed))).clamp(max=SCALE_MAX)
    return mixed * ((scale * sound.awake) @ to_lines)


def band_energy(spectra: Tensor) -> Tensor:
    """Complex (batch, frames, LINES) -> (batch, frames, BANDS); of the bands at 8 kHz and above, what lies below."""
    return torch.view_as_real(spectra).square().sum(-1) @ BAND_WEIGHTS.to(spectra.device) + ENERGY_FLOOR


def play(spectra: Tensor) -> Tensor:
    """Complex (batch, frames, LINES) -> (batch, frames * HOP) at 16 kHz: inverse FFT, window, overlap-add."""
    below = torch.cat((spectra[..., :-1], torch.zeros_like(spectra[..., :1])), -1)  # the line at 8 kHz has no phase
    windows = torch.fft.irfft(below, n=WINDOW) / DECIMATION * SYNTHESIS_WINDOW.to(spectra.device)
    tails = torch.cat((torch.zeros_like(windows[:, :1, HOP:]), windows[:, :-1, HOP:]), 1)
    samples: Tensor = windows[..., :HOP] + tails
    return samples.flatten(1)
