"""PESQ-WB (ITU-T P.862.2) of signals that are aligned in time already, as a differentiable function.

The perceptual model of P.862 with the filter of P.862.2: level alignment, Bark spectrum, compensation of the channel and of the
gain of each frame, Zwicker's loudness, disturbances with and without asymmetry, and their norms over bands and time. What it
leaves out is the search for delays; on aligned pairs it stays near the real score (tests/training/test_pesq.py).
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

SAMPLE_RATE = 16000
WINDOW, STEP = 512, 256
SPEECH_HZ = (325.0, 3250.0)  # where levels are measured
SPEECH_POWER = 1e7  # there, after alignment
FILTER_POWER, PADDING = 1.04684, 5120  # of the measuring filter; samples of silence around the signal
EMPHASIS, RESONANCE = (2.740826, -5.4816519, 2.740826), (1.0, -1.9444777, 0.94597794)  # the input filter of P.862.2
ZWICKER_POWER, LOUDNESS_SCALE, POWER_SCALE = 0.23, 0.1866055, 6.910853e-6
SPLIT, SPLIT_STEP, SPLIT_POWER = 20, 10, 6  # frames per stretch of 0.32 s, and its norm
DISTURBANCE_MAX = 45.0
TINY = 1e-9

# the 49 Bark bands of P.862 at 16 kHz: lines of the spectrum, centre and width in Bark, factor of power, threshold of hearing
LINES = (
    1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 3, 4, 5, 4, 5, 6, 6, 7, 8, 9, 9,
    12, 12, 15, 16, 18, 21, 25, 20,
)  # fmt: skip
CENTRE_BARK = (
    0.078672, 0.316341, 0.636559, 0.961246, 1.29045, 1.624217, 1.962597, 2.305636, 2.653383, 3.005889, 3.363201, 3.725371,
    4.092449, 4.464486, 4.841533, 5.223642, 5.610866, 6.003256, 6.400869, 6.803755, 7.211971, 7.625571, 8.044611, 8.469146,
    8.899232, 9.334927, 9.776288, 10.22337, 10.67624, 11.13495, 11.59956, 12.07014, 12.54673, 13.02941, 13.51823, 14.01326,
    14.51457, 15.0222, 15.53624, 16.05674, 16.58376, 17.11738, 17.65766, 18.20467, 18.75848, 19.31915, 19.88675, 20.46136,
    21.04303,
)  # fmt: skip
WIDTH_BARK = (
    0.157344, 0.317994, 0.322441, 0.326934, 0.331474, 0.336061, 0.340697, 0.345381, 0.350114, 0.354897, 0.359729, 0.364611,
    0.369544, 0.374529, 0.379565, 0.384653, 0.389794, 0.394989, 0.400236, 0.405538, 0.410894, 0.416306, 0.421773, 0.427297,
    0.432877, 0.438514, 0.444209, 0.449962, 0.455774, 0.461645, 0.467577, 0.473569, 0.479621, 0.485736, 0.491912, 0.498151,
    0.504454, 0.510819, 0.51725, 0.523745, 0.530308, 0.536934, 0.543629, 0.55039, 0.55722, 0.564119, 0.571085, 0.578125,
    0.585232,
)  # fmt: skip
POWER_CORRECTION = (
    100.0, 99.99999, 100.0, 100.0, 100.0, 100.0, 99.99999, 99.99997, 50.00003, 100.0, 99.99997, 100.0, 99.99995, 100.0001,
    53.04708, 110.0, 117.992, 65.0, 68.76015, 69.99993, 71.42882, 75.00004, 76.84338, 80.96878, 88.64613, 63.86439, 68.15535,
    72.54778, 75.58483, 58.37919, 80.95084, 64.13565, 54.38479, 73.82188, 64.43707, 59.17646, 65.52128, 61.39982, 58.14405,
    57.00454, 64.1263, 54.311, 61.11498, 55.07775, 56.84934, 55.62887, 53.13705, 54.98584, 79.54697,
)  # fmt: skip
THRESHOLD = (
    5.128615e+07, 2454710.0, 70794.59, 4897.789, 1174.898, 389.0452, 104.7129, 45.70882, 17.7828, 9.772372, 4.897789, 3.090296,
    1.905461, 1.258925, 0.977237, 0.724436, 0.562341, 0.457088, 0.389045, 0.331131, 0.295121, 0.269153, 0.25704, 0.251189,
    0.251189, 0.251189, 0.251189, 0.263027, 0.288403, 0.30903, 0.338844, 0.371535, 0.398107, 0.436516, 0.467735, 0.489779,
    0.501187, 0.501187, 0.512861, 0.524807, 0.524807, 0.524807, 0.512861, 0.47863, 0.42658, 0.371535, 0.363078, 0.416869,
    0.537032,
)  # fmt: skip


@cache
def table(values: tuple[float, ...], device: torch.device) -> Tensor:
    """A table of the recommendation on a device: (49,)."""
    return torch.tensor(values, device=device)


@cache
def band_matrix(device: torch.device) -> Tensor:
    """Sums the lines of a power spectrum, the constant one left out, into Bark bands: (257, 49)."""
    matrix = torch.zeros(WINDOW // 2 + 1, len(LINES))
    first = 0
    for band, count in enumerate(LINES):
        matrix[first : first + count, band] = 1
        first += count
    matrix[0] = 0
    return (matrix * torch.tensor(POWER_CORRECTION) * POWER_SCALE).to(device)


def prepared(samples: Tensor) -> Tensor:
    """(batch, samples) at the level of the recommendation, through its input filter."""
    n = samples.shape[1]
    spectrum = torch.fft.rfft(samples, n=n + 8 * WINDOW)
    frequency = torch.arange(spectrum.shape[1], device=samples.device) * (SAMPLE_RATE / (n + 8 * WINDOW))
    low, high = SPEECH_HZ
    speech = torch.fft.irfft(spectrum * ((frequency >= low) & (frequency <= high)), n=n + 8 * WINDOW)
    power = speech.square().sum(1, keepdim=True) / ((n + PADDING) * FILTER_POWER)
    delay = torch.exp(-2j * math.pi * frequency / SAMPLE_RATE)
    response = sum(c * delay**i for i, c in enumerate(EMPHASIS)) / sum(c * delay**i for i, c in enumerate(RESONANCE))
    filtered: Tensor = torch.fft.irfft(spectrum * response, n=n + 8 * WINDOW)[:, :n]
    return filtered * torch.sqrt(SPEECH_POWER / (power + TINY))


def bark_spectrum(samples: Tensor) -> Tensor:
    """Power in each frame and Bark band: (batch, frames, 49)."""
    frames = samples.unfold(1, WINDOW, STEP) * torch.hann_window(WINDOW, device=samples.device)
    power: Tensor = torch.fft.rfft(frames).abs().square() @ band_matrix(samples.device)
    return power


def audible(power: Tensor, factor: float) -> Tensor:
    """Power of the bands that lie above ``factor`` times the threshold of hearing; the others are 0."""
    return torch.where(power > table(THRESHOLD, power.device) * factor, power, 0.0)


def loudness(power: Tensor) -> Tensor:
    """Sone in each band."""
    threshold, centre = table(THRESHOLD, power.device), table(CENTRE_BARK, power.device)
    exponent = ZWICKER_POWER * (6 / (centre + 2)).clamp(1, 2) ** 0.15
    return LOUDNESS_SCALE * (2 * threshold) ** exponent * ((0.5 + 0.5 * power / threshold).clamp(min=1) ** exponent - 1)


def compensated(reference: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
    """The reference with the mean spectrum of the degraded signal, that with the reference's power in each frame."""
    spoken = (audible(reference, 100).sum(2, keepdim=True) >= SPEECH_POWER).float()
    means = ((audible(power, 100) * spoken).mean(1, keepdim=True) + 1000 for power in (degraded, reference))
    reference = reference * torch.div(*means).clamp(0.01, 100)
    ratio = (audible(reference, 1).sum(2) + 5e3) / (audible(degraded, 1).sum(2) + 5e3)
    ratio = torch.cat((ratio[:, :1], 0.8 * ratio[:, 1:] + 0.2 * ratio[:, :-1]), 1)
    return reference, degraded * ratio.clamp(3e-4, 5)[..., None]


