"""Shards: mixtures analysed by the native core, one float16 array (mixtures, frames, COLUMNS) per file.

Energies are kept in dB and inner products as 1 - cosine, which survive float16. A shard depends on the seed and its index
alone, is written under another name and then renamed, so that training may pick up shards while more are made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from percepnet import _core
from percepnet._core import BANDS, FEATURES
from percepnet.errors import ArgumentError
from percepnet.training.bands import band_mask
from percepnet.training.config import Config, DatasetConfig
from percepnet.training.corpus import INDEX_FILE, Corpus, build_cache, read_set_aside, read_sources, training_sources
from percepnet.training.mixing import Mixer, Mixture
from percepnet.training.rooms import build_bank, load_bank
from percepnet.weights import load_model

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

ENERGY_FLOOR = 1e-9  # SPEC 1.1
VOICING_MIN = 0.1  # without a learned tracker, frames whose period correlates less get no comb (constants.h)
FRAMES_PER_HOUR = 3600 * _core.SAMPLE_RATE // _core.HOP
SPEECH_RANGE_DB = 35.0  # frames this close to the mixture's loud ones count as speech

# columns of a shard
FEATURE = slice(0, FEATURES)
DEREVERB = FEATURES  # the scalar input
INPUT = slice(0, FEATURES + 1)  # of the network
GAIN = slice(INPUT.stop, INPUT.stop + BANDS)  # -1 where the loss is masked
STRENGTH = slice(GAIN.stop, GAIN.stop + BANDS)  # -1 where the loss is masked
ENERGY_DB = slice(STRENGTH.stop, STRENGTH.stop + 3 * BANDS)  # of noisy, comb, clean
DISTANCE = slice(ENERGY_DB.stop, ENERGY_DB.stop + 3 * BANDS)  # 1 - cosine of noisy/comb, noisy/clean, comb/clean
SPEECH = DISTANCE.stop  # 1 where the clean frame holds speech
GATED = SPEECH + 1  # 1 where the silence gate skips the network
COLUMNS = GATED + 1  # and behind them, where ``dataset.cues`` wants them, those of the pitch tracker
LINES = 161  # of the spectra behind these, where ``dataset.spectra`` wants them: 0 to 8 kHz
SPECTRA = 3 * LINES * 2  # noisy, comb and clean, real and imaginary parts in turn
LARGEST = 6e4  # float16 ends at 65504
COMB_REACH = 5 * _core.PERIOD_MAX + 1  # samples of the past that a comb may ask for
SPECTRA_LEVEL = 10 ** (-26 / 20)  # of what is spoken in them; of all where nothing is

# rows of the core's statistics: E_Y, E_P, <Y,P>, E_X, <Y,X>, <P,X>
_ENERGIES, _PRODUCTS, _PAIRS = (0, 1, 3), (2, 4, 5), ((0, 1), (0, 3), (1, 3))


def speech_label(clean_energy: Floats, has_speech: bool) -> npt.NDArray[np.bool_]:
    """(frames,) true where the energy of the clean frame, (frames, BANDS), is near that of the loud frames."""
    level_db = 10 * np.log10(clean_energy.sum(1) + ENERGY_FLOOR)
    return np.asarray(level_db > np.percentile(level_db, 95) - SPEECH_RANGE_DB) & has_speech


def encode_statistics(statistics: Floats) -> tuple[Floats, Floats]:
    """(frames, 6, BANDS) of the core -> energies in dB and 1 - cosine, each (frames, 3 * BANDS)."""
    energies_db = [10 * np.log10(statistics[:, i] + ENERGY_FLOOR) for i in _ENERGIES]
    distances = []
    for product, (first, second) in zip(_PRODUCTS, _PAIRS, strict=True):
        norm = np.sqrt(statistics[:, first].astype(np.float64) * statistics[:, second])
        distances.append(np.clip(1 - statistics[:, product] / (norm + ENERGY_FLOOR), 0, 2))
    return np.concatenate(energies_db, 1).astype(np.float32), np.concatenate(distances, 1).astype(np.float32)


def tracker(config: DatasetConfig) -> _core.ModelHandle | None:
    """The learned pitch tracker, if one is wanted. Raises ArgumentError where it was made for another look-ahead."""
    if not config.tracker:
        return None
    model = load_model(config.tracker)
    if model.lookahead != config.lookahead:
        raise ArgumentError(
            f"expected dataset.lookahead={model.lookahead}, which the tracker of {config.tracker} was made for, "
            f'got {config.lookahead}; dataset.tracker="" takes the plain tracker'
        )
    return model.handle


def encode(mixture: Mixture, config: DatasetConfig) -> Halves:
    """A mixture through the core: (frames, COLUMNS) float16, wider by the cues where they are wanted."""
    analysis = _core.analyze(mixture.noisy, mixture.clean, config.lookahead, tracker=tracker(config))
    assert analysis.gains is not None  # clean was given
    assert analysis.strengths is not None
    assert analysis.statistics is not None
    n_cues = analysis.cues.shape[1] if config.cues else 0
    n_spectra = SPECTRA if config.spectra else 0
    rows = np.empty((len(analysis.features), COLUMNS + n_cues + n_spectra), dtype=np.float16)
    trusted = band_mask(mixture.bandwidth_hz)[None] & ~analysis.gated[:, None]
    rows[:, FEATURE], rows[:, DEREVERB] = analysis.features, mixture.dereverb
    rows[:, GAIN] = np.where(trusted, analysis.gains, -1)
    rows[:, STRENGTH] = np.where(trusted, analysis.strengths, -1)
    rows[:, ENERGY_DB], rows[:, DISTANCE] = encode_statistics(analysis.statistics)
    rows[:, SPEECH] = speech_label(analysis.statistics[:, 3], np.isfinite(mixture.snr_db) or mixture.snr_db > 0)
    rows[:, GATED] = analysis.gated
    rows[:, COLUMNS : COLUMNS + n_cues] = np.where(analysis.gated[:, None], 0, analysis.cues[:, :n_cues])
    if config.spectra:
        unvoiced = np.zeros(len(rows), dtype=bool) if config.tracker else analysis.correlation < VOICING_MIN
        rows[:, -SPECTRA:] = encode_spectra(mixture, analysis.period, unvoiced, config.lookahead)
    return rows


def encode_spectra(mixture: Mixture, period: Floats, unvoiced: npt.NDArray[np.bool_], lookahead: int) -> Floats:
    """(frames, SPECTRA): noisy, comb and clean lines below 8 kHz, at a level that float16 holds.

    unvoiced: (frames,), where the core lets no strength act: there the comb is the noisy signal.
    """
    spoken = mixture.clean[mixture.clean != 0]
    level = np.sqrt(np.mean(np.square(spoken if spoken.size else mixture.noisy, dtype=np.float64)))
    history = np.zeros(_core.HOP, dtype=np.float32)
    noisy, clean = (np.concatenate((history, _core.stage_dc_blocker(s))) for s in (mixture.noisy, mixture.clean))
    spectra = np.empty((len(period), 3, LINES), dtype=np.complex64)
    for i, (frame, samples) in enumerate(zip(spectra, period, strict=True)):
        start, future = i * _core.HOP, lookahead * _core.HOP
        window = slice(start, start + _core.WINDOW)
        first = max(start - COMB_REACH, 0)
        comb, _, _ = _core.stage_comb(noisy[first : window.stop + future], start - first, float(samples), future)
        frame[:] = [_core.stage_analysis(w)[:LINES] for w in (noisy[window], comb, clean[window])]
    spectra[unvoiced, 1] = spectra[unvoiced, 0]
    loudest = float(np.abs(spectra).max(initial=0))
    scaled = spectra * np.float32(min(SPECTRA_LEVEL / max(level, 1e-9), LARGEST / max(loudest, 1e-9)))
    return scaled.view(np.float32).reshape(len(period), SPECTRA)


def make_shard(mixer: Mixer, config: Config, index: int) -> Halves:
    """Shard number ``index``: (mixtures, frames, COLUMNS or more) float16."""
    generators = (np.random.default_rng((config.mixing.seed, index, i)) for i in range(config.dataset.mixtures_per_shard))
    return np.stack([encode(mixer.mix(generator), config.dataset) for generator in generators])


def shard_path(folder: Path, index: int) -> Path:
    """Where shard number ``index`` lies."""
    return folder / f"shard_{index:06d}.npy"


def shard_paths(folder: Path) -> list[Path]:
    """The finished shards, oldest first."""
    return sorted(folder.glob("shard_??????.npy"))


def prepare_mixer(config: Config) -> Mixer:
    """Corpus and rooms, decoded and simulated first where they are not there yet."""
    set_aside = read_set_aside(Path(config.corpus.set_aside) if config.corpus.set_aside else None)
    cache, rooms = Path(config.corpus.cache), Path(config.corpus.rooms)
    if not (cache / INDEX_FILE).exists():
        roots = [Path(root) for root in (config.corpus.root, config.corpus.second_root) if root]
        lists = [(root, training_sources(read_sources(root), set_aside, config.corpus.prefix)) for root in roots]
        if not any(source.kind == "speech" for _, sources in lists for source in sources):
            raise ArgumentError(f"expected recordings of speech below {' or '.join(map(str, roots))} (corpus.root), got none")
        build_cache([(root, source) for root, sources in lists for source in sources], cache, config.corpus.denoiser)
    if config.mixing.room > 0 and not rooms.exists():
        build_bank(rooms, config.corpus.n_rooms, config.mixing.seed, config.corpus.rt60_s)
    return Mixer(Corpus(cache, set_aside), load_bank(rooms) if config.mixing.room > 0 else [], config.mixing)


def generate(config: Config, report: Callable[[str], None] = print) -> None:
    """Makes shards, endlessly or as many as asked, going on after those that exist; deletes the oldest beyond ``keep``."""
    folder, mixer = Path(config.dataset.folder), prepare_mixer(config)
    folder.mkdir(parents=True, exist_ok=True)
    existing = shard_paths(folder)
    index = int(existing[-1].stem[-6:]) + 1 if existing else 0
    while not config.dataset.shards or index < config.dataset.shards:
        started = time.perf_counter()
        shard = make_shard(mixer, config, index)
        partial = folder / f"partial_{index:06d}.npy"
        np.save(partial, shard)
        partial.replace(shard_path(folder, index))
        for path in shard_paths(folder)[: -config.dataset.keep]:
            path.unlink()
        hours = math.prod(shard.shape[:2]) / FRAMES_PER_HOUR
        report(f"shard {index}: {hours:.3f} h of audio in {time.perf_counter() - started:.1f} s")
        index += 1


class Shards:
    """Random crops of the shards in a folder."""

    def __init__(self, folder: Path, frames: int) -> None:
        self._folder, self._frames = folder, frames
        self._arrays: dict[Path, Halves] = {}
        self.refresh()

    def refresh(self) -> None:
        """Opens shards that appeared and forgets those that went. Mapped, so that trainings of one machine share them."""
        paths = shard_paths(self._folder)
        known = self._arrays
        self._arrays = {path: known[path] if path in known else np.load(path, mmap_mode="r") for path in paths}

    def __len__(self) -> int:
        return len(self._arrays)

    def has_spectra(self) -> bool:
        """Whether spectra lie at the end."""
        return self._width() >= COLUMNS + SPECTRA

    def n_cues(self) -> int:
        """How many cues lie behind the columns that all shards have."""
        return self._width() - COLUMNS - SPECTRA * self.has_spectra()

    def _width(self) -> int:
        return int(next(iter(self._arrays.values())).shape[2])

    def hours(self) -> float:
        """Hours of audio in all shards."""
        return sum(math.prod(array.shape[:2]) for array in self._arrays.values()) / FRAMES_PER_HOUR

    def batch(self, rng: np.random.Generator, size: int) -> Floats:
        """(size, frames, COLUMNS and cues) float32, each from a random mixture and place."""
        return self._crops(rng, size, self._frames, COLUMNS + self.n_cues())

    def clips(self, rng: np.random.Generator, size: int, frames: int) -> Floats:
        """Likewise, of another length and with the spectra."""
        return self._crops(rng, size, frames, self._width())

    def _crops(self, rng: np.random.Generator, size: int, frames: int, width: int) -> Floats:
        arrays = list(self._arrays.values())
        out = np.empty((size, frames, width), dtype=np.float32)
        for row in out:
            array = arrays[rng.integers(len(arrays))]
            if array.shape[1] < frames:
                raise ArgumentError(f"expected crops of at most {array.shape[1]} frames, as long as a mixture, got {frames}")
            start = int(rng.integers(array.shape[1] - frames + 1))
            row[:] = array[rng.integers(len(array)), start : start + frames, :width]
        return out

    def mixtures(self, count: int) -> Iterator[Halves]:
        """The first ``count`` mixtures, each (frames, COLUMNS or more)."""
        for array in self._arrays.values():
            yield from array[:count]
            count -= len(array)
            if count <= 0:
                return


def feature_scaling(mixtures: Iterator[Halves]) -> tuple[Floats, Floats]:
    """Mean and 1 / standard deviation of the features over the frames that reach the network: (FEATURES,) each."""
    rows = np.concatenate([m[np.asarray(m[:, GATED]) == 0][:, FEATURE].astype(np.float64) for m in mixtures])
    return rows.mean(0).astype(np.float32), (1 / np.maximum(rows.std(0), 1e-2)).astype(np.float32)
