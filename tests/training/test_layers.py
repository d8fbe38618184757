"""The GRU of training against PyTorch's own, and, rounded, against autograd of its steps."""

import pytest
import torch
from torch import nn

from percepnet.training.layers import rounded_signal, rounded_weight, run_gru


def gru() -> nn.GRU:
    torch.manual_seed(3)
    return nn.GRU(6, 5, batch_first=True).double()


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    frames, state = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 9, 6), (1, 2, 5)))
    return frames.requires_grad_(), state.requires_grad_()


def gradients(outputs: tuple[torch.Tensor, torch.Tensor], wanted: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    sums = [(torch.randn(output.shape, generator=generator, dtype=output.dtype) * output).sum() for output in outputs]
    return torch.autograd.grad(sums[0] + sums[1], wanted)


def test_outputs_and_gradients_are_those_of_pytorch() -> None:
    network, (frames, state) = gru(), inputs()
    wanted = [frames, state, *network.parameters()]

    given, expected = run_gru(network, frames, state), network(frames, state)

    torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients(given, wanted), gradients(expected, wanted), rtol=0, atol=1e-12)


def test_gradients_of_a_rounded_gru_are_those_of_its_steps() -> None:
    network, (frames, state) = gru(), inputs()
    wanted = [frames, state, *network.parameters()]

    given = run_gru(network, frames, state, quantised=True)

    expected = stepwise(network, frames, state)
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients(given, wanted), gradients(expected, wanted), rtol=0, atol=1e-12)


def stepwise(network: nn.GRU, frames: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What autograd makes of a rounded GRU written step by step."""
    input_weight, weight, input_bias, bias = network.parameters()
    h, outputs = state[0], []
    for frame in frames.unbind(1):
        given = rounded_signal(frame) @ rounded_weight(input_weight).T + input_bias
        product = rounded_signal(h) @ rounded_weight(weight).T + bias
        (reset, update, candidate), (r, z, n) = given.chunk(3, 1), product.chunk(3, 1)
        reset, update = torch.sigmoid(reset + r), torch.sigmoid(update + z)
        h = update * h + (1 - update) * torch.tanh(candidate + reset * n)
        outputs.append(h)
    return torch.stack(outputs, 1), h[None]


@pytest.mark.parametrize("quantised", [False, True])
def test_products_in_bfloat16_are_near(quantised: bool) -> None:
    network, (frames, state) = gru().float(), (tensor.float() for tensor in inputs())

    with torch.autocast("cpu", torch.bfloat16):
        coarse, _ = run_gru(network, frames, state, quantised)

    fine, _ = run_gru(network, frames, state, quantised)
    assert coarse.dtype == torch.float32
    assert 0 < (coarse - fine).abs().max() < 0.02
