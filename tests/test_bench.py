"""percepnet bench: every number is there and makes sense; nothing is timed that gives another output. Never how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import percepnet
from percepnet import benchmark
from percepnet.cli.bench import table

FEW = ["--hot", "20", "--paced", "3"]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it pins itself to one core."""
    return subprocess.run([sys.executable, "-m", "percepnet", "bench", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def result(model_paths: list[Path]) -> dict[str, object]:
    done = bench("--model", str(model_paths[2]), "--sample-rate", "16000", "--channels", "2", "--json", *FEW)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_every_instruction_set_is_timed_and_the_best_one_paced(
    result: dict[str, dict[str, dict[str, float]]], model: percepnet.Model
) -> None:
    handles = benchmark.handles(model)

    assert list(result["hops"]) == [f"{isa}, hot" for isa in handles] + [f"{next(iter(handles))}, paced"]
    for row in result["hops"].values():
        assert 0 < row["min"] <= row["median"] <= row["p99"] <= row["max"]
        assert row["percent_of_core"] == pytest.approx(row["median"] / 100, abs=0.01)


def test_parts_make_up_a_hop(result: dict[str, dict[str, float]]) -> None:
    assert set(result["stages"]) == {"call from Python", "front end", "networks", "gains, synthesis, resampling"}
    assert result["stages"]["front end"] > 0


def test_streams_files_memory_and_start_up_are_told(result: dict[str, dict[str, float]]) -> None:
    streams, start_up = result["streams"], result["start_up"]

    assert streams["per_core"] == pytest.approx(10000 / streams["us_per_hop_median"], rel=0.2)
    assert streams["us_per_hop_min"] <= streams["us_per_hop_median"]
    assert start_up["import_ms"] > 0
    assert start_up["load_ms"] > 0
    assert result["file_times_real_time"] > 0  # type: ignore[operator]
    assert result["stream_bytes"] > 100_000  # type: ignore[operator]


def test_table_shows_every_row(result: dict[str, dict[str, float]]) -> None:
    shown = table(result)

    assert all(f"| {name} |" in shown for name in (*result["hops"], *result["stages"]))
    assert f"{result['streams']['per_core']} streams per core" in shown


def test_a_kernel_with_another_output_is_not_timed(model: percepnet.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    made, hops = benchmark.handles(model), benchmark.signal(48000, 1)
    right = benchmark.output(made["portable"], hops, 48000)
    outputs = iter([right, right + np.float32(1e-7)])
    monkeypatch.setattr(benchmark, "output", lambda *_: next(outputs))

    with pytest.raises(percepnet.PercepNetError, match="does not give the same output"):
        benchmark.check(made, hops, 48000)


def test_unknown_model_is_told() -> None:
    done = bench("--model", "nonsense", *FEW)

    assert done.returncode == 4
    assert "nonsense" in done.stderr
