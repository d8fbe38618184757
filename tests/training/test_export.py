"""A checkpoint becomes a file that the core reads, or none at all."""

import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from percepnet import _core
from percepnet.errors import ArgumentError, PercepNetError
from percepnet.training import export, int8
from percepnet.training.config import Config
from percepnet.training.export import export_checkpoint, export_run, write_weights
from percepnet.training.model import named_tensors
from percepnet.training.train import CHECKPOINT, Run, new_run, save_checkpoint
from percepnet.weights import load_model, shipped_models


@pytest.fixture
def run(toy: Config) -> Run:
    """Weights that move with the features."""
    fresh = new_run(toy)
    with torch.no_grad():
        for parameter in fresh.average.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())), alpha=0.2)
    return fresh


def test_header_is_that_of_the_format() -> None:
    contents = write_weights({"a": np.arange(6.0).reshape(2, 3)}, 2, {"id": "x"})

    assert contents[:8] == b"PERCEPNT"
    version, checksum, size, lookahead, n_features, n_scalars, n_tensors, card, card_size = struct.unpack_from(
        "<IIQIIIIQQ", contents, 8
    )
    assert (version, lookahead, n_features, n_scalars, n_tensors) == (2, 2, 72, 0, 1)
    assert size == len(contents)
    assert checksum == zlib.crc32(contents[16:])
    assert json.loads(contents[card : card + card_size]) == {"id": "x"}
    name, kind, storage, rows, columns, offset, n_bytes = struct.unpack_from("<40sIIIIQQ", contents, 256)
    assert (name.rstrip(b"\0"), kind, storage, rows, columns, offset % 64, n_bytes) == (b"a", 0, 0, 2, 3, 0, 24)
    np.testing.assert_array_equal(np.frombuffer(contents, "<f4", 6, offset), np.arange(6))


def test_core_computes_what_was_trained(run: Run, toy: Config, tmp_path: Path) -> None:
    save_checkpoint(run, tmp_path / CHECKPOINT)
    (tmp_path / "card.json").write_text('{"licence": "CC0-1.0", "limits": "a toy"}')

    difference = export_checkpoint(tmp_path / CHECKPOINT, tmp_path / "toy.pnw", tmp_path / "card.json", "toy")

    model = _core.ModelHandle((tmp_path / "toy.pnw").read_bytes())
    card = json.loads(model.card)
    assert difference < 1e-5
    assert model.lookahead == toy.dataset.lookahead
    assert (card["id"], card["licence"], card["limits"]) == ("toy", "CC0-1.0", "a toy")
    assert {row["source"] for row in card["data"]} >= {"ada", "mechvibes"}
    assert card["recipe"]["model"]["hidden"] == 16


def test_features_reach_the_outputs(run: Run) -> None:
    features = np.random.default_rng(0).normal(0, 10, (30, 73)).astype(np.float32)

    contents, _ = export_run(run, features, {})
    gains, strengths, _ = _core.network_run(_core.ModelHandle(contents), features)

    assert gains.std() > 0.05
    assert strengths.std() > 0.05


def test_a_network_that_differs_is_not_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(network: object) -> dict[str, np.ndarray]:
        tensors = named_tensors(network)  # type: ignore[arg-type]
        return tensors | {"gains.bias": tensors["gains.bias"] + 0.01}

    save_checkpoint(run, tmp_path / CHECKPOINT)
    monkeypatch.setattr("percepnet.training.model.named_tensors", damaged)

    with pytest.raises(PercepNetError, match="nothing was written"):
        export_checkpoint(tmp_path / CHECKPOINT, tmp_path / "toy.pnw", None, "toy")
    assert not list(tmp_path.glob("toy.pnw*"))


@pytest.mark.parametrize("to_int8", [False, True])
def test_a_network_that_hears_cues_is_what_was_trained(toy: Config, to_int8: bool) -> None:
    fresh = new_run(
        replace(toy, model=replace(toy.model, cues=442), dataset=replace(toy.dataset, tracker="default", cues=True))
    )
    features = np.random.default_rng(0).uniform(-1, 1, (30, 73 + 442)).astype(np.float32)

    contents, difference = export_run(fresh, features, {}, to_int8)

    model = _core.ModelHandle(contents)
    assert difference < 1e-5
    assert model.n_inputs == 73 + model.n_cues == 73 + 442
    without = features.copy()
    without[:, 73:] = 0
    gains, deaf = (_core.network_run(model, rows)[0] for rows in (features, without))
    assert np.abs(gains - deaf).max() > 1e-3


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_tensors_are_read_to_the_last_bit(name: str) -> None:
    model = load_model(name)

    tensors = export.read_tensors(model.contents)

    assert export.write_weights(tensors, model.lookahead, model.card) == model.contents
    weights = export.read_weights(model.contents)
    np.testing.assert_array_equal(int8.quantise(weights["gru1.input_weight"]).integers, tensors["gru1.input_weight"].integers)


def test_export_module_needs_no_torch() -> None:
    names = set(vars(export))

    assert "torch" not in names


def test_int8_is_smaller_and_says_what_it_costs(run: Run) -> None:
    features = np.random.default_rng(0).normal(0, 10, (30, 73)).astype(np.float32)

    (exact, _), (quantised, _) = (export_run(run, features, {}, to_int8) for to_int8 in (False, True))

    card = json.loads(_core.ModelHandle(quantised).card)
    assert len(quantised) < len(exact) / 2
    assert card["quantisation"]["type"] == "int8"
    assert 0 < card["quantisation"]["rms_gains"] < 0.05


def test_int8_that_differs_in_one_weight_is_not_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(tensors: dict[str, object], features: np.ndarray) -> object:
        weight = tensors["conv2.weight"]
        weight.integers[0, 0] ^= 1  # type: ignore[attr-defined]
        return correct(tensors, features)

    correct = export.int8.run
    monkeypatch.setattr(export.int8, "run", damaged)

    with pytest.raises(PercepNetError, match="bit for bit"):
        export_run(run, np.random.default_rng(0).normal(0, 10, (30, 73)).astype(np.float32), {}, to_int8=True)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_card_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)

    with pytest.raises(ArgumentError, match=r"card\.json"):
        export.read_card(tmp_path / "card.json")
