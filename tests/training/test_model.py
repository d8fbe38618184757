"""The network in PyTorch: causal, streamable, with the tensors of the weight file."""

import numpy as np
import pytest
import torch

from percepnet.training import int8
from percepnet.training.config import ModelConfig
from percepnet.training.model import Network, named_tensors

SMALL = ModelConfig(dense=8, hidden=16, strength=8)


def features(frames: int) -> torch.Tensor:
    return torch.randn(2, frames, 73, generator=torch.Generator().manual_seed(1))


def network(config: ModelConfig = SMALL) -> Network:
    torch.manual_seed(0)
    return Network(config)


def test_default_size_is_that_of_the_specification() -> None:
    weights = sum(p.numel() for p in Network(ModelConfig()).parameters())

    assert weights == pytest.approx(1.19e6, rel=0.01)


def test_pieces_give_what_the_whole_gives() -> None:
    model, rows = network(), features(40)

    whole = model(rows)
    state, pieces = None, []
    for piece in rows.split([1, 2, 3, 17, 17], 1):
        gains, strengths, _, state = model(piece, state)
        pieces.append(torch.cat((gains, strengths), 2))

    torch.testing.assert_close(torch.cat(pieces, 1), torch.cat(whole[:2], 2), rtol=0, atol=1e-6)


def test_the_future_changes_nothing() -> None:
    model, rows = network(), features(30)
    changed = rows.clone()
    changed[:, 20:] += 1

    torch.testing.assert_close(model(changed)[0][:, :20], model(rows)[0][:, :20], rtol=0, atol=0)


def test_outputs_are_between_0_and_1() -> None:
    gains, strengths, speech, _ = network()(100 * features(20))

    for output in (gains, strengths, speech):
        assert output.min() >= 0
        assert output.max() <= 1
    assert speech.shape == (2, 20)


def test_the_speech_head_is_optional() -> None:
    model = network(ModelConfig(dense=8, hidden=16, strength=8, speech=False))

    assert model(features(3))[2] is None
    assert not any(name.startswith("speech") for name in named_tensors(model))


def test_tensors_have_the_shapes_of_the_weight_file() -> None:
    shapes = {name: tensor.shape for name, tensor in named_tensors(network()).items()}

    assert shapes["features.mean"] == (1, 72)
    assert shapes["conv1.weight"] == (16, 40)
    assert shapes["gru_strength.input_weight"] == (24, 32)
    assert shapes["gains.weight"] == (34, 80)
    assert shapes["speech.bias"] == (1, 1)


def test_convolution_reads_the_oldest_frame_first() -> None:
    model = network()
    with torch.no_grad():
        model.conv1.weight.zero_()
        model.conv1.weight[0, 0] = 1  # the first channel of the oldest of five frames
    frames = torch.zeros(1, 9, 8)
    frames[0, 2, 0] = 0.5

    out, _ = model.conv1(frames, torch.zeros(1, 4, 8))

    np.testing.assert_allclose(out[0, :, 0].detach().numpy(), np.tanh([0, 0, 0, 0, 0, 0, 0.5, 0, 0]), atol=1e-7)


def test_rounding_computes_what_int8_weights_compute() -> None:
    model, rows = network(), features(60)
    model.quantised = True

    gains, strengths, _, _ = model(rows)

    expected = int8.run(int8.quantise_tensors(named_tensors(model)), rows[0].numpy())
    # a last bit that differs may flip the rounding of an activation, a step of 1/127, in few places
    for output, wanted in ((gains, expected[0]), (strengths, expected[1])):
        assert np.sqrt(np.mean((output[0].detach().numpy() - wanted) ** 2)) < 1e-4


def test_rounding_differs_from_float32() -> None:
    model, rows = network(), features(10)

    exact = model(rows)[0]
    model.quantised = True

    assert 1e-5 < (model(rows)[0] - exact).abs().max() < 0.1


def test_pieces_give_what_the_whole_gives_when_rounded() -> None:
    model, rows = network(), features(20)
    model.quantised = True

    first, _, _, state = model(rows[:, :7])
    second, *_ = model(rows[:, 7:], state)

    torch.testing.assert_close(torch.cat((first, second), 1), model(rows)[0], rtol=0, atol=1e-4)


def test_gradients_pass_the_rounding() -> None:
    model = network()
    model.quantised = True

    model(features(5))[0].sum().backward()

    assert all(p.grad is not None and p.grad.abs().max() > 0 for name, p in model.named_parameters() if "gru_gain" in name)
