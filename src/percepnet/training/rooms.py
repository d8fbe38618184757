"""Simulated rooms: shoeboxes by the image source method, with a statistical tail, and the target a network should leave.

The early part comes from pyroomacoustics with a limited image order; where the images run out, noise that decays at the
room's reverberation time takes over. Measured rooms are for validation only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyroomacoustics
from scipy.signal import butter, sosfilt

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 48000
SPEED_OF_SOUND = 343.0  # m/s
EARLY_S = 0.020  # what the target keeps as it is (SPEC 6.4)
TARGET_RT60_S = 0.200  # to which the target's tail is shortened (SPEC 6.4)
IMAGE_ORDER = 10
DECAY_STOP_DB = 65.0  # a response is cut where its energy decay passes this
TAIL_BANDS_HZ = (500.0, 2000.0, 6000.0)  # borders of the four bands of the tail
TAIL_FACTORS = (1.1, 1.0, 0.75, 0.45)  # their reverberation times as parts of the room's: walls and air damp the top


@dataclass(frozen=True)
class Room:
    """Responses from two places to one microphone, direct sound first, and the reverberation time."""

    near: Floats  # (samples,) the talker
    far: Floats  # (samples,) a noise source elsewhere in the room
    rt60_s: float


def reverberation_time(response: npt.NDArray[np.floating]) -> float:
    """RT60 in seconds from the -5 to -25 dB part of the backward-integrated decay."""
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    decay_db = 10 * np.log10(energy / energy[0] + 1e-12)
    start, stop = int(np.argmax(decay_db < -5)), int(np.argmax(decay_db < -25))
    return 3 * (stop - start) / SAMPLE_RATE


def target_response(response: Floats, rt60_s: float) -> Floats:
    """The response of SPEC 6.4 that the enhanced speech should keep: early part whole, tail shortened to 200 ms.

    response: (samples,), direct sound at index 0.
    """
    late_s = np.maximum(np.arange(len(response)) / SAMPLE_RATE - EARLY_S, 0)
    shorter = response * 10 ** (-3 * late_s * max(1 / TARGET_RT60_S - 1 / max(rt60_s, 1e-3), 0))
    keep = int((EARLY_S + TARGET_RT60_S * 1.3) * SAMPLE_RATE)
    return np.asarray(shorter[:keep] if rt60_s > TARGET_RT60_S else shorter, dtype=np.float32)


def simulate(rng: np.random.Generator, rt60_s: tuple[float, float, float]) -> Room:
    """One random room: 2.2 to 12 m wide, talker 0.3 to 3 m from the microphone.

    rt60_s: least, most frequent and most of its reverberation time, a triangular law.
    """
    size = np.array([rng.uniform(2.5, 12), rng.uniform(2.2, 9), rng.uniform(2.2, 4.5)])
    wanted_s = float(rng.triangular(*rt60_s))
    volume, surface = size.prod(), 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    absorption = 1 - np.exp(-24 * np.log(10) / SPEED_OF_SOUND * volume / (surface * wanted_s))  # Eyring
    microphone = rng.uniform(0.3, 0.7, 3) * size
    microphone[2] = rng.uniform(0.7, 1.7)
    shoebox = pyroomacoustics.ShoeBox(
        size, fs=SAMPLE_RATE, materials=pyroomacoustics.Material(float(np.clip(absorption, 0.02, 0.98))), max_order=IMAGE_ORDER
    )
    shoebox.add_source(_place(rng, size, microphone, float(rng.uniform(0.3, 3.0))))
    shoebox.add_source(rng.uniform(0.1, 0.9, 3) * size)
    shoebox.add_microphone(microphone)
    shoebox.compute_rir()
    mixing_s = IMAGE_ORDER * 0.6 * size.min() / SPEED_OF_SOUND
    near, far = (_finish(np.asarray(r), wanted_s, mixing_s, rng) for r in shoebox.rir[0])
    return Room(near, far, reverberation_time(near))


def _place(
    rng: np.random.Generator, size: npt.NDArray[np.floating], microphone: npt.NDArray[np.floating], distance: float
) -> npt.NDArray[np.floating]:
    """A point about ``distance`` metres from the microphone, inside the room."""
    direction = rng.normal(size=3) * (1, 1, 0.3)
    point = microphone + distance * direction / np.linalg.norm(direction)
    return np.asarray(np.clip(point, 0.2, size - 0.2))


def _finish(images: npt.NDArray[np.floating], rt60_s: float, mixing_s: float, rng: np.random.Generator) -> Floats:
    """Direct sound to index 0, tail appended with the level that the images had, cut at the end of the decay, unit peak."""
    direct = int(np.abs(images).argmax())
    response = images[direct:] / np.abs(images[direct])
    n = int(rt60_s * 1.15 * SAMPLE_RATE)
    mix = min(int(mixing_s * SAMPLE_RATE), n // 2)
    whole = np.zeros(n)
    head = response[:n]
    whole[: len(head)] = head
    tail = _tail(n, rt60_s, rng)
    span = slice(mix // 2, mix)
    level = np.sqrt((whole[span] ** 2).sum() / ((tail[span] ** 2).sum() + 1e-20))
    fade = np.clip((np.arange(n) - mix / 2) / (mix / 2 + 1), 0, 1)
    whole = whole * np.sqrt(1 - fade) + tail * level * np.sqrt(fade)
    decay = np.cumsum(whole[::-1] ** 2)[::-1]
    stop = int(np.argmax(decay < decay[0] * 10 ** (-DECAY_STOP_DB / 10))) or n
    return np.asarray(whole[:stop], dtype=np.float32)


def _tail(n: int, rt60_s: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Gaussian noise in four bands, each with its own exponential decay: (n,)."""
    t = np.arange(n) / SAMPLE_RATE
    noise = rng.standard_normal(n)
    tail = np.zeros(n)
    for i, factor in enumerate(TAIL_FACTORS):
        borders = TAIL_BANDS_HZ[max(i - 1, 0) : i + 1]
        kind = "low" if i == 0 else "high" if i == len(TAIL_BANDS_HZ) else "band"
        band = sosfilt(butter(2, borders if kind == "band" else borders[0], kind, fs=SAMPLE_RATE, output="sos"), noise)
        tail += band * 10 ** (-3 * t / (rt60_s * factor))
    return tail


def build_bank(path: Path, n_rooms: int, seed: int, rt60_s: tuple[float, float, float]) -> None:
    """Simulates ``n_rooms`` rooms and writes them to one .npz file."""
    rooms = [simulate(np.random.default_rng((seed, i)), rt60_s) for i in range(n_rooms)]
    responses = [response for room in rooms for response in (room.near, room.far)]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(
        partial,
        samples=np.concatenate(responses),
        lengths=np.array([len(response) for response in responses]),
        rt60_s=np.array([room.rt60_s for room in rooms]),
    )
    partial.replace(path)


def load_bank(path: Path) -> list[Room]:
    """The rooms of a bank."""
    with np.load(path) as bank:
        samples, lengths, rt60_s = bank["samples"], bank["lengths"], bank["rt60_s"]
    responses = np.split(samples, np.cumsum(lengths)[:-1])
    return [Room(responses[2 * i], responses[2 * i + 1], float(rt60_s[i])) for i in range(len(rt60_s))]
