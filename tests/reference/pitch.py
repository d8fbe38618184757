"""Pitch: correlation of the LPC residual at 16 kHz, Viterbi track with look-ahead, refinement at 48 kHz (SPEC 3)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import HOP, PERIOD_MAX, PERIOD_MIN, WINDOW, Array

DECIMATION = 3
LOW_HOP = HOP // DECIMATION
LOW_WINDOW = WINDOW // DECIMATION
LAG_MIN, LAG_MAX = PERIOD_MIN // DECIMATION, PERIOD_MAX // DECIMATION
LAGS = np.arange(LAG_MIN, LAG_MAX + 1)
FIR_TAPS, CUT_HZ, KAISER_BETA = 48, 6500, 6.0
LPC_ORDER, EXPANSION, SMOOTHING = 8, 0.9, 0.7
RESIDUAL_FLOOR = 1e-10 * LOW_WINDOW  # -100 dBFS over a window
DELTA = 1e-10 * LOW_WINDOW  # SPEC says 1e-7, which speech at -60 dBFS would drown in
STEP_MAX, STEP_COST, JUMP_COST = 8, 0.01, 1.0
ENERGY_FRAMES, WEIGHT_MIN, WEIGHT_MAX = 8, 0.05, 4.0


@dataclass
class Track:
    """Pitch of every frame whose look-ahead is complete; arrays are (frames,)."""

    lag: npt.NDArray[np.int64]  # at 16 kHz
    period: Array  # samples at 48 kHz
    correlation: Array  # at the chosen lag, of the frame itself
    newest_correlation: Array  # of the newest frame, `lookahead` later, along the best path there
    sparseness: Array  # L1 / (sqrt(n) L2) of the newest residual window; nan where it is silent


def decimate(samples: Array) -> Array:
    """48 kHz -> 16 kHz behind a causal low-pass; output m is the filter's output at sample 3 m + 2."""
    n = np.arange(FIR_TAPS) - (FIR_TAPS - 1) / 2
    fir = np.kaiser(FIR_TAPS, KAISER_BETA) * np.sinc(2 * CUT_HZ / 48000 * n)
    return np.convolve(samples, fir / fir.sum())[: samples.size][DECIMATION - 1 :: DECIMATION]


def prediction(window: Array) -> Array:
    """LPC coefficients a[0..8] (a[0] = 1) of a windowed segment, noise-corrected, lag-windowed and expanded."""
    r = np.array([np.dot(window[i:], window[: window.size - i]) for i in range(LPC_ORDER + 1)])
    r *= 1 - (0.008 * np.arange(LPC_ORDER + 1)) ** 2
    r[0] *= 1 + 1e-4
    if r[0] <= 0:
        return np.eye(1, LPC_ORDER + 1)[0]
    toeplitz = r[np.abs(np.subtract.outer(np.arange(LPC_ORDER), np.arange(LPC_ORDER)))]
    a = np.concatenate([[1.0], -np.linalg.solve(toeplitz, r[1:])])
    return a * EXPANSION ** np.arange(LPC_ORDER + 1)


