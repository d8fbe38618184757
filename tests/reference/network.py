"""Dense, causal convolutions, GRUs and heads (docs/weight-file.md; SPEC 6)."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from . import Array

Tensors = Mapping[str, npt.NDArray[np.float32]]


def sigmoid(x: Array) -> Array:
    """Logistic function."""
    return 1 / (1 + np.exp(-x))


class Network:
    """The network of one stream. All state is zero at the start."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = {name: np.asarray(value, dtype=np.float64) for name, value in tensors.items()}
        inputs, hidden = self.tensors["dense.weight"].shape[0], self.tensors["conv1.weight"].shape[0]
        self.heeds_dereverb = self.tensors["dense.weight"].shape[1] == 73
        self.history1 = np.zeros((5, inputs))
        self.history2 = np.zeros((3, hidden))
        names = ("gru1", "gru2", "gru3", "gru_gain", "gru_strength")
        self.state = {name: np.zeros(self.tensors[f"{name}.recurrent_weight"].shape[1]) for name in names}

    def dense(self, name: str, x: Array) -> Array:
        """Affine map, no activation."""
        return self.tensors[f"{name}.weight"] @ x + self.tensors[f"{name}.bias"].ravel()

    def gru(self, name: str, x: Array) -> Array:
        """One step; gates in the order reset, update, new; the reset gate acts on the recurrent product."""
        state = self.state[name]
        i = self.tensors[f"{name}.input_weight"] @ x + self.tensors[f"{name}.input_bias"].ravel()
        h = self.tensors[f"{name}.recurrent_weight"] @ state + self.tensors[f"{name}.recurrent_bias"].ravel()
        i_reset, i_update, i_new = np.split(i, 3)
        h_reset, h_update, h_new = np.split(h, 3)
        update = sigmoid(i_update + h_update)
        new = np.tanh(i_new + sigmoid(i_reset + h_reset) * h_new)
        self.state[name] = (1 - update) * new + update * state
        return self.state[name]

    def step(self, features: Array) -> tuple[Array, Array, float]:
        """Unscaled features (72,), dereverb if the network takes it, and cues if it hears them ->
        gains (34,), strengths (34,), speech probability (-1 without that head)."""
        scaled = (features[:72] - self.tensors["features.mean"].ravel()) * self.tensors["features.scale"].ravel()
        n_inputs = self.tensors["dense.weight"].shape[1]
        heard = self.dense("dense", np.concatenate((scaled, features[72:n_inputs])))
        if "cues.weight" in self.tensors:
            heard = heard + self.dense("cues", features[n_inputs:])
        self.history1 = np.vstack([self.history1[1:], np.tanh(heard)])
        self.history2 = np.vstack([self.history2[1:], np.tanh(self.dense("conv1", self.history1.ravel()))])
        conv2 = np.tanh(self.dense("conv2", self.history2.ravel()))
        gru1 = self.gru("gru1", conv2)
        gru2 = self.gru("gru2", gru1)
        gru3 = self.gru("gru3", gru2)
        gru_gain = self.gru("gru_gain", gru3)
        gru_strength = self.gru("gru_strength", np.concatenate([conv2, gru3]))
        everything = np.concatenate([conv2, gru1, gru2, gru3, gru_gain])
        speech = float(sigmoid(self.dense("speech", everything))[0]) if "speech.weight" in self.tensors else -1.0
        return sigmoid(self.dense("gains", everything)), sigmoid(self.dense("strengths", gru_strength)), speech
