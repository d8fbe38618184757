"""Pruning: the schedule, that the weakest blocks go and stay away, and that the weight file gets smaller."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from percepnet._core import FEATURES
from percepnet.training.config import Config, ModelConfig, TrainConfig
from percepnet.training.dataset import COLUMNS
from percepnet.training.export import export_run
from percepnet.training.model import Network
from percepnet.training.prune import density, keep, kept_blocks, prune, pruned_matrices, strengths, strongest
from percepnet.training.train import Run, load_checkpoint, new_run, save_checkpoint, train_step

PRUNING = TrainConfig(prune_density=0.25, prune_from_step=100, prune_to_step=300, prune_every=50)


def test_density_falls_as_a_cubic_from_all_to_the_last() -> None:
    got = [density(step, PRUNING) for step in (0, 100, 200, 300, 1000)]

    assert got == [1.0, 1.0, 0.25 + 0.75 / 8, 0.25, 0.25]


def test_nothing_is_pruned_before_the_schedule_or_without_one() -> None:
    network = Network(ModelConfig(8, 16, 8))

    assert kept_blocks(network, 99, PRUNING) == []
    assert kept_blocks(network, 500, TrainConfig()) == []


def test_the_strongest_blocks_stay() -> None:
    matrix = torch.zeros(32, 8)
    matrix[:16, 4:], matrix[16:, :4] = 2.0, 1.0

    kept = strongest(matrix, 0.25)
    keep(matrix, kept)

    assert kept.tolist() == [[False, True], [False, False]]
    assert matrix[:16, 4:].min() == 2.0
    assert torch.count_nonzero(matrix) == 64


def test_edges_that_fill_no_block_are_pruned_too() -> None:
    matrix = torch.ones(17, 6)
    matrix[16:] *= 5.0

    keep(matrix, strongest(matrix, 0.5))

    assert strengths(matrix).shape == (2, 2)
    assert torch.count_nonzero(matrix[16:]) == 4  # 4 weights of 5 outweigh 16 x 4 of 1, but 2 do not
    assert torch.count_nonzero(matrix) == 4 + 64


def small_run(**pruning: float) -> Run:
    torch.set_num_threads(1)  # as train() does: two threads on a shared core wait for each other
    config = Config(model=ModelConfig(16, 32, 16), train=TrainConfig(batch=2, frames=20, burn_in=2, **pruning))  # type: ignore[arg-type]
    return new_run(config)


def batch(seed: int) -> np.ndarray:
    """Rows of any values in 0..1: what is learnt does not matter here."""
    return np.random.default_rng(seed).random((2, 20, COLUMNS), np.float32)


def zero_blocks(run: Run) -> list[int]:
    return [int((strengths(matrix) == 0).sum()) for matrix in pruned_matrices(run.network)]


def test_pruned_blocks_stay_away_in_training_averaging_and_resuming(tmp_path: Path) -> None:
    run = small_run(prune_density=0.25, prune_from_step=1, prune_to_step=3, prune_every=1)
    for step in range(4):
        train_step(run, batch(step))
    gone = zero_blocks(run)
    save_checkpoint(run, tmp_path / "checkpoint.pt")
    resumed = load_checkpoint(tmp_path / "checkpoint.pt")
    for step in (4, 5):
        train_step(run, batch(step))
        train_step(resumed, batch(step))

    totals = [strengths(matrix).numel() for matrix in pruned_matrices(run.network)]
    assert gone == [total - round(0.25 * total) for total in totals]
    assert zero_blocks(run) == gone
    for one, other, average in zip(*(pruned_matrices(n) for n in (run.network, resumed.network, run.average)), strict=True):
        assert torch.equal(one, other)
        assert torch.equal(strengths(average) == 0, strengths(one) == 0)


def test_a_pruned_network_exports_to_a_smaller_file_of_the_same_bits() -> None:
    run, features = small_run(), np.random.default_rng(0).normal(0, 1, (40, FEATURES + 1)).astype(np.float32)
    dense, _ = export_run(run, features, {"id": "dense"}, to_int8=True)

    prune(run.average, [strongest(matrix, 0.25) for matrix in pruned_matrices(run.average)])
    sparse, _ = export_run(run, features, {"id": "sparse"}, to_int8=True)  # proves equality itself

    assert len(sparse) < 0.7 * len(dense)
