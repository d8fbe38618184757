"""The whole path of one channel at 48 kHz: the stages in their order (SPEC 13b) and the rules between them."""

from dataclasses import dataclass, field

import numpy as np

from . import BANDS, ENERGY_FLOOR, HOP, VOICING_MIN, Array, bands, gains, pitch, postfilter, synthesis
from .front_end import Frames, analyse
from .network import Network

GATE_FADE_HOPS = 20  # 200 ms
SNR_SMOOTHING = 0.1  # per hop: 100 ms
GUARD_RATIO, GUARD_STRENGTH, GUARD_BANDS = 0.35, 0.5, 14  # bands with centres below 2 kHz


@dataclass
class Result:
    """What came of a recording. `samples` is delayed by (lookahead + 1) hops; the rest has one row a frame."""

    samples: Array
    frames: Frames
    gains: Array
    strengths: Array


@dataclass
class State:
    """What one frame leaves to the next, besides the network."""

    gains: Array = field(default_factory=lambda: np.ones(BANDS))
    silent_hops: int = 0
    kept: float = 0.0
    total: float = 0.0


def guard(strengths: Array, energy: Array, comb_energy: Array) -> Array:
    """Half strength at most where the comb removes most of the low bands: the period is then probably halved (SPEC 11)."""
    ratio = np.sqrt(comb_energy[:GUARD_BANDS] / (energy[:GUARD_BANDS] + ENERGY_FLOOR))
    return np.minimum(strengths, GUARD_STRENGTH) if 2 * np.sum(ratio < GUARD_RATIO) >= GUARD_BANDS else strengths


def sharpen(frame_gains: Array, energy: Array, state: State) -> Array:
    """Postfilter, less of it the cleaner the frames of the last 100 ms were."""
    state.kept += SNR_SMOOTHING * (float(np.sum(frame_gains**2 * energy)) - state.kept)
    state.total += SNR_SMOOTHING * (float(np.sum(energy)) - state.total)
    snr_db = 10 * np.log10((state.kept + ENERGY_FLOOR) / (max(state.total - state.kept, 0.0) + ENERGY_FLOOR))
    sharpened, _ = postfilter.sharpen(frame_gains, energy)
    return postfilter.blend(frame_gains, sharpened, postfilter.amount_at(snr_db))


def enhance(
    samples: Array,
    network: Network,
    lookahead: int,
    *,
    imposed_gains: Array | None = None,
    imposed_strengths: Array | None = None,
    track: pitch.Track | None = None,
    post_filter: bool = True,
    attenuation_limit_db: float = np.inf,
    dereverb: float = 1.0,
) -> Result:
    """Enhances whole hops. `track` replaces the pitch found here, `imposed_*` (frames, 34) the network's outputs,
    unguarded."""
    frames = analyse(samples, lookahead, track)
    dry = 10 ** (-attenuation_limit_db / 20)
    state = State()
    all_gains, all_strengths, out = [], [], []
    for j, gated in enumerate(frames.gated):
        spectrum, comb, energy = frames.spectrum[j], frames.comb[j], frames.energy[j]
        if gated:
            state.silent_hops += 1
            frame_gains, strengths = state.gains * max(0.0, 1 - state.silent_hops / GATE_FADE_HOPS), np.zeros(BANDS)
        else:
            state.silent_hops = 0
            frame_gains, strengths, _ = network.step(
                np.append(frames.features[j], [dereverb] if network.heeds_dereverb else [])
            )
            state.gains = frame_gains
        strengths = np.zeros(BANDS) if frames.track.correlation[j] < VOICING_MIN else strengths
        strengths = guard(strengths, energy, bands.energy(comb))
        frame_gains = frame_gains if imposed_gains is None else imposed_gains[j]
        strengths = strengths if imposed_strengths is None else imposed_strengths[j]
        applied = sharpen(frame_gains, energy, state) if post_filter else frame_gains
        wet = gains.scale(gains.mix(spectrum, comb, strengths), energy, applied)
        out.append(dry * spectrum + (1 - dry) * wet)
        all_gains.append(frame_gains)
        all_strengths.append(strengths)
    delayed = np.concatenate([np.zeros(lookahead * HOP), synthesis.inverse(np.array(out))])
    return Result(delayed, frames, np.array(all_gains), np.array(all_strengths))
