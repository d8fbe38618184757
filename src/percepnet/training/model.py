"""The network in PyTorch: the twin of the core's network, with the layer names of the weight file (docs/weight-file.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from percepnet._core import BANDS, FEATURES
from percepnet.errors import ModelError
from percepnet.training.config import ModelConfig
from percepnet.training.layers import CausalConv, affine, run_gru

GRU_NAMES = ("gru1", "gru2", "gru3", "gru_gain", "gru_strength")


@dataclass(frozen=True)
class State:
    """What the network remembers between frames; zeros at the start of a stream."""

    conv1: Tensor  # (batch, 4, dense)
    conv2: Tensor  # (batch, 2, hidden)
    grus: tuple[Tensor, ...]  # each (1, batch, size)


class Network(nn.Module):
    """Features to gains, strengths and speech probability (SPEC 6.1).

    ``quantised``: all layers but the first round as int8 does (docs/weight-file.md), for the last steps of a training.
    """

    mean: Tensor
    scale: Tensor
    quantised: bool = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dense, hidden, strength = config.dense, config.hidden, config.strength
        self.config = config
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.dense = nn.Linear(FEATURES + config.dereverb, dense)
        self.cues = nn.Linear(config.cues, dense) if config.cues else None
        self.conv1 = CausalConv(dense, hidden, 5)
        self.conv2 = CausalConv(hidden, hidden, 3)
        self.gru1, self.gru2, self.gru3, self.gru_gain = (nn.GRU(hidden, hidden, batch_first=True) for _ in range(4))
        self.gru_strength = nn.GRU(2 * hidden, strength, batch_first=True)
        self.gains = nn.Linear(5 * hidden, BANDS)
        self.strengths = nn.Linear(strength, BANDS)
        self.speech = nn.Linear(5 * hidden, 1) if config.speech else None
        self._initialise()

    def _initialise(self) -> None:
        for name in GRU_NAMES:
            gru = getattr(self, name)
            nn.init.xavier_uniform_(gru.weight_ih_l0)
            for gate in gru.weight_hh_l0.chunk(3):
                nn.init.orthogonal_(gate)
            nn.init.zeros_(gru.bias_ih_l0)
            nn.init.zeros_(gru.bias_hh_l0)

    def set_scaling(self, mean: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]) -> None:
        """Network input = (feature - mean) * scale."""
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def initial_state(self, batch: int) -> State:
        """The state at the start of a stream."""
        config = self.config
        sizes = (config.hidden,) * 4 + (config.strength,)
        return State(
            self.mean.new_zeros(batch, self.conv1.taps - 1, config.dense),
            self.mean.new_zeros(batch, self.conv2.taps - 1, config.hidden),
            tuple(self.mean.new_zeros(1, batch, size) for size in sizes),
        )

    def forward(self, features: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, Tensor | None, State]:
        """One pass over frames.

        features: (batch, frames, 72 or more), unscaled, dereverb behind them. Returns gains, strengths (batch, frames, 34),
        speech (batch, frames) or None, and the state.
        """
        state = state or self.initial_state(len(features))
        scaled = (features[..., :FEATURES] - self.mean) * self.scale
        x = self.dense(torch.cat((scaled, features[..., FEATURES : self.dense.in_features]), -1))
        if self.cues is not None:
            cues = features[..., self.dense.in_features : self.dense.in_features + self.cues.in_features]
            x = x + affine(cues, self.cues.weight, self.cues.bias, self.quantised)
        x = torch.tanh(x)
        x, conv1 = self.conv1(x, state.conv1, self.quantised)
        x, conv2 = self.conv2(x, state.conv2, self.quantised)
        first, h1 = run_gru(self.gru1, x, state.grus[0], self.quantised)
        second, h2 = run_gru(self.gru2, first, state.grus[1], self.quantised)
        third, h3 = run_gru(self.gru3, second, state.grus[2], self.quantised)
        gain, h4 = run_gru(self.gru_gain, third, state.grus[3], self.quantised)
        strength, h5 = run_gru(self.gru_strength, torch.cat((x, third), 2), state.grus[4], self.quantised)
        joined = torch.cat((x, first, second, third, gain), 2)
        speech = self._head(self.speech, joined).squeeze(2) if self.speech is not None else None
        new_state = State(conv1, conv2, (h1, h2, h3, h4, h5))
        return self._head(self.gains, joined), self._head(self.strengths, strength), speech, new_state

    def _head(self, head: nn.Linear, frames: Tensor) -> Tensor:
        return torch.sigmoid(affine(frames, head.weight, head.bias, self.quantised).float())


def named_tensors(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of the weight file, under its names and shapes: weights (out, in), biases (1, out)."""
    parameters = named_parameters(network)
    return {name: np.atleast_2d(tensor.detach().cpu().numpy().astype(np.float32)) for name, tensor in parameters.items()}


def load_tensors(network: Network, tensors: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """The inverse of ``named_tensors``. Raises ModelError where the sizes differ."""
    for name, parameter in named_parameters(network).items():
        if name not in tensors or tensors[name].size != parameter.numel():
            raise ModelError(f"{name}: expected {tuple(parameter.shape)}, got {getattr(tensors.get(name), 'shape', 'nothing')}")
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(tensors[name]).reshape(parameter.shape))


def named_parameters(network: Network) -> dict[str, Tensor]:
    """Parameters and buffers under their names in the weight file."""
    tensors = {"features.mean": network.mean, "features.scale": network.scale}
    for name in ("dense", "cues", "conv1", "conv2", "gains", "strengths", "speech"):
        layer = getattr(network, name)
        if layer is None:
            continue
        tensors |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    for name in GRU_NAMES:
        gru = getattr(network, name)
        tensors |= {f"{name}.input_weight": gru.weight_ih_l0, f"{name}.input_bias": gru.bias_ih_l0}
        tensors |= {f"{name}.recurrent_weight": gru.weight_hh_l0, f"{name}.recurrent_bias": gru.bias_hh_l0}
    return tensors
