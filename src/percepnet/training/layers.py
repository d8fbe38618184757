"""The layers of a network, in PyTorch; ``quantised``: they round as the core's int8 layers do (docs/weight-file.md)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def rounded(values: Tensor, step: Tensor | float) -> Tensor:
    """The nearest multiples of a step; gradients pass as if nothing had happened."""
    return values + (torch.round(values / step) * step - values).detach()


def rounded_signal(signal: Tensor) -> Tensor:
    """Activations in -1..1 as an int8 layer sees them."""
    return rounded(signal, 1 / 127)


def rounded_weight(weight: Tensor) -> Tensor:
    """A matrix (out, in) as the weight file keeps it in int8: a scale for each row."""
    return rounded(weight, (weight.detach().abs().amax(1, keepdim=True) / 127).clamp_min(1e-12))


def affine(x: Tensor, weight: Tensor, bias: Tensor, quantised: bool) -> Tensor:
    """Weight and input rounded if the layer is to be int8."""
    return (
        functional.linear(rounded_signal(x), rounded_weight(weight), bias) if quantised else functional.linear(x, weight, bias)
    )


class CausalConv(nn.Module):
    """tanh of a convolution over the last ``taps`` frames; weight (out, taps * in), oldest frame first."""

    def __init__(self, n_in: int, n_out: int, taps: int) -> None:
        super().__init__()
        self.taps = taps
        self.weight = nn.Parameter(torch.empty(n_out, taps * n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, frames: Tensor, history: Tensor, quantised: bool = False) -> tuple[Tensor, Tensor]:
        """Frames (batch, n, in), history (batch, taps - 1, in) -> (batch, n, out), the next history."""
        joined = torch.cat((history, frames), 1)
        n = frames.shape[1]
        stacked = torch.cat([joined[:, i : i + n] for i in range(self.taps)], 2)
        return torch.tanh(affine(stacked, self.weight, self.bias, quantised)), joined[:, n:]


def run_gru(gru: nn.GRU, frames: Tensor, hidden: Tensor, quantised: bool = False) -> tuple[Tensor, Tensor]:
    """What ``gru``, one layer and batch first, makes of (batch, frames, in) and its state (1, batch, size).

    ``quantised``: with rounded weights, inputs and recurrent inputs.
    """
    if frames.is_cuda and not quantised:
        outputs: tuple[Tensor, Tensor] = gru(frames, hidden)
        return outputs
    input_weight, weight, input_bias, bias = gru.parameters()
    inputs = affine(frames, input_weight, input_bias, quantised).to(bias.dtype).transpose(0, 1).contiguous()
    states: Tensor = _Scan.apply(inputs, rounded_weight(weight) if quantised else weight, bias, hidden[0], quantised)  # type: ignore[no-untyped-call]
    return states.transpose(0, 1), states[-1:]


class _Scan(torch.autograd.Function):
    """Inputs of the gates (frames, batch, 3 * size), in the order reset, update, candidate -> states (frames, batch, size).

    On a CPU about twice as fast as nn.GRU, which adds to the gradient of the weights at every step: here it is one product.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, hidden: Tensor, quantised: bool) -> Tensor:
        size = hidden.shape[1]
        states = torch.cat((hidden[None], torch.empty_like(inputs[..., :size])))
        products, gates = torch.empty_like(inputs), torch.empty_like(inputs)
        columns = weight.t().contiguous()
        steps = (tensor.unbind() for tensor in (states[:-1], states[1:], inputs, products, gates))
        for state, following, given, product, gate in zip(*steps, strict=True):
            torch.addmm(bias, rounded_signal(state) if quantised else state, columns, out=product)
            torch.add(given[:, : 2 * size], product[:, : 2 * size], out=gate[:, : 2 * size]).sigmoid_()
            reset, update, candidate = gate.split(size, 1)
            torch.addcmul(given[:, 2 * size :], reset, product[:, 2 * size :], out=candidate).tanh_()
            torch.lerp(candidate, state, update, out=following)
        ctx.save_for_backward(states, products, gates, weight)
        ctx.quantised = quantised
        return states[1:]

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        states, products, gates, weight = ctx.saved_tensors
        frames, batch, size = upstream.shape
        reset, update, candidate = gates.split(size, 2)
        to_candidate = (1 - update) * (1 - candidate.square())
        to_reset = to_candidate * products[..., 2 * size :] * reset * (1 - reset)
        to_update = (states[:-1] - candidate) * update * (1 - update)
        slopes = torch.stack((to_reset, to_update, to_candidate * reset), 2)
        of_products, of_states = torch.empty_like(slopes), torch.empty_like(upstream)
        carried = torch.zeros_like(states[0])
        steps = (reversed(tensor.unbind()) for tensor in (upstream, update, slopes, of_products, of_states))
        for given, kept, slope, of_product, of_state in zip(*steps, strict=True):
            torch.add(given, carried, out=of_state)
            torch.mul(slope, of_state[:, None], out=of_product)
            carried = torch.addmm(of_state * kept, of_product.view(batch, -1), weight)
        flat = of_products.view(frames * batch, -1)
        heard = rounded_signal(states[:-1]) if ctx.quantised else states[:-1]
        of_inputs = torch.cat((of_products[:, :, :2].flatten(2), of_states * to_candidate), 2)
        return of_inputs, flat.t() @ heard.reshape(-1, size), flat.sum(0), carried, None
