"""The pitch tracker: labels from clean speech, a toy run that learns, resumes bit for bit and becomes a weight file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import signals
from percepnet import _core, load_model
from percepnet.training import pitch
from percepnet.training.config import Config, load_config
from percepnet.training.dataset import make_shard, prepare_mixer, shard_paths
from percepnet.training.export import read_tensors, tracker_tensors
from percepnet.training.int8 import Int8
from percepnet.training.mixing import Mixture

N_SAMPLES = 96000


def vowel(f0_hz: float, snr_db: float = 20.0) -> Mixture:
    clean = signals.voiced(signals.glide(f0_hz, f0_hz, 2.0)).astype(np.float32)
    noisy = signals.at_snr(clean, signals.noise(2.0, seed=1), snr_db).astype(np.float32)
    return Mixture(noisy, clean, 24000.0, "synthetic", snr_db)


def settings(toy: Config, folder: Path, **changes: object) -> Config:
    small: dict[str, object] = {
        "folder": str(folder),
        "dense": 16,
        "hidden": 16,
        "batch": 4,
        "frames": 60,
        "log_steps": 10,
        "shards": 2,
        "warm_up": 3,
        "learning_rate": 2e-2,
    }
    return replace(toy, pitch=replace(toy.pitch, **{**small, "steps": 60, **changes}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(toy: Config, tmp_path_factory: pytest.TempPathFactory) -> Config:
    config = settings(toy, tmp_path_factory.mktemp("pitch"))
    pitch.generate(config, lambda _: None)
    pitch.train(config, lambda _: None)
    return config


@pytest.mark.parametrize("f0_hz", [100.0, 160.0, 320.0])
def test_labels_are_the_lags_of_the_clean_voice(f0_hz: float) -> None:
    rows = pitch.encode(vowel(f0_hz, snr_db=0.0), 2)[10:-10]

    lag = rows[:, pitch.LAG]
    assert np.mean(lag >= 0) > 0.95
    assert np.abs(np.median(lag) + 32 - 16000 / f0_hz) <= 1


def test_cues_are_those_of_the_hop_that_completes_the_frame() -> None:
    mixture = vowel(150.0)

    rows = pitch.encode(mixture, 2)

    np.testing.assert_allclose(rows[:, : pitch.LAG], _core.pitch_cues(mixture.noisy)[2:], atol=1e-3)


def test_no_voice_no_lag() -> None:
    hum = vowel(150.0)

    assert np.all(pitch.encode(replace(hum, snr_db=float("-inf")), 2)[:, pitch.LAG] == -1)


def test_targets_are_distributions_around_their_lag() -> None:
    targets = pitch.soft_lags()

    torch.testing.assert_close(targets.sum(1), torch.ones(225))
    assert torch.equal(targets.argmax(1), torch.arange(225))


def test_it_learns(finished: Config) -> None:
    shards, targets = pitch.read_shards(Path(finished.pitch.folder)), pitch.soft_lags()
    rows = pitch.batch(shards, np.random.default_rng(5), finished.pitch)
    trained = pitch.load_run(Path(finished.pitch.folder) / pitch.CHECKPOINT, finished.pitch)

    with torch.no_grad():
        before = pitch.loss(pitch.new_run(finished.pitch).average, rows, targets, 10)
        after = pitch.loss(trained.average, rows, targets, 10)

    assert after["lags"] < 0.9 * before["lags"]


def test_an_interrupted_run_ends_with_the_same_weights(finished: Config, toy: Config, tmp_path: Path) -> None:
    for path in shard_paths(Path(finished.pitch.folder)):
        (tmp_path / path.name).symlink_to(path)

    config = settings(toy, tmp_path)
    stopped = pitch.load_run(tmp_path / pitch.CHECKPOINT, config.pitch)
    shards, targets = pitch.read_shards(tmp_path), pitch.soft_lags()
    torch.set_num_threads(1)
    for _ in range(20):
        pitch.train_step(stopped, pitch.batch(shards, stopped.rng, config.pitch), targets, config.pitch)
    pitch.save_run(stopped, tmp_path / pitch.CHECKPOINT)
    resumed = pitch.train(config, lambda _: None)

    whole = pitch.load_run(Path(finished.pitch.folder) / pitch.CHECKPOINT, finished.pitch).average
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_core_and_pytorch_agree(finished: Config) -> None:
    """The weight file is int8: compared where rounding the network's signals is allowed to differ, on voicing."""
    mixture = vowel(150.0, 5.0)
    run = pitch.load_run(Path(finished.pitch.folder) / pitch.CHECKPOINT, finished.pitch)
    run.average.quantised = True

    with torch.no_grad():
        lags, voicing = run.average(torch.from_numpy(_core.pitch_cues(mixture.noisy))[None])
    model = load_model(Path(finished.pitch.folder) / pitch.MODEL)
    got = _core.analyze(mixture.noisy, lookahead=2, tracker=model.handle)

    assert np.max(np.abs(got.features[:, 69] - (2 * torch.sigmoid(voicing[0, 2:]).numpy() - 1))) < 0.02
    lag = lags[0, 2:].argmax(1).numpy() + 32
    assert np.mean(np.abs(got.period - 3 * lag) <= 4) > 0.9


def test_the_tracker_goes_into_features_and_the_next_weight_file(finished: Config, toy: Config) -> None:
    model = str(Path(finished.pitch.folder) / pitch.MODEL)
    config = replace(toy, dataset=replace(toy.dataset, tracker=model))

    shards = [make_shard(prepare_mixer(toy), c, 0) for c in (toy, config)]

    assert not np.array_equal(shards[0], shards[1])
    tensors = tracker_tensors(config)
    assert isinstance(tensors["pitch.lags.weight"], Int8)
    everything = read_tensors(load_model(model).contents)
    assert np.array_equal(everything["pitch.lags.weight"].integers, tensors["pitch.lags.weight"].integers)
    assert tracker_tensors(toy) == {}


def test_quantised_steps_round(toy: Config, finished: Config) -> None:
    config = settings(toy, Path(finished.pitch.folder), quantise_from_step=1)
    run = pitch.new_run(config.pitch)
    rows = pitch.batch(pitch.read_shards(Path(finished.pitch.folder)), run.rng, config.pitch)

    with torch.no_grad():
        plain = run.tracker(rows[..., :346])[1]
        run.tracker.quantised = True
        rounded = run.tracker(rows[..., :346])[1]

    assert 0 < float((plain - rounded).abs().max()) < 0.1


def test_settings_have_defaults() -> None:
    assert load_config(None, ["pitch.steps=3"]).pitch.steps == 3
