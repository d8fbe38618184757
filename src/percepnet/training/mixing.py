"""Seeded mixtures of speech and noise with the augmentations of SPEC 6.4.

The same generator state gives the same samples. All signals are float32 (samples,), full scale 1, 48 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal import resample_poly, sosfilt

from percepnet.training.config import MixingConfig
from percepnet.training.corpus import Corpus, Recording
from percepnet.training.rooms import Room, target_response

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 48000
NOISE_KINDS = ("ambience", "event", "music", "babble", "synthetic", "keys")
ACTIVE_RANGE_DB = 35.0  # frames this close to the loud ones count as active speech
SPEECH_SPEEDS = ((9, 10), (19, 20), (21, 20), (11, 10))
NOISE_SPEEDS = ((7, 10), (4, 5), (9, 10), (11, 10), (5, 4), (7, 5))
EDGE = 240  # samples of fade at the ends of a clip: 5 ms
FULL_BANDWIDTH_HZ = SAMPLE_RATE / 2


@dataclass(frozen=True)
class Mixture:
    """A noisy signal, the target it should become and up to which frequency the target can be trusted."""

    noisy: Floats
    clean: Floats
    bandwidth_hz: float
    kind: str  # of the noise; "none" without
    snr_db: float  # of active speech to noise; inf without noise, -inf without speech
    dereverb: float = 1.0  # how much of the room the target leaves out: 0 keeps all of it


def active_rms(samples: Floats) -> float:
    """Root mean square over the 20 ms frames within 35 dB of the 95th percentile."""
    frames = samples[: len(samples) // 960 * 960].reshape(-1, 960)
    energy = np.einsum("ij,ij->i", frames, frames) / 960
    active = energy[energy > np.percentile(energy, 95) * 10 ** (-ACTIVE_RANGE_DB / 10)]
    return float(np.sqrt(active.mean())) if len(active) else 0.0


def rms(samples: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.dot(samples, samples) / len(samples)))


def normalised(samples: Floats) -> Floats:
    """The same at unit RMS."""
    return np.asarray(samples / (rms(samples) + 1e-9), dtype=np.float32)


def amplitude(level_db: float) -> float:
    """The factor of a level in dB."""
    return float(10 ** (level_db / 20))


def low_pass(samples: Floats, cutoff_hz: float) -> Floats:
    """Linear-phase low-pass with a transition of 5 % below the cutoff."""
    spectrum = fft.rfft(samples)
    frequency = np.arange(len(spectrum)) * (SAMPLE_RATE / len(samples))
    fade = np.clip((cutoff_hz - frequency) / (0.05 * cutoff_hz), 0, 1)
    spectrum *= (0.5 - 0.5 * np.cos(np.pi * fade)).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, len(samples)), dtype=np.float32)


def random_filter(samples: Floats, rng: np.random.Generator) -> Floats:
    """Two random sections; poles and zeros of each are present with probability 1/3 (RNNoise's recipe, SPEC 6.4)."""
    sections = [np.concatenate((_random_roots(rng), _random_roots(rng))) for _ in range(2)]
    return np.asarray(sosfilt(np.array(sections, dtype=np.float32), samples), dtype=np.float32)


def _random_roots(rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Coefficients of a polynomial 1 + c1 z^-1 + c2 z^-2 with a random pair of roots, or of 1."""
    if rng.random() > 1 / 3:
        return np.array([1.0, 0.0, 0.0])
    if rng.random() < 0.5:
        radius, angle = 0.7 * rng.random() ** 2, np.pi * rng.random() ** 2
        return np.array([1.0, -2 * radius * np.cos(angle), radius**2])
    first, second = rng.uniform(-0.7, 0.7, 2)
    return np.array([1.0, -(first + second), first * second])


def coloured(samples: Floats, rng: np.random.Generator, spread_db: float) -> Floats:
    """``samples`` through a random smooth response, a knot per octave: what microphones, walls and distance do."""
    octaves = np.arange(-5.0, 5.5)  # from 1 kHz
    size = fft.next_fast_len(len(samples), True)
    spectrum = fft.rfft(samples, size)
    frequency = np.maximum(np.arange(len(spectrum)) * (SAMPLE_RATE / size), 20)
    level_db = np.interp(np.log2(frequency / 1000), octaves, rng.normal(0, spread_db, len(octaves)))
    spectrum *= (10 ** (level_db / 20)).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, size)[: len(samples)], dtype=np.float32)


def texture(samples: Floats, rng: np.random.Generator) -> Floats:
    """Stationary noise with the spectrum of ``samples``: all phases random."""
    spectrum = fft.rfft(samples)
    spectrum *= np.exp(2j * np.pi * rng.random(len(spectrum))).astype(np.complex64)
    return np.asarray(fft.irfft(spectrum, len(samples)), dtype=np.float32)


def change_speed(samples: Floats, speed: tuple[int, int], n: int) -> Floats:
    """``n`` samples played ``speed[0] / speed[1]`` times as fast."""
    return np.asarray(resample_poly(samples, speed[1], speed[0])[:n], dtype=np.float32)


def convolve(samples: Floats, responses: Sequence[Floats]) -> list[Floats]:
    """``samples`` through each response, cut to their length."""
    size = fft.next_fast_len(len(samples) + max(len(response) for response in responses) - 1, True)
    spectrum = fft.rfft(samples, size)
    return [fft.irfft(spectrum * fft.rfft(response, size), size)[: len(samples)] for response in responses]


def shaped_noise(n: int, rng: np.random.Generator) -> Floats:
    """Stationary noise with a random slope and resonances, optionally slowly modulated: fans, engines, air, trains."""
    size = n // 2 + 1
    octave = np.log2(np.maximum(np.arange(size, dtype=np.float32) * (SAMPLE_RATE / n), 20) / 1000)
    level_db = rng.uniform(-9, 3) * octave
    for _ in range(rng.integers(0, 5)):
        level_db += rng.uniform(-8, 20) * np.exp(-(((octave - rng.uniform(-5, 4)) / rng.uniform(0.05, 0.7)) ** 2))
    spectrum = rng.standard_normal(2 * size, dtype=np.float32).view(np.complex64)
    spectrum *= np.power(10, np.clip(level_db, -70, 70) / 20, dtype=np.float32)
    noise = np.asarray(fft.irfft(spectrum, n), dtype=np.float32)
    noise /= rms(noise)
    return noise * slow_envelope(n, rng, rng.uniform(1, 8)) if rng.random() < 0.6 else noise


def slow_envelope(n: int, rng: np.random.Generator, depth_db: float) -> Floats:
    """A smooth random gain curve: (n,), knots every 0.1 to 2 s."""
    knots = max(int(n / SAMPLE_RATE / rng.uniform(0.1, 2)), 2)
    curve = np.interp(np.arange(n // 480 + 1), np.linspace(0, n / 480, knots), rng.normal(0, depth_db, knots))
    return np.repeat(10 ** (curve / 20), 480)[:n].astype(np.float32)


def tones(n: int, rng: np.random.Generator) -> Floats:
    """A hum: mains or a machine's rotation with harmonics that fall off."""
    fundamental = float(rng.choice([50, 60])) if rng.random() < 0.6 else float(rng.uniform(30, 400))
    count = min(int(rng.integers(2, 40)), int(12000 / fundamental))
    phase = np.arange(n, dtype=np.float64) * (2 * np.pi * fundamental / SAMPLE_RATE)
    levels = rng.normal(0, 6, count) - rng.uniform(0.2, 1.2) * 20 * np.log10(np.arange(1, count + 1))
    step, hum = np.exp(1j * phase).astype(np.complex64), np.zeros(n, dtype=np.complex64)
    for level in levels[::-1]:  # Horner's rule over powers of the fundamental
        hum = (hum + np.complex64(10 ** (level / 20) * np.exp(2j * np.pi * rng.random()))) * step
    wave = np.ascontiguousarray(hum.imag)
    return normalised(wave)


class Mixer:
    """Draws mixtures from a corpus and a bank of rooms."""

    def __init__(self, corpus: Corpus, rooms: Sequence[Room], config: MixingConfig) -> None:
        self._corpus, self._rooms, self._config = corpus, rooms, config
        self._n = int(config.seconds * SAMPLE_RATE)
        self._speaker_weights = _share([sum(r.n_samples for r in speaker) for speaker in corpus.speakers])
        self._noise_weights = {kind: _share([r.n_samples for r in group]) for kind, group in corpus.noises.items()}
        chances = {kind: getattr(config, kind) for kind in NOISE_KINDS}
        available = [k for k in NOISE_KINDS if k in ("babble", "synthetic") or corpus.noises[k]]
        self._kinds = available
        self._kind_weights = np.array([chances[k] for k in available]) / sum(chances[k] for k in available)

    def mix(self, rng: np.random.Generator) -> Mixture:
        """One mixture: speech, room, noise, level and what a microphone does, in this order."""
        config, chance = self._config, rng.random()
        if chance < config.noise_only:
            return self._noise_only(rng)
        speaker = int(rng.choice(len(self._speaker_weights), p=self._speaker_weights))
        speech, bandwidth_hz = self._speech(speaker, rng)
        room = self._rooms[int(rng.integers(len(self._rooms)))] if self._rooms and rng.random() < config.room else None
        dereverb = self._dereverb(rng)
        source, early = self._place(speech, room, rng)
        target = early + (source - early) * np.float32(1 - dereverb)
        level = amplitude(self._level_db(rng)) / np.float32(active_rms(source) + 1e-9)
        source, target = source * level, target * level
        if chance < config.noise_only + config.noise_free:
            kind, snr_db, noisy = "none", float("inf"), source
        else:
            kind, snr_db = self._kind(rng), self._snr_db(rng)
            noise = self._noise(kind, speaker, room, rng)
            noisy = source + noise * np.float32(active_rms(source) * 10 ** (-snr_db / 20))
        return replace(self._record(noisy, target, bandwidth_hz, kind, snr_db, rng), dereverb=dereverb)

    def _noise_only(self, rng: np.random.Generator) -> Mixture:
        kind = self._kind(rng)
        noisy = self._noise(kind, -1, None, rng) * amplitude(rng.uniform(-60, -20))
        return self._record(noisy, np.zeros(self._n, dtype=np.float32), FULL_BANDWIDTH_HZ, kind, float("-inf"), rng)

    def _record(
        self, noisy: Floats, target: Floats, bandwidth_hz: float, kind: str, snr_db: float, rng: np.random.Generator
    ) -> Mixture:
        """Dither on both; low-pass and level step on both; clipping and quantisation on the noisy signal alone."""
        config = self._config
        floor_db = min(rng.uniform(*config.dither_db), 20 * np.log10(active_rms(target if target.any() else noisy) + 1e-9) - 40)
        dither = rng.standard_normal(self._n, dtype=np.float32) * amplitude(floor_db)
        noisy, target = noisy + dither, target + dither
        if rng.random() < config.low_pass:
            cutoff_hz = float(np.exp(rng.uniform(*np.log(config.low_pass_hz))))
            noisy, target = low_pass(noisy, cutoff_hz), low_pass(target, cutoff_hz)
            bandwidth_hz = min(bandwidth_hz, 0.95 * cutoff_hz)
        if rng.random() < config.level_step:
            step = _step(self._n, rng)
            noisy, target = noisy * step, target * step
        peak = float(np.abs(noisy).max())
        if rng.random() < config.clipping:
            limit = np.float32(peak * 10 ** (-rng.uniform(1, 12) / 20))
            noisy = np.clip(noisy, -limit, limit)
        elif peak > 0.98:
            noisy, target = noisy * np.float32(0.98 / peak), target * np.float32(0.98 / peak)
        if rng.random() < config.quantisation:
            noisy = np.round(noisy * 32768) * np.float32(1 / 32768)
        return Mixture(noisy.astype(np.float32), target.astype(np.float32), bandwidth_hz, kind, snr_db)

    def _dereverb(self, rng: np.random.Generator) -> float:
        """What the user asks for: 1, 0, or something between."""
        chance, between = rng.random(), float(rng.random())
        if chance < self._config.keep_room:
            return 0.0
        return between if chance < self._config.keep_room + self._config.soften_room else 1.0

    def _level_db(self, rng: np.random.Generator) -> float:
        wide = rng.random() < self._config.level_wide
        return float(rng.uniform(*(self._config.level_wide_db if wide else self._config.level_db)))

    def _snr_db(self, rng: np.random.Generator) -> float:
        high = rng.random() < self._config.snr_high
        return float(rng.uniform(*(self._config.snr_high_db if high else self._config.snr_db)))

    def _kind(self, rng: np.random.Generator) -> str:
        return str(rng.choice(self._kinds, p=self._kind_weights))

    def _speech(self, speaker: int, rng: np.random.Generator) -> tuple[Floats, float]:
        """Filtered speech of one speaker and its bandwidth in Hz."""
        speed = SPEECH_SPEEDS[rng.integers(len(SPEECH_SPEEDS))] if rng.random() < self._config.speech_speed else (1, 1)
        long_pauses = rng.random() < self._config.long_pauses
        speech, bandwidth_hz = self._talk(speaker, self._n * speed[0] // speed[1] + 480, long_pauses, rng)
        if speed != (1, 1):
            speech, bandwidth_hz = change_speed(speech, speed, self._n), bandwidth_hz * speed[0] / speed[1]
        speech = random_filter(speech[: self._n], rng)
        if self._config.speech_colour and rng.random() < self._config.speech_colour:
            speech = coloured(speech, rng, 3.0)
        return speech, bandwidth_hz

    def _talk(self, speaker: int, n: int, long_pauses: bool, rng: np.random.Generator) -> tuple[Floats, float]:
        """Clips of one speaker in the order of their files, with random pauses: (n,), and the least bandwidth in Hz."""
        out, bandwidth_hz = np.zeros(n, dtype=np.float32), FULL_BANDWIDTH_HZ
        recordings = self._corpus.speakers[speaker]
        position = int(rng.uniform(0, 0.8) * SAMPLE_RATE)
        while position < n - EDGE * 4:
            recording = recordings[rng.integers(len(recordings))]
            bandwidth_hz = min(bandwidth_hz, recording.bandwidth_hz)
            first = int(rng.integers(len(recording.clips)))
            for start, stop in recording.clips[first : first + int(rng.integers(1, 8))]:
                clip = _fade_edges(self._corpus.samples(recording, start, min(stop, start + n - position)))
                out[position : position + len(clip)] = clip
                position += len(clip) + _pause(long_pauses, rng)
                if position >= n - EDGE * 4:
                    break
        return out, bandwidth_hz

    def _place(self, speech: Floats, room: Room | None, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """The speech in its room and the target: direct sound, early reflections and a short tail."""
        if room is None:
            return speech, speech
        near = room.near.copy()
        near[: int(0.02 * SAMPLE_RATE)] *= np.float32(rng.uniform(0.5, 1.5))  # varies the distance (SPEC 6.4)
        source, target = convolve(speech, (near, target_response(near, room.rt60_s)))
        return source, target

    def _noise(self, kind: str, speaker: int, room: Room | None, rng: np.random.Generator) -> Floats:
        """One noise, or two, of unit RMS; in the room of the speech half of the time."""
        noise = self._one_noise(kind, speaker, rng)
        if rng.random() < self._config.second_noise:
            noise = noise + self._one_noise(self._kind(rng), speaker, rng) * amplitude(rng.uniform(-15, 3))
        if self._config.noise_colour and rng.random() < self._config.noise_colour:
            noise = coloured(noise, rng, 5.0)
        if self._config.noise_fade > rng.random():
            noise = noise * slow_envelope(self._n, rng, 6.0)
        if room is not None and rng.random() < 0.5:
            noise = convolve(noise, (room.far,))[0]
        if rng.random() < self._config.noise_low_pass:
            noise = low_pass(noise, float(np.exp(rng.uniform(*np.log(self._config.low_pass_hz)))))
        return normalised(noise)

    def _one_noise(self, kind: str, speaker: int, rng: np.random.Generator) -> Floats:
        if kind == "babble":
            noise = self._babble(speaker, rng)
        elif kind == "synthetic":
            noise = self._synthetic(rng)
        elif kind == "keys":
            noise = self._typing(rng)
        else:
            noise = self._recorded(kind, rng)
        noise = random_filter(noise, rng)
        return normalised(noise)

    def _babble(self, speaker: int, rng: np.random.Generator) -> Floats:
        """4 to 20 other speakers at similar levels."""
        others = [i for i in rng.permutation(len(self._corpus.speakers)) if i != speaker]
        count = min(int(4 + 16 * rng.random() ** 2.5), len(others))
        total = np.zeros(self._n, dtype=np.float32)
        for i in others[:count]:
            voice, _ = self._talk(int(i), self._n, False, rng)
            total += voice * (amplitude(rng.normal(0, 2.5)) / np.float32(active_rms(voice) + 1e-3))
        return total

    def _synthetic(self, rng: np.random.Generator) -> Floats:
        noise = shaped_noise(self._n, rng)
        if rng.random() < 0.4:
            noise = noise + tones(self._n, rng) * amplitude(rng.uniform(-20, 10))
        return noise

    def _typing(self, rng: np.random.Generator) -> Floats:
        """Single keys at 2 to 10 a second, in bursts."""
        recording = self._pick("keys", rng)
        out, rate = np.zeros(self._n, dtype=np.float32), rng.uniform(2, 10)
        position = 0
        while position < self._n - SAMPLE_RATE // 4:
            start = int(rng.integers(max(recording.n_samples - SAMPLE_RATE, 1)))
            stretch = self._corpus.samples(recording, start, start + SAMPLE_RATE // 2)
            press = max(int(np.abs(stretch).argmax()) - 480, 0)
            key = _fade_edges(stretch[press : press + SAMPLE_RATE // 5])
            end = min(position + len(key), self._n)
            out[position:end] += key[: end - position] * amplitude(rng.normal(0, 3))
            position += int(rng.exponential(1 / rate) * SAMPLE_RATE) + 960
            if rng.random() < 0.05:
                position += int(rng.uniform(0.3, 2) * SAMPLE_RATE)
        return out

    def _recorded(self, kind: str, rng: np.random.Generator) -> Floats:
        """An excerpt of a file, repeated if it is short; events are also strewn about."""
        recording = self._pick(kind, rng)
        speed = NOISE_SPEEDS[rng.integers(len(NOISE_SPEEDS))] if rng.random() < self._config.noise_speed else (1, 1)
        n = self._n * speed[0] // speed[1] + 480
        noise = self._strewn(n, rng) if kind == "event" and rng.random() < 0.4 else self._excerpt(recording, n, rng)
        if rng.random() < self._config.noise_reversal:
            noise = noise[::-1]
        if self._config.noise_texture and rng.random() < self._config.noise_texture:
            noise = texture(noise, rng)
        return change_speed(noise, speed, self._n) if speed != (1, 1) else noise[: self._n]

    def _excerpt(self, recording: Recording, n: int, rng: np.random.Generator) -> Floats:
        if recording.n_samples > n:
            start = int(rng.integers(recording.n_samples - n))
            return self._corpus.samples(recording, start, start + n)
        whole = self._corpus.samples(recording, 0, recording.n_samples)
        return np.resize(np.roll(whole, int(rng.integers(len(whole)))), n)

    def _strewn(self, n: int, rng: np.random.Generator) -> Floats:
        """Clips of one to four event files at random times and levels."""
        files = [self._pick("event", rng) for _ in range(int(rng.integers(1, 5)))]
        out, position, pause_s = np.zeros(n, dtype=np.float32), 0, rng.uniform(0.1, 1.5)
        while position < n - EDGE * 4:
            recording = files[rng.integers(len(files))]
            clips = recording.clips or [(0, recording.n_samples)]
            start, stop = clips[rng.integers(len(clips))]
            stop = min(stop, start + int(rng.uniform(0.5, 4) * SAMPLE_RATE), start + n - position)
            clip = _fade_edges(self._corpus.samples(recording, start, stop))
            loudness = amplitude(rng.normal(-26, 4)) / np.float32(rms(clip) + 1e-4)
            out[position : position + len(clip)] += clip * loudness
            position += int(len(clip) * rng.uniform(0.5, 1) + rng.exponential(pause_s) * SAMPLE_RATE)
        return out

    def _pick(self, kind: str, rng: np.random.Generator) -> Recording:
        return self._corpus.noises[kind][rng.choice(len(self._noise_weights[kind]), p=self._noise_weights[kind])]


def _share(sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    """Chances that grow with the square root of the size."""
    roots = np.sqrt(np.asarray(sizes, dtype=np.float64))
    return roots / roots.sum() if len(roots) else roots


def _fade_edges(clip: Floats) -> Floats:
    ramp = np.linspace(0, 1, min(EDGE, len(clip) // 2), dtype=np.float32)
    if len(ramp):
        clip[: len(ramp)] *= ramp
        clip[len(clip) - len(ramp) :] *= ramp[::-1]
    return clip


def _pause(long: bool, rng: np.random.Generator) -> int:
    """Samples between two clips: 0.1 to 1.5 s, mostly short; 1 to 4 s where pauses are long."""
    seconds = rng.uniform(1, 4) if long else 0.1 + 1.4 * rng.random() ** 2.5
    return int(seconds * SAMPLE_RATE)


def _step(n: int, rng: np.random.Generator) -> Floats:
    """A change of level by up to 20 dB at a random time, over 10 ms."""
    change = rng.uniform(-20, 20)
    ramp = np.clip((np.arange(n) - rng.integers(n)) / 480, 0, 1)
    return np.asarray(10 ** ((change * ramp - max(change, 0)) / 20), dtype=np.float32)
