"""Block sparsity: the weakest blocks of 16 rows by 4 columns become zero on a schedule, and stay zero (SPEC 6.5).

What is pruned is told by the weights themselves, blocks that are all zero, so that a resumed run needs no other memory.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from percepnet.training.config import TrainConfig
from percepnet.training.int8 import BLOCK_COLUMNS, BLOCK_ROWS
from percepnet.training.model import Network, named_parameters

LAYERS = ("conv2", "gru1", "gru2", "gru3", "gru_gain", "gru_strength")  # nearly all weights; the others stay dense


def pruned_matrices(network: Network) -> list[Tensor]:
    """The matrices that lose blocks."""
    named = named_parameters(network).items()
    return [matrix for name, matrix in named if name.split(".")[0] in LAYERS and name.endswith("weight")]


def density(step: int, config: TrainConfig) -> float:
    """Share of the blocks to keep after a step: a cubic from 1 to ``prune_density`` (Zhu and Gupta, 2017)."""
    begin, end = config.prune_from_step, config.prune_to_step
    progress = min(max((step - begin) / max(end - begin, 1), 0.0), 1.0)
    return config.prune_density + (1 - config.prune_density) * (1 - progress) ** 3


def strengths(matrix: Tensor) -> Tensor:
    """Sum of squares of each block: (strips, columns / 4)."""
    rows, columns = matrix.shape
    padded = functional.pad(matrix.detach(), (0, -columns % BLOCK_COLUMNS, 0, -rows % BLOCK_ROWS))
    blocks = padded.reshape(-1, BLOCK_ROWS, padded.shape[1] // BLOCK_COLUMNS, BLOCK_COLUMNS)
    return blocks.square().sum((1, 3))


def strongest(matrix: Tensor, share: float) -> Tensor:
    """Which blocks to keep: those that are not zero yet, and of these the strongest."""
    values = strengths(matrix)
    n = min(max(round(share * values.numel()), 1), int((values > 0).sum()))
    kept = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    kept[values.flatten().topk(n).indices] = True
    return kept.reshape(values.shape)


def keep(matrix: Tensor, kept: Tensor) -> None:
    """Zeros in all other blocks."""
    rows, columns = matrix.shape
    mask = kept.repeat_interleave(BLOCK_ROWS, 0)[:rows].repeat_interleave(BLOCK_COLUMNS, 1)[:, :columns]
    matrix.mul_(mask)


def kept_blocks(network: Network, step: int, config: TrainConfig) -> list[Tensor]:
    """What each pruned matrix keeps after this step, seen before it; empty while nothing is pruned."""
    if config.prune_density >= 1 or step < config.prune_from_step:
        return []
    due = step % config.prune_every == 0 or step == config.prune_to_step
    share = density(step, config) if due else 1.0
    return [strongest(matrix, share) for matrix in pruned_matrices(network)]


def prune(network: Network, kept: list[Tensor]) -> None:
    """The blocks that are not kept become zero."""
    with torch.no_grad():
        for matrix, blocks in zip(pruned_matrices(network), kept, strict=True):
            keep(matrix, blocks)
