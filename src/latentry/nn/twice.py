"""Convolutions and rectifiers that are cheap to differentiate twice, as gradient penalties do.

A penalty is a loss of the critic's slope with respect to the picture. torch derives that slope as it derives anything,
and its general answer wastes work twice over. The slope of a convolution is a transposed convolution with the same
weight, and so simple to derive again; torch does it by convolutions with kernels as large as pictures. And the second
derivative of a rectifier is zero; torch goes all the way back through the network with such zeros.

    Gulrajani et al. 2017, "Improved training of Wasserstein GANs" (arXiv:1704.00028), Algorithm 1, line 7.

Nor is the slope for a picture of few colours left to torch where another form of it is faster (processor.py).

Letters: B batch, I inputs, O outputs, H W picture, g groups, k kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.nn.processor import by_phase, goes_by_phase, laid_out

_twice: ContextVar[bool] = ContextVar("latentry_differentiated_twice", default=False)


@contextmanager
def differentiated_twice() -> Iterator[None]:
    """Inside, networks compute what they always do, ready for a loss of their slope.

    The first gradient taken inside, with `create_graph=True`, must be with respect to their input alone.
    """
    token = _twice.set(True)
    try:
        yield
    finally:
        _twice.reset(token)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int = 1, padding: int = 0, groups: int = 1
) -> Tensor:
    """A convolution [B, I, H, W] to [B, O, H', W'], zeros beyond the edge; the weight is [O, I / g, k, k]."""
    weight = laid_out(weight, x)
    reads_colours = x.requires_grad and _slope_goes_by_phase(x, weight, stride, padding, groups)
    if not (_twice.get() or (reads_colours and not torch.is_autocast_enabled(x.device.type))):
        return F.conv2d(x, weight, bias, stride, padding, groups=groups)
    y: Tensor = _Convolved.apply(x, weight, bias, stride, padding, groups)
    return y


class _Convolved(torch.autograd.Function):
    """A convolution whose gradient for its input is itself an operation that is derived well, and fast for pictures."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, groups: int) -> Tensor:
        return F.conv2d(x, weight, bias, stride, padding, groups=groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, int, int, int], output: Tensor) -> None:
        x, weight, bias, ctx.stride, ctx.padding, ctx.groups = inputs
        ctx.twice = _twice.get()
        ctx.bias_shape = None if bias is None else list(bias.shape)
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, groups = ctx.stride, ctx.padding, ctx.groups
        wanted, slope_alone = list(ctx.needs_input_grad[:3]), ctx.twice and torch.is_grad_enabled()
        slope: Tensor | None = None
        if wanted[0] and _slope_goes_by_phase(x, weight, stride, padding, groups):
            slope, wanted[0] = by_phase(gradient, weight.transpose(0, 1), None), False
        elif slope_alone:
            reached = [(n - 1) * stride - 2 * padding + weight.shape[-1] for n in gradient.shape[2:]]
            beyond = [n - m for n, m in zip(x.shape[2:], reached, strict=True)]
            slope = F.conv_transpose2d(gradient, weight, None, stride, padding, beyond, groups)
        if slope_alone or not any(wanted):
            return slope, None, None, None, None, None
        for_x, for_weight, for_bias = torch.ops.aten.convolution_backward(
            gradient, x, weight, ctx.bias_shape, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, wanted
        )
        return for_x if slope is None else slope, for_weight, for_bias, None, None, None


def _slope_goes_by_phase(x: Tensor, weight: Tensor, stride: int, padding: int, groups: int) -> bool:
    """Whether the slope for x is a doubling to few colours."""
    even = x.shape[2] % 2 == x.shape[3] % 2 == 0
    return groups == 1 and even and goes_by_phase(x, weight, stride=stride, padding=padding)


class Rectifier(nn.Module):
    """x above 0 and `leak` x below, [...] to the same shape; with a leak of 0, relu.

    Args:
        leak: slope below 0.
        in_place: whether it writes over its input.
    """

    def __init__(self, leak: float, in_place: bool) -> None:
        super().__init__()
        self.leak, self.in_place = leak, in_place

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if _twice.get():
            return _Rectified.apply(x, self.leak, self.in_place)
        return F.leaky_relu(x, self.leak, self.in_place)

    def extra_repr(self) -> str:
        """What `print(network)` shows of the layer."""
        return f"leak={self.leak:g}"


class _Rectified(torch.autograd.Function):
    """A rectifier whose slope is a constant to whoever differentiates again."""

    @staticmethod
    def forward(x: Tensor, leak: float, in_place: bool) -> Tensor:
        return F.leaky_relu(x, leak, in_place)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, bool], output: Tensor) -> None:
        x, ctx.leak, in_place = inputs
        if in_place:
            ctx.mark_dirty(x)
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors  # which has the sign of x
        return torch.ops.aten.leaky_relu_backward(gradient, y.detach(), ctx.leak, True), None, None