def over_time(disturbance: Tensor) -> Tensor:
    """Norm of (batch, frames) over time: bad moments count more."""
    stretches = disturbance.unfold(1, SPLIT, SPLIT_STEP)
    return (stretches**SPLIT_POWER + TINY).mean(2).pow(2 / SPLIT_POWER).mean(1).sqrt()


def pesq_wb(reference: Tensor, degraded: Tensor) -> Tensor:
    """MOS-LQO, 1 to 4.6, of (batch, samples) at 16 kHz; at least 0.35 s: (batch,)."""
    reference, degraded = compensated(bark_spectrum(prepared(reference)), bark_spectrum(prepared(degraded)))
    first, second = loudness(degraded), loudness(reference)
    disturbance = difference(first, second)
    width = table(WIDTH_BARK, reference.device)
    ratio = ((degraded + 50) / (reference + 50)) ** 1.2
    added = disturbance * torch.where(ratio < 3, 0.0, ratio.clamp(max=12))
    symmetric = torch.sqrt((((width * disturbance)[..., 1:] ** 2).sum(2) + TINY) * width[1:].sum())
    asymmetric = (width * added)[..., 1:].sum(2)
    weight = ((audible(reference, 1).sum(2) + 1e5) / SPEECH_POWER) ** 0.04
    norms = (over_time((frames / weight).clamp(max=DISTURBANCE_MAX)) for frames in (symmetric, asymmetric))
    score = 4.5 - torch.stack(tuple(norms)).mul(torch.tensor([[0.1], [0.0309]], device=reference.device)).sum(0)
    return 0.999 + 4 / (1 + torch.exp(-1.3669 * score + 3.8224))


def difference(first: Tensor, second: Tensor) -> Tensor:
    """Difference of two loudnesses beyond a quarter of the smaller one."""
    return torch.relu((first - second).abs() - 0.25 * torch.minimum(first, second))
