"""The differentiable PESQ against the recommendation's own code."""

import numpy as np
import pytest
import torch

import signals
from percepnet import metrics
from percepnet.training import pesq

pytest.importorskip("pesq", reason="scores need the extra `eval`")

RATE = 16000


def pair(snr_db: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Speech-like sound at 16 kHz, and with noise."""
    clean = signals.speech_like(4.0, seed=seed)
    noise = signals.noise(4.0, exponent=1.0, seed=seed)[: clean.size]
    noisy = clean + signals.at_snr(clean, noise, snr_db)
    return tuple(metrics.resample(samples, signals.RATE, RATE).astype(np.float32) for samples in (clean, noisy))


def of(reference: np.ndarray, degraded: np.ndarray) -> float:
    return float(pesq.pesq_wb(torch.from_numpy(reference)[None], torch.from_numpy(degraded)[None])[0])


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0, 35.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_agrees_with_the_code_of_the_recommendation(snr_db: float, seed: int) -> None:
    clean, noisy = pair(snr_db, seed)
    assert of(clean, noisy) == pytest.approx(metrics.pesq_wb(clean, noisy, RATE), abs=0.12)


def test_equal_signals_get_the_best_score_at_any_level() -> None:
    clean, _ = pair(10, 3)
    assert of(clean, clean) == pytest.approx(4.644, abs=0.005)
    assert of(clean, 0.1 * clean) == pytest.approx(4.644, abs=0.005)


def test_its_gradient_leads_to_a_better_score() -> None:
    clean, noisy = pair(5, 4)
    gain = torch.ones(noisy.size // 160, requires_grad=True)  # one every 10 ms
    optimiser = torch.optim.Adam([gain], lr=0.05)
    reference, degraded = torch.from_numpy(clean)[None, : gain.numel() * 160], torch.from_numpy(noisy)[: gain.numel() * 160]
    scores = []
    for _ in range(12):
        score = pesq.pesq_wb(reference, (degraded * gain.repeat_interleave(160))[None]).mean()
        optimiser.zero_grad()
        (-score).backward()
        optimiser.step()
        scores.append(score.item())
    assert scores[-1] > scores[0] + 0.02
    assert np.all(np.isfinite(scores))


def test_silence_has_a_finite_gradient() -> None:
    silence = torch.zeros(1, RATE, requires_grad=True)
    pesq.pesq_wb(torch.from_numpy(pair(10, 5)[0])[None, :RATE], silence).sum().backward()
    assert silence.grad is not None
    assert torch.isfinite(silence.grad).all()
