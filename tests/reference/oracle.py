"""Targets of one frame, with the clean signal in hand (SPEC 2)."""

import numpy as np

from . import BANDS, ENERGY_FLOOR, VOICING_MIN, Array, bands

MASKED = -1.0
WHITE_100_DBFS = 4.8e-8  # energy per bin of white noise at -100 dBFS
CLEAN_COHERENCE_MIN = 0.3
COMB_BENEFIT_MIN = 0.01
STRENGTH_MAX = 0.99  # (1 - strength)^gamma stays differentiable
MASKING_THRESHOLD = 0.03  # noise masked by a tone


def plain_gains(energy: Array, clean_energy: Array) -> Array:
    """Amplitude ratio, 0..1; masked where both are below white noise at -100 dBFS."""
    gains = np.clip(np.sqrt((clean_energy + ENERGY_FLOOR) / (energy + ENERGY_FLOOR)), 0, 1)
    limit = WHITE_100_DBFS * bands.WEIGHTS[:, : bands.LAST_BIN + 1].sum(axis=1)
    return np.where((energy < limit) & (clean_energy < limit), MASKED, gains)


def coherence(product: float, energy_u: float, energy_v: float) -> float:
    """<U, V> / (||U|| ||V||), 0..1."""
    return float(np.clip(product / np.sqrt((energy_u + ENERGY_FLOOR) * (energy_v + ENERGY_FLOOR)), 0, 1))


def formula(q_x: float, q_y: float, q_c: float, level: float, kappa: float) -> float:
    """Strength r that makes the mix as coherent as the clean signal.

    q_x, q_y, q_c: coherences of clean, noisy and noisy comb with the clean comb; level: ||P^|| / ||Y||; kappa: <Y, P^> / E_Y.
    """
    a = level**2 * (q_c**2 - q_x**2)
    b = level * q_c * q_y - q_x**2 * kappa
    c = q_x**2 - q_y**2
    alpha = c / (2 * b) if abs(a) < 1e-6 else (-b + np.sqrt(max(b * b + a * c, 0.0))) / a
    return float(np.clip(alpha / (1 + alpha), 0, 1))


def targets(
    statistics: Array, e_p: Array, x_p: Array, y_p: Array, c_p: Array, correlation: float, centre: float
) -> tuple[Array, Array]:
    """Gains and strengths (34,) each; -1 where the loss is masked.

    statistics: (6, 34) E_Y, E_P^, <Y,P^>, E_X, <Y,X>, <P^,X>; then E_P, <X,P>, <Y,P>, <P^,P>, (34,) each; the correlation at
    the chosen period and the comb's centre weight.
    """
    e_y, e_c, y_c, e_x = statistics[:4]
    gains = plain_gains(e_y, e_x)
    strengths = np.full(BANDS, MASKED)
    for b in range(BANDS):
        if e_x[b] < ENERGY_FLOOR or e_y[b] < ENERGY_FLOOR or correlation < VOICING_MIN:
            continue
        rest = x_p[b] - centre * e_x[b], e_p[b] - 2 * centre * x_p[b] + centre**2 * e_x[b]
        bare = coherence(rest[0] / (1 - centre), e_x[b], rest[1] / (1 - centre) ** 2)
        q_x, q_y = coherence(x_p[b], e_x[b], e_p[b]), coherence(y_p[b], e_y[b], e_p[b])
        q_c = coherence(c_p[b], e_c[b], e_p[b])
        if bare < CLEAN_COHERENCE_MIN or q_y >= q_x or q_c <= q_y + COMB_BENEFIT_MIN:
            strengths[b] = 0
        elif q_c <= q_x:
            strengths[b] = STRENGTH_MAX
            if gains[b] != MASKED:
                gains[b] *= np.sqrt((1 + MASKING_THRESHOLD - q_x**2) / (1 + MASKING_THRESHOLD - q_c**2))
        else:
            strengths[b] = min(formula(q_x, q_y, q_c, np.sqrt(e_c[b] / e_y[b]), y_c[b] / e_y[b]), STRENGTH_MAX)
    return gains, strengths
