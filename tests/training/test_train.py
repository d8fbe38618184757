"""A toy run: it learns, stops and goes on bit for bit, and keeps its books."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import networks
from percepnet.errors import ArgumentError, AudioFormatError, ModelError
from percepnet.training.config import Config, TrainConfig
from percepnet.training.dataset import Shards, generate, prepare_mixer
from percepnet.training.export import read_weights, write_weights
from percepnet.training.loss import unpack
from percepnet.training.mixing import Mixer
from percepnet.training.model import named_tensors
from percepnet.training.train import (
    CHECKPOINT,
    LOG,
    PICTURE,
    Log,
    Run,
    average_decay,
    learning_rate,
    load_checkpoint,
    new_run,
    read_pairs,
    start,
    train,
    validate,
    validation_rows,
    wait_for_shards,
)
from percepnet.weights import load_model


def at(config: Config, folder: Path, **changes: object) -> Config:
    return replace(config, train=replace(config.train, folder=str(folder), **changes))  # type: ignore[arg-type]


def assert_equal_runs(first: Run, second: Run) -> None:
    for a, b in ((first.network, second.network), (first.average, second.average)):
        for name, tensor in a.state_dict().items():
            assert torch.equal(tensor, b.state_dict()[name]), name
    assert first.rng.bit_generator.state == second.rng.bit_generator.state
    assert first.step == second.step


@pytest.fixture(scope="session")
def pairs(toy: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two validation pairs of different lengths."""
    folder = tmp_path_factory.mktemp("pairs")
    mixer: Mixer = prepare_mixer(toy)
    for i in range(2):
        mixture = mixer.mix(np.random.default_rng((99, i)))
        for kind in ("clean", "noisy"):
            (folder / kind).mkdir(exist_ok=True)
            soundfile.write(folder / kind / f"{i}.wav", getattr(mixture, kind)[: 150000 - 10000 * i], 48000)
    return folder


