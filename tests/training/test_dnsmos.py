"""The torch twin of DNSMOS against the original network."""

import numpy as np
import pytest
import torch

import signals
from percepnet import metrics

pytest.importorskip("onnx", reason="training needs the extra `train`")
pytest.importorskip("onnxruntime", reason="scores need the extra `eval`")

from percepnet.training.dnsmos import DnsMos

RATE = 16000


@pytest.mark.parametrize("snr_db", [0.0, 15.0, 40.0])
def test_scores_are_those_of_the_original(snr_db: float) -> None:
    noisy = signals.at_snr(signals.speech_like(9.2, seed=3), signals.noise(9.2, seed=4), snr_db)
    samples = metrics.resample(noisy, signals.RATE, RATE)[: metrics.DNSMOS_SAMPLES].astype(np.float32)
    original = metrics.dnsmos(samples, RATE)

    exact, fast = (DnsMos(dtype)(torch.from_numpy(samples)[None])[0] for dtype in (torch.float32, torch.bfloat16))

    np.testing.assert_allclose(exact, (original.sig, original.bak, original.ovrl), atol=1e-3)
    np.testing.assert_allclose(fast, exact, atol=0.03)


def test_its_gradient_leads_to_less_noise() -> None:
    torch.manual_seed(1)
    speech = torch.from_numpy(metrics.resample(signals.speech_like(3.0, seed=5), signals.RATE, RATE).astype(np.float32))[None]
    noise = 0.02 * torch.randn_like(speech)
    amount = torch.tensor(1.0, requires_grad=True)

    DnsMos(torch.float32)(speech + amount * noise)[0, 2].backward()

    assert amount.grad is not None
    assert amount.grad < 0
