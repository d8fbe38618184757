"""Models: found, verified, shared."""

import copy
import hashlib
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import percepnet
from networks import random_tensors
from percepnet import weights
from percepnet.training.export import write_weights

CARD = {"id": "random", "licence": "CC0-1.0", "scores": {"pesq": 1.5}}


@pytest.fixture(scope="module")
def contents() -> bytes:
    return write_weights(random_tensors(seed=7), 1, CARD)


def test_model_knows_its_file(contents: bytes) -> None:
    model = percepnet.Model.from_bytes(contents)

    known = (model.id, model.licence, model.card, model.lookahead, model.has_speech, model.sha256)
    assert known == ("random", "CC0-1.0", CARD, 1, True, hashlib.sha256(contents).hexdigest())


def test_n_weights_counts_the_network(contents: bytes) -> None:
    expected = sum(t.size for name, t in random_tensors(seed=7).items() if not name.startswith("features."))

    assert percepnet.Model.from_bytes(contents).n_weights == expected


def test_model_by_path_and_by_string(model_paths: list[Path]) -> None:
    assert percepnet.load_model(model_paths[0]) is percepnet.load_model(str(model_paths[0]))


def test_equal_contents_are_one_model(tmp_path: Path, model_paths: list[Path]) -> None:
    copied = tmp_path / "copy.pnw"
    copied.write_bytes(model_paths[1].read_bytes())

    assert percepnet.load_model(copied) is percepnet.load_model(model_paths[1])


def test_a_model_is_its_own_name(model: percepnet.Model) -> None:
    assert percepnet.load_model(model) is model


def test_model_is_pickled_with_its_contents(model: percepnet.Model) -> None:
    assert pickle.loads(pickle.dumps(model)) is model


def test_copies_are_the_model(model: percepnet.Model) -> None:
    assert copy.deepcopy(model) is model


@pytest.mark.parametrize("name", ["id", "licence", "card", "sha256", "lookahead", "n_weights", "anything"])
def test_model_cannot_be_changed(model: percepnet.Model, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(model, name, "other")


def test_changing_the_card_changes_a_copy(contents: bytes) -> None:
    model = percepnet.Model.from_bytes(contents)

    model.card["scores"]["pesq"] = 4.5

    assert model.card == CARD


def test_one_model_serves_many_threads(model: percepnet.Model) -> None:
    noise = np.random.default_rng(3).standard_normal(24000).astype(np.float32) / 10
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(percepnet.enhance(noise, 48000, model=model))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [np.array_equal(result, results[0]) for result in results] == [True] * 4


def test_enhancer_keeps_its_model_alive(contents: bytes) -> None:
    enhancer = percepnet.Enhancer(model=percepnet.Model.from_bytes(contents))

    assert enhancer.process(np.zeros(4800, np.float32)).shape == (4800 - enhancer.latency,)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b"RIFF" + b[4:], "not a percepnet weight file"),
        (lambda b: b[:8] + b"\x63" + b[9:], "version|format"),
        (lambda b: b[:-1], "size|truncated|longer"),
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "damaged|checksum"),
        (lambda _: b"", ""),
    ],
    ids=["magic", "version", "size", "checksum", "empty"],
)
def test_damaged_file_is_refused_by_name(
    tmp_path: Path, contents: bytes, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "damaged.pnw"
    path.write_bytes(damage(contents))

    with pytest.raises(percepnet.ModelError, match=rf"damaged\.pnw.*({message})"):
        percepnet.load_model(path)


@pytest.mark.parametrize("card", [b"not json", b"[1]", b"\xff"])
def test_card_must_be_an_object(card: bytes, monkeypatch: pytest.MonkeyPatch, contents: bytes) -> None:
    monkeypatch.setattr(weights._core.ModelHandle, "card", card)

    with pytest.raises(percepnet.ModelError, match="card"):
        weights.Model(contents, "0")


def test_card_may_be_empty() -> None:
    model = percepnet.Model.from_bytes(write_weights(random_tensors(seed=8), 2, {}))

    assert (model.id, model.licence) == (model.sha256[:12], "unknown")


def test_missing_model_names_the_shipped_ones() -> None:
    with pytest.raises(percepnet.ModelError, match=r"no weight file 'nowhere'.*shipped: "):
        percepnet.load_model("nowhere")


def test_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(percepnet.ModelError, match="Is a directory"):
        percepnet.load_model(tmp_path)


def test_shipped_name_means_the_shipped_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: bytes) -> None:
    (tmp_path / "test.pnw").write_bytes(contents)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)

    assert percepnet.load_model("test").sha256 == hashlib.sha256(contents).hexdigest()


def test_card_survives_unicode() -> None:
    card = {"id": "übung", "limits": "naïve — 日本語"}

    model = percepnet.Model.from_bytes(write_weights(random_tensors(seed=9), 2, card))

    assert json.dumps(model.card) == json.dumps(card)


def test_contents_may_be_any_bytes(model_paths: list[Path]) -> None:
    contents = model_paths[0].read_bytes()

    assert percepnet.Model.from_bytes(memoryview(bytearray(contents))) is percepnet.Model.from_bytes(contents)