@pytest.fixture(scope="session")
def finished(toy: Config, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(at(toy, tmp_path_factory.mktemp("run"), validation=str(pairs)), lambda _: None)


def log_rows(run: Run) -> list[dict[str, str]]:
    with (Path(run.config.train.folder) / LOG).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_shards_without_the_cues_that_the_network_wants_are_refused(toy: Config) -> None:
    with pytest.raises(ValueError, match=r"442 cues.*got 0.*dataset.cues"):
        train(replace(toy, model=replace(toy.model, cues=442)), lambda _: None)


def test_loss_falls(finished: Run) -> None:
    first, *_, last = log_rows(finished)

    assert float(last["loss"]) < 0.85 * float(first["loss"])


def test_recordings_that_were_not_trained_on_gain(finished: Run, pairs: Path) -> None:
    fresh = new_run(finished.config)
    fresh.average.set_scaling(finished.average.mean.numpy(), finished.average.scale.numpy())
    held = validation_rows(pairs, finished.config.dataset)

    assert validate(finished, held)["validation_loss"] < 0.85 * validate(fresh, held)["validation_loss"]


def test_log_has_a_row_every_few_steps(finished: Run) -> None:
    rows = log_rows(finished)

    assert [int(row["step"]) for row in rows] == [12, 24, 36, 48]
    assert [bool(row["validation_loss"]) for row in rows] == [False, True, False, True]


def test_equal_seeds_give_equal_weights(finished: Run, tmp_path: Path) -> None:
    assert_equal_runs(train(at(finished.config, tmp_path), lambda _: None), finished)


def test_a_resumed_run_equals_an_uninterrupted_one(finished: Run, tmp_path: Path) -> None:
    class Interruption(Exception):  # noqa: N818 - not an error
        pass

    def interrupt(line: str) -> None:
        if "step 36" in line:
            raise Interruption

    config = at(finished.config, tmp_path)
    with pytest.raises(Interruption):
        train(config, interrupt)
    assert load_checkpoint(tmp_path / CHECKPOINT).step == 24

    assert_equal_runs(train(config, lambda _: None), finished)
    logs = [(Path(folder) / LOG).read_text().splitlines() for folder in (tmp_path, finished.config.train.folder)]
    assert [line.split(",")[0] for line in logs[0]] == [line.split(",")[0] for line in logs[1]]


def test_a_finished_run_can_be_extended(finished: Run, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes((Path(finished.config.train.folder) / CHECKPOINT).read_bytes())

    longer = train(at(finished.config, tmp_path, steps=52, restart_step=48, warm_up=2), lambda _: None)

    assert longer.step == 52
    assert not torch.equal(longer.network.dense.weight, finished.network.dense.weight)


def test_learning_rate_rises_and_falls() -> None:
    config = TrainConfig(steps=100, warm_up=10, learning_rate=1.0, learning_rate_end=0.1)

    assert [learning_rate(step, config) for step in (0, 9, 10, 55, 100)] == pytest.approx([0.1, 1.0, 1.0, 0.55, 0.1])


def test_learning_rate_restarts() -> None:
    config = TrainConfig(steps=200, warm_up=10, restart_step=100, learning_rate=1.0, learning_rate_end=0.1)

    assert [learning_rate(step, config) for step in (100, 110, 200)] == pytest.approx([0.1, 1.0, 0.1])
    with pytest.raises(ValueError, match="restart_step 100"):
        learning_rate(99, config)


def test_averaging_forgets_the_start() -> None:
    config = TrainConfig(ema=0.999)

    assert average_decay(0, config) == pytest.approx(0.1)
    assert average_decay(100_000, config) == 0.999


def test_a_training_leaves_its_picture(finished: Run) -> None:
    assert (Path(finished.config.train.folder) / PICTURE).read_bytes()[:4] == b"\x89PNG"


def test_a_training_that_listens_goes_on_bit_for_bit(toy: Config, tmp_path: Path) -> None:
    shards = replace(toy.dataset, folder=str(tmp_path / "shards"), spectra=True, shards=1)
    config = replace(toy, dataset=shards, loss=replace(toy.loss, pesq=0.6, si_sdr=0.03))
    generate(config, lambda _: None)
    settings = {"steps": 6, "checkpoint_steps": 3, "log_steps": 2, "clips": 2, "clip_frames": 120, "batch": 4}
    whole = train(at(config, tmp_path / "whole", **settings), lambda _: None)

    def interrupt(line: str) -> None:
        if "step 4" in line:
            raise KeyboardInterrupt

    parts = at(config, tmp_path / "parts", **settings)
    with pytest.raises(KeyboardInterrupt):
        train(parts, interrupt)
    assert load_checkpoint(tmp_path / "parts" / CHECKPOINT).step == 3

    resumed = train(parts, lambda _: None)
    assert_equal_runs(resumed, whole)
    assert all(float(row["pesq"]) > 1 and row["si_sdr"] for run in (whole, resumed) for row in log_rows(run))


def test_shards_without_spectra_are_refused_where_a_loss_listens(toy: Config) -> None:
    with pytest.raises(ValueError, match=r"spectra.*got none.*dataset.spectra"):
        train(replace(toy, loss=replace(toy.loss, pesq=1.0)), lambda _: None)


def test_products_in_bfloat16_learn_as_well(finished: Run, tmp_path: Path) -> None:
    coarse = train(at(finished.config, tmp_path, bfloat16=True), lambda _: None)

    first, *_, last = log_rows(coarse)
    assert not torch.equal(coarse.network.dense.weight, finished.network.dense.weight)
    assert coarse.network.dense.weight.dtype == torch.float32
    assert float(last["loss"]) < 0.85 * float(first["loss"])
    assert float(last["validation_loss"]) == pytest.approx(float(log_rows(finished)[-1]["validation_loss"]), rel=0.05)


def started(toy: Config, n: int, **models: str) -> Run:
    """A run that starts from shipped models, n times the sizes of tiny."""
    config = replace(toy, model=replace(toy.model, dense=48 * n, hidden=88 * n, strength=32 * n, cues=442))
    return start(at(config, Path("nowhere"), **models), Shards(Path(toy.dataset.folder), 1), torch.device("cpu"))


def test_a_training_goes_on_from_a_shipped_model(toy: Config) -> None:
    run = started(toy, 1, start_weights="tiny")

    weights = read_weights(load_model("tiny").contents)
    for network in (run.network, run.average):
        for name, tensor in named_tensors(network).items():
            np.testing.assert_array_equal(tensor, weights[name], err_msg=name)


def test_a_training_goes_on_from_two_models_side_by_side(toy: Config) -> None:
    one, two = started(toy, 1, start_weights="tiny"), started(toy, 2, start_weights="tiny", start_beside="tiny")

    features = torch.randn(1, 20, 73 + 442, generator=torch.Generator().manual_seed(1))
    for wanted, given in zip(one.average(features)[:3], two.average(features)[:3], strict=True):
        torch.testing.assert_close(given, wanted, rtol=0, atol=1e-5)
    assert not two.average.gru1.weight_hh_l0[:88, 88:].any()  # two networks, not one widened: they do not listen to each other


def test_a_teacher_is_imitated(toy: Config, tmp_path: Path) -> None:
    """One that says the same whatever it hears, and nothing that is right."""
    said = {"gains": -2.0, "strengths": 1.0, "speech": -3.0}
    tensors = networks.random_tensors(dereverb=True)
    tensors |= {f"{name}.weight": np.zeros_like(tensors[f"{name}.weight"]) for name in said}
    tensors |= {f"{name}.bias": np.full_like(tensors[f"{name}.bias"], value) for name, value in said.items()}
    (tmp_path / "teacher.pnw").write_bytes(write_weights(tensors, 2, {}))
    config = at(toy, tmp_path / "run", teacher=str(tmp_path / "teacher.pnw"))

    run = train(replace(config, loss=replace(config.loss, spectral=0.0)), lambda _: None)

    rows = torch.from_numpy(Shards(Path(toy.dataset.folder), 40).batch(np.random.default_rng(1), 10))
    with torch.no_grad():
        *given, _ = run.network(unpack(rows, torch.ones_like(rows[..., 0])).features)
    for value, output in zip(said.values(), given, strict=True):
        assert float(output.mean()) == pytest.approx(1 / (1 + np.exp(-value)), abs=0.05)


def test_a_teacher_that_hears_other_cues_is_refused(toy: Config) -> None:
    with pytest.raises(ArgumentError, match=r"expected a teacher that hears 0 cues .*442"):
        train(at(toy, Path(toy.train.folder), teacher="tiny"), lambda _: None)


def test_a_log_with_columns_of_another_version_is_kept(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text("step,of_old,loss\n1,7,0.5\n2,8,0.25\n")

    Log(tmp_path / LOG, 2).close()

    with (tmp_path / LOG).open() as file:
        assert [(row["step"], row["loss"]) for row in csv.DictReader(file)] == [("1", "0.5"), ("2", "0.25")]


@pytest.mark.parametrize(
    ("sample_rate", "shape", "message"),
    [(16000, 4800, "one channel of 48000 Hz, got 1 of 16000 Hz"), (48000, (4800, 2), "got 2 of 48000 Hz"), (0, 0, "got none")],
)
def test_pairs_that_are_none_are_refused(tmp_path: Path, sample_rate: int, shape: object, message: str) -> None:
    for kind in ("clean", "noisy"):
        (tmp_path / kind).mkdir()
        if sample_rate:
            soundfile.write(tmp_path / kind / "a.wav", np.zeros(shape), sample_rate)  # type: ignore[call-overload]

    with pytest.raises(AudioFormatError, match=message):
        list(read_pairs(tmp_path))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    for contents in (b"", b"no checkpoint", load_model("tiny").contents):
        (tmp_path / "a.pt").write_bytes(contents)
        with pytest.raises(ModelError, match="not a checkpoint"):
            load_checkpoint(tmp_path / "a.pt")


def test_crops_longer_than_a_mixture_are_refused(toy: Config) -> None:
    shards = Shards(Path(toy.dataset.folder), 10**6)

    with pytest.raises(ArgumentError, match="frames"):
        shards.batch(np.random.default_rng(1), 1)


def test_cues_that_no_tracker_tells_are_refused(toy: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shards, "n_cues", lambda _: 442)

    with pytest.raises(ArgumentError, match=r"model\.cues of 0, 346 or 442.*got 100"):
        wait_for_shards(replace(toy, model=replace(toy.model, cues=100)), print)
