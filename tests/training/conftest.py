"""A corpus of a few synthetic files and the smallest settings that train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import signals

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("scipy", reason="training needs the extra `train`")
pytest.importorskip("pyroomacoustics", reason="training needs the extra `train`")

from percepnet.training.config import Config, load_config
from percepnet.training.corpus import Corpus, build_cache, read_sources, training_sources
from percepnet.training.dataset import generate

GAP = np.zeros(7200)  # 0.15 s of digital silence between clips


@pytest.fixture(scope="session")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """speech/SPEAKER/FILE, noise/FILE and music/FILE: a folder of a user's own."""
    root = tmp_path_factory.mktemp("corpus")
    files = {f"speech/{name}/{name}.wav": _talk(seed) for seed, name in enumerate(("ada", "ben", "cleo", "dan", "eve", "fay"))}
    files |= {f"noise/{i}.flac": signals.noise(3.0, exponent=i, seed=i) for i in range(3)}
    files |= {"noise/muges/rain.wav": signals.noise(3.0, seed=7), "music/tone.wav": signals.tone(440, 3.0)}
    files |= {"sfx/mechvibes/keys.wav": _keys(), "rir/hall.wav": signals.click(4800, 10)}
    for name, samples in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, samples, signals.RATE, subtype="PCM_16")
    return root


def _talk(seed: int) -> np.ndarray:
    clips = [signals.speech_like(1.5, seed=10 * seed + i) for i in range(3)]
    return np.concatenate([clips[0], GAP, clips[1], GAP, clips[2]])


def _keys() -> np.ndarray:
    """Short bursts, five a second."""
    return signals.noise(3.0, seed=9) * np.exp(-(np.arange(144000) % 9600) / 480)


@pytest.fixture(scope="session")
def cache(corpus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    build_cache([(corpus_root, source) for source in training_sources(read_sources(corpus_root), [])], folder)
    return folder


@pytest.fixture(scope="session")
def corpus(cache: Path) -> Corpus:
    return Corpus(cache)


TOY = (
    "corpus.n_rooms=2", "mixing.seconds=4", "dataset.mixtures_per_shard=5", "dataset.shards=3",
    "model.dense=8", "model.hidden=16", "model.strength=8", "loss.spectral=2.0",
    "train.steps=48", "train.batch=10", "train.frames=40", "train.burn_in=5", "train.warm_up=3", "train.log_steps=12",
    "train.learning_rate=1e-2", "train.checkpoint_steps=24", "train.validation_steps=24", "train.watch_shards=false",
)  # fmt: skip


@pytest.fixture(scope="session")
def toy(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A minute of mixtures, made, and the settings to train a tiny network on them."""
    folder = tmp_path_factory.mktemp("toy")
    places = [f"corpus.cache={cache}", f"corpus.rooms={folder / 'rooms.npz'}", f"dataset.folder={folder / 'shards'}"]
    config = load_config(None, [*TOY, *places, f"train.folder={folder / 'run'}"])
    generate(config, lambda _: None)
    return config