def residual(low: Array) -> Array:
    """Prediction error of the 16 kHz signal, hop by hop with the LPC of the window that ends with the hop; de-emphasised."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(LOW_WINDOW) + 0.5) / LOW_WINDOW)
    padded = np.concatenate([np.zeros(LOW_WINDOW), low])
    error = np.zeros(low.size)
    for t in range(low.size // LOW_HOP):
        end = LOW_WINDOW + (t + 1) * LOW_HOP
        a = prediction(hann * padded[end - LOW_WINDOW : end])
        memory = padded[end - LOW_HOP - LPC_ORDER : end]
        error[t * LOW_HOP : (t + 1) * LOW_HOP] = np.convolve(memory, a, "valid")
    for n in range(1, low.size):
        error[n] += SMOOTHING * error[n - 1]
    return error


def correlate(excitation: Array, t: int) -> tuple[Array, Array, float]:
    """Window t of the residual: plain correlation and after the octave rule, (225,) each, and its energy."""
    padded = np.concatenate([np.zeros(LAG_MAX + LOW_HOP), excitation])
    start = LAG_MAX + t * LOW_HOP
    e = padded[start : start + LOW_WINDOW]
    energy = float(e @ e)
    if energy < RESIDUAL_FLOOR:
        return np.zeros(LAGS.size), np.zeros(LAGS.size), energy
    past = np.lib.stride_tricks.sliding_window_view(padded[start - LAG_MAX : start - LAG_MIN + LOW_WINDOW], LOW_WINDOW)[::-1]
    c = 2 * past @ e / (DELTA + energy + np.sum(past**2, axis=1))
    long = LAGS[LAGS >= 2 * LAG_MIN]
    floor, ceil = long // 2 - LAG_MIN, (long + 1) // 2 - LAG_MIN
    half = np.max([c[floor], c[ceil], c[ceil + 1]], axis=0)
    ruled = c.copy()
    ruled[long - LAG_MIN] = np.where(c[long - LAG_MIN] < 1.1 * half, 0.8, 1.0) * c[long - LAG_MIN]
    return c, ruled, energy


def step(scores: Array, ruled: Array, weight: float) -> tuple[Array, npt.NDArray[np.int64]]:
    """One step of the dynamic programme: new scores (maximum 0) and the index each lag came from (ties: the lowest)."""
    best = np.full(scores.size, scores.max() - JUMP_COST)
    source = np.full(scores.size, int(np.argmax(scores)))
    near = np.full(scores.size, -np.inf)
    near_source = np.zeros(scores.size, dtype=np.int64)
    for delta in range(-STEP_MAX, STEP_MAX + 1):
        index = np.arange(scores.size) + delta
        inside = (index >= 0) & (index < scores.size)
        value = np.where(inside, scores[np.clip(index, 0, scores.size - 1)] - STEP_COST * delta**2, -np.inf)
        better = value > near
        near, near_source = np.where(better, value, near), np.where(better, index, near_source)
    stay = near >= best
    best, source = np.where(stay, near, best), np.where(stay, near_source, source)
    updated = weight * ruled + best
    return updated - updated.max(), source


def refine(samples: Array, frame: int, lag: int) -> float:
    """Period at 48 kHz near 3 lag: best normalised correlation over the frame's window, then a parabola, to 1/8 sample."""
    start = (frame - 1) * HOP
    padded = np.concatenate([np.zeros(PERIOD_MAX + 2 * WINDOW), samples])
    offset = PERIOD_MAX + 2 * WINDOW + start
    window = padded[offset : offset + WINDOW]

    def normalised(period: int) -> float:
        past = padded[offset - period : offset - period + WINDOW]
        return float(2 * window @ past / (DELTA + window @ window + past @ past))

    candidates = [t for t in range(DECIMATION * (lag - 1), DECIMATION * (lag + 1) + 1) if PERIOD_MIN <= t <= PERIOD_MAX]
    values = [normalised(t) for t in candidates]
    best = candidates[int(np.argmax(values))]
    left, middle, right = normalised(best - 1), max(values), normalised(best + 1)
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    period = best + np.floor(8 * np.clip(shift, -0.5, 0.5) + 0.5) / 8
    return float(np.clip(period, PERIOD_MIN, PERIOD_MAX))


def track(samples: Array, lookahead: int) -> Track:
    """Pitch track of DC-blocked samples at 48 kHz, a whole number of hops."""
    excitation = residual(decimate(samples))
    n_hops = samples.size // HOP
    scores = np.zeros(LAGS.size)
    sources, plain, energies = [], [], []
    out = Track(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))
    for t in range(n_hops):
        c, ruled, energy = correlate(excitation, t)
        plain.append(c)
        energies.append(energy)
        mean = np.mean(energies[-ENERGY_FRAMES:])
        weight = float(np.clip(energy / mean, WEIGHT_MIN, WEIGHT_MAX)) if mean > 0 else WEIGHT_MIN
        scores, source = step(scores, ruled, weight)
        sources.append(source)
        if t < lookahead:
            continue
        newest = index = int(np.argmax(scores))
        for back in range(lookahead):
            index = int(sources[t - back][index])
        j = t - lookahead
        out.lag = np.append(out.lag, LAGS[index])
        out.period = np.append(out.period, refine(samples, j, int(LAGS[index])))
        out.correlation = np.append(out.correlation, plain[j][index])
        out.newest_correlation = np.append(out.newest_correlation, c[newest])
        e = np.concatenate([np.zeros(LOW_HOP), excitation])[t * LOW_HOP : t * LOW_HOP + LOW_WINDOW]
        sparseness = np.sum(np.abs(e)) / np.sqrt(e.size * energy) if energy >= RESIDUAL_FLOOR else np.nan
        out.sparseness = np.append(out.sparseness, sparseness)
    return out
