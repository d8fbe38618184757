"""The process that trains: one thread, the same bits again, memory kept."""

from __future__ import annotations

import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc
KEPT_BYTES, ASKED_BYTES = 2**31 - 1, 2**28


def prepare(device: torch.device) -> None:
    """Before a training: one thread, on a CPU deterministic operations, and memory that stays with the process."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(device.type == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing reads it
    keep_memory()


def keep_memory() -> None:
    """Has glibc keep large blocks: giving them back and fetching them again, page by page, is a third of a step by ear."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_TOP_PAD, ASKED_BYTES)):
            mallopt(option, value)
