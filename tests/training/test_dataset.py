"""Shards: what the core says, masked where it means nothing, in float16."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import signals
from percepnet import _core
from percepnet.errors import ArgumentError
from percepnet.training import dataset
from percepnet.training.bands import BAND_CENTRES, band_mask
from percepnet.training.config import Config, DatasetConfig
from percepnet.training.dataset import COLUMNS, DISTANCE, ENERGY_DB, FEATURE, GAIN, SPEECH, STRENGTH, Shards
from percepnet.training.mixing import Mixture
from percepnet.weights import load_model


def example(bandwidth_hz: float = 24000.0, snr_db: float = 5.0) -> Mixture:
    clean = signals.speech_like(2.0, seed=4)[:96000]
    noisy = signals.at_snr(clean, signals.noise(2.0, seed=5), 5.0)
    return Mixture(noisy.astype(np.float32), clean.astype(np.float32), bandwidth_hz, "noise", snr_db)


def test_band_centres_are_those_of_the_specification() -> None:
    table = "2 4 6 8 10 12 14 16 18 21 24 28 32 36 41 47 53 60 68 77 87 98 110 124 140 157 176 198 223 251 282 317 356 400"

    assert [int(c) for c in table.split()] == BAND_CENTRES.tolist()


def test_bands_above_the_bandwidth_are_masked() -> None:
    rows = dataset.encode(example(bandwidth_hz=8000.0), DatasetConfig())

    allowed = band_mask(8000.0)
    assert allowed.sum() == 25
    assert (rows[:, GAIN][:, ~allowed] == -1).all()
    assert (rows[:, STRENGTH][:, ~allowed] == -1).all()
    assert (rows[:, GAIN][:, allowed] >= 0).any()


def test_rows_are_the_analysis_of_the_core() -> None:
    mixture = example()
    analysis = _core.analyze(mixture.noisy, mixture.clean, lookahead=2)
    assert analysis.gains is not None

    rows = dataset.encode(mixture, DatasetConfig())

    assert rows.shape == (198, COLUMNS)
    np.testing.assert_allclose(rows[:, FEATURE], analysis.features, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(rows[:, GAIN], np.where(analysis.gated[:, None], -1, analysis.gains), atol=1e-3)


def test_cues_follow_where_they_are_wanted() -> None:
    mixture = example()
    handle = load_model("default").handle

    plain, rows = (dataset.encode(mixture, DatasetConfig(tracker="default", cues=cues)) for cues in (False, True))

    seen = _core.analyze(mixture.noisy, mixture.clean, tracker=handle)
    assert np.array_equal(rows[:, : dataset.COLUMNS], plain)
    heard = ~seen.gated
    np.testing.assert_allclose(rows[heard, dataset.COLUMNS :], seen.cues[heard], atol=1e-3)
    assert not rows[~heard, dataset.COLUMNS :].any()


def test_a_tracker_of_another_lookahead_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"expected dataset.lookahead=2, .* of default .* got 0"):
        dataset.tracker(DatasetConfig(tracker="default", lookahead=0))


def test_statistics_survive_half_precision() -> None:
    mixture = example()
    statistics = _core.analyze(mixture.noisy, mixture.clean, lookahead=2).statistics
    assert statistics is not None

    rows = dataset.encode(mixture, DatasetConfig()).astype(np.float64)
    noisy, _, clean = (10 ** (part / 10) for part in np.split(rows[:, ENERGY_DB], 3, axis=1))
    _, noisy_clean, _ = np.split(1 - rows[:, DISTANCE], 3, axis=1)

    np.testing.assert_allclose(noisy, statistics[:, 0], rtol=1e-2, atol=1e-8)
    product = noisy_clean * np.sqrt(noisy * clean)
    np.testing.assert_allclose(product, statistics[:, 4], rtol=2e-2, atol=1e-3 * np.sqrt(noisy * clean).max())


def test_label_follows_the_speech() -> None:
    samples = np.concatenate((np.zeros(48000), signals.speech_like(1.0)[:48000])).astype(np.float32)
    hiss = signals.noise(2.0, level_db=-80).astype(np.float32)

    label = dataset.encode(Mixture(samples + hiss, samples + hiss, 24000.0, "none", float("inf")), DatasetConfig())[:, SPEECH]
    silent = dataset.encode(replace(example(), snr_db=float("-inf")), DatasetConfig())[:, SPEECH]

    assert label[:97].sum() == 0
    assert label[100:].mean() > 0.5
    assert silent.sum() == 0


def test_a_shard_depends_on_seed_and_index_alone(toy: Config) -> None:
    stored = np.load(dataset.shard_path(Path(toy.dataset.folder), 1))

    np.testing.assert_array_equal(dataset.make_shard(dataset.prepare_mixer(toy), toy, 1), stored)
    assert stored.dtype == np.float16
    assert np.isfinite(stored).all()


def test_generation_goes_on_and_keeps_the_newest(toy: Config, tmp_path: Path) -> None:
    mixing, folder = replace(toy.mixing, seconds=1.0), str(tmp_path)
    first = replace(toy, mixing=mixing, dataset=replace(toy.dataset, folder=folder, mixtures_per_shard=1, shards=2, keep=2))
    dataset.generate(first, lambda _: None)

    dataset.generate(replace(first, dataset=replace(first.dataset, shards=4)), lambda _: None)

    assert [path.name for path in dataset.shard_paths(tmp_path)] == ["shard_000002.npy", "shard_000003.npy"]


def test_new_shards_are_seen(toy: Config, tmp_path: Path) -> None:
    source = dataset.shard_path(Path(toy.dataset.folder), 0).read_bytes()
    dataset.shard_path(tmp_path, 0).write_bytes(source)
    shards = Shards(tmp_path, 50)
    dataset.shard_path(tmp_path, 1).write_bytes(source)

    shards.refresh()

    assert len(shards) == 2
    assert shards.batch(np.random.default_rng(0), 3).shape == (3, 50, COLUMNS)


def test_scaling_makes_features_standard(toy: Config) -> None:
    shards = Shards(Path(toy.dataset.folder), 50)

    mean, scale = dataset.feature_scaling(shards.mixtures(15))
    rows = np.concatenate(list(shards.mixtures(15))).astype(np.float32)
    standard = (rows[rows[:, dataset.GATED] == 0][:, FEATURE] - mean) * scale

    np.testing.assert_allclose(standard.mean(0), 0, atol=1e-2)
    assert ((standard.std(0) < 1.01) & (standard.std(0) > 0)).all()
