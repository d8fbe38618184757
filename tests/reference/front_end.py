"""Samples -> everything the network and the gains need, frame by frame (SPEC 13b, steps 1 to 5)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import HOP, Array, Spectrum, analysis, bands, comb, dc_blocker, features, pitch, window_at

GATE_ENERGY = 10 ** (-95 / 10) * HOP * (bands.LAST_BIN + 1)  # of all bands: white noise at -95 dBFS


@dataclass
class Frames:
    """One row for each frame whose look-ahead is complete."""

    track: pitch.Track
    spectrum: Spectrum
    energy: Array
    comb: Spectrum
    centre: Array
    noise_gain: Array
    coherence: Array
    features: Array
    gated: npt.NDArray[np.bool_]


def analyse(samples: Array, lookahead: int, track: pitch.Track | None = None) -> Frames:
    """All frames of whole hops at 48 kHz. `track` replaces the pitch found here."""
    signal = dc_blocker.apply(samples)
    track = pitch.track(signal, lookahead) if track is None else track
    n = samples.size // HOP - lookahead
    spectrum = np.array([analysis.forward(window_at(signal, t)) for t in range(n + lookahead)])
    quiet = bands.energy(spectrum).sum(axis=1) < GATE_ENERGY
    running_db = features.running_level(bands.energy(spectrum), quiet)
    levels_db = [features.log_energy(energy) for energy in bands.energy(spectrum)]
    combs = [comb.apply(signal, (j - 1) * HOP, float(track.period[j]), lookahead * HOP) for j in range(n)]
    comb_spectrum = np.array([analysis.forward(samples) for samples, _, _ in combs])
    centre = np.array([centre for _, _, centre in combs])
    coherence = np.array([features.coherence(*frame) for frame in zip(spectrum[:n], comb_spectrum, centre, strict=True)])
    rows = [
        features.compute(
            levels_db[j + lookahead],
            levels_db[j + lookahead - 1] if j + lookahead else None,
            running_db[j + lookahead],
            coherence[j],
            float(track.period[j]),
            float(track.newest_correlation[j]),
            float(track.sparseness[j]),
        )
        for j in range(n)
    ]
    gated = np.array([bool(np.all(quiet[j : j + lookahead + 1])) for j in range(n)])
    noise_gain = np.array([noise_gain for _, noise_gain, _ in combs])
    return Frames(
        track, spectrum[:n], bands.energy(spectrum[:n]), comb_spectrum, centre, noise_gain, coherence, np.array(rows), gated
    )
