"""The learned pitch tracker: what it sees of a hop, and what its network makes of it (docs/weight-file.md)."""

import numpy as np

from . import HOP, Array, Spectrum, analysis, pitch, window_at
from .network import Network, Tensors, sigmoid

LINES = slice(1, 41)  # 50 Hz to 2 kHz
FLOOR = 1e-9


def cues(signal: Array) -> Array:
    """(hops, 346) of a DC-blocked signal."""
    n = signal.size // HOP
    excitation = pitch.residual(pitch.decimate(signal))
    correlation = np.array([pitch.correlate(excitation, t)[0] for t in range(n)])
    spectrum = np.array([analysis.forward(window_at(signal, t))[LINES] for t in range(n)])
    turn = phase_change(spectrum)
    level = np.log10(np.abs(spectrum) ** 2 + FLOOR)
    mean = level.mean(1)
    slow = np.empty(n)
    for t in range(n):
        before = slow[t - 1] if t else mean[0]
        slow[t] = before + 0.01 * (mean[t] - before)
    lines = np.clip(0.25 * (level - mean[:, None]), -1, 1)
    loudness = np.clip(0.5 * (mean - slow), -1, 1)
    return np.column_stack((np.clip(correlation, -1, 1), turn.real, turn.imag, lines, loudness))


def phase_change(spectrum: Spectrum) -> Spectrum:
    """(hops, lines): a unit vector turned by each line's change of phase since the hop before; 0 where nothing is heard."""
    before = np.vstack((np.zeros_like(spectrum[:1]), spectrum[:-1]))
    product = spectrum * before.conj()
    return np.asarray(product / (np.abs(product) + FLOOR))


class Tracker(Network):
    """The tracker of one stream."""

    def __init__(self, tensors: Tensors) -> None:
        own = {name.removeprefix("pitch."): value for name, value in tensors.items() if name.startswith("pitch.")}
        self.tensors = {name: np.asarray(value, dtype=np.float64) for name, value in own.items()}
        self.state = {name: np.zeros(self.tensors[f"{name}.recurrent_weight"].shape[1]) for name in ("gru1", "gru2")}

    def track(self, row: Array) -> tuple[Array, float]:
        """Cues of a hop (346,) -> scores of the lags (225,), probability that the frame is voiced."""
        hidden = self.gru("gru2", self.gru("gru1", np.tanh(self.dense("dense", row))))
        return self.dense("lags", hidden), float(sigmoid(self.dense("voicing", hidden))[0])
