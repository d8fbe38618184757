"""DNSMOS P.835 in PyTorch, from the weights in the package speechmos: a guess of what listeners would say, to train by.

A model that was trained with it is judged by it no more: another estimator has to (bench/witness.py).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from percepnet.metrics import DNSMOS_BAK, DNSMOS_OVRL, DNSMOS_SIG

NETWORK = Path("dnsmos_models", "sig_bak_ovr.onnx")
WINDOW, STEP = 320, 160
POWER_FLOOR = 1e-12
CONVOLUTIONS = ("conv2d", *(f"conv2d_{i}" for i in range(1, 7)))
POOLED = (3, 4, 5)  # convolutions that a maximum over 2 by 2 follows
DENSE = ("dense", "dense_1", "dense_3")


def stored_tensors() -> dict[str, Tensor]:
    """What the file of the network holds, by name."""
    package = importlib.util.find_spec("speechmos")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("loss.dnsmos needs the package speechmos; install percepnet[eval]")
    import onnx  # noqa: PLC0415 - only a training that listens needs it
    from onnx import numpy_helper  # noqa: PLC0415

    model: Any = onnx.load(str(Path(package.origin).parent / NETWORK))
    return {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in model.graph.initializer}


class DnsMos(nn.Module):
    """Samples at 16 kHz to SIG, BAK and OVRL, 1 to 5.

    ``dtype``: of the convolutions; bfloat16 halves their time where a CPU knows it.
    """

    def __init__(self, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        stored = stored_tensors()
        self.dtype = dtype
        self.register_buffer("real", stored["time2freq/stft-real/kernel:0"][:, :, 0].T.contiguous())
        self.register_buffer("imaginary", stored["time2freq/stft-imag/kernel:0"][:, :, 0].T.contiguous())
        self.register_buffer("calibration", torch.tensor([DNSMOS_SIG, DNSMOS_BAK, DNSMOS_OVRL]).T.contiguous())
        for name in CONVOLUTIONS:
            kernel = stored[f"{name}/kernel:0"].to(dtype, memory_format=torch.channels_last)
            self.register_buffer(f"{name}_weight", kernel)
            self.register_buffer(f"{name}_bias", stored[f"{name}/bias:0"].to(dtype))
        for name in DENSE:
            for part, long_name in (("weight", "MatMul"), ("bias", "BiasAdd")):
                tensor = stored[f"mos_estimator_logpow/{name}/{long_name}/ReadVariableOp/resource:0"]
                self.register_buffer(f"{name}_{part}", tensor)

    def forward(self, samples: Tensor) -> Tensor:
        """(batch, samples) in -1..1 -> (batch, 3). The network was made for 9.01 s, 900 frames; other lengths work."""
        frames = samples.unfold(1, WINDOW, STEP)
        power = (frames @ self.get_buffer("real")) ** 2 + (frames @ self.get_buffer("imaginary")) ** 2
        x = torch.log10(power.clamp(min=POWER_FLOOR))[:, None].to(self.dtype, memory_format=torch.channels_last)
        for i, name in enumerate(CONVOLUTIONS):
            weight, bias = (self.get_buffer(f"{name}_{part}") for part in ("weight", "bias"))
            x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
            x = functional.max_pool2d(x, 2) if i in POOLED else x
        x = x.amax((2, 3)).float()
        for name in DENSE:
            x = x @ self.get_buffer(f"{name}_weight") + self.get_buffer(f"{name}_bias")
            x = functional.relu(x) if name != DENSE[-1] else x
        square, linear, constant = self.get_buffer("calibration")
        scores: Tensor = square * x**2 + linear * x + constant
        return scores
