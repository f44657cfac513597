"""Faster implementations of some layers on a CPU; GPUs and exported models compute the plain definition.

Letters: B batch, I inputs, O outputs, C channels, H W picture, k kernel.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_FEW = 4  # channels, i.e. colours


def on_cpu(x: Tensor) -> bool:
    """Whether what is computed of x may take a form that is faster on a processor.

    Where a network is exported its layers are what they are called.
    """
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def learns_on_cpu(x: Tensor) -> bool:
    """Whether it may take a form that is faster on a processor in training alone."""
    return on_cpu(x) and torch.is_grad_enabled()


@cache
def has_tiles() -> bool:
    """Whether the processor multiplies by tiles (AMX); on those that do, products are far ahead of convolutions."""
    return torch.cpu._is_amx_tile_supported()


def lies_by_feature(x: Tensor) -> bool:
    """Whether [B, F] lies in memory feature after feature, as `FeatureMajor` leaves it."""
    return x.dim() == 2 and x.stride(0) == 1


def laid_out(weight: Tensor, x: Tensor) -> Tensor:
    """A convolution's weight in the memory order of x.

    The library would change its order for itself, once in the forward and once more in the backward pass.
    """
    if x.is_contiguous() or not learns_on_cpu(x):
        return weight
    return weight.contiguous(memory_format=torch.channels_last)


def conv_to_one(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution with one output and kernel 1 or 3, [B, I, H, W] to [B, 1, H, W], zeros beyond the edge.

    One product of all pixels with all taps, then a sum over taps, each moved by its own offset. On a processor a layer
    that makes grey pictures of 32 px takes half the time so, as its library has kernels for many outputs only.
    """
    batch, inputs, height, width = x.shape
    kernel, middle = weight.shape[-1], weight.shape[-1] // 2
    pixels = x.permute(0, 2, 3, 1).reshape(-1, inputs)
    by_tap = weight[0].flatten(1).t().contiguous()  # its layout decides how its gradient is computed: 2 ms, or 12
    taps = (by_tap @ pixels.t()).view(kernel, kernel, batch, height, width)
    y = x.new_zeros(()) if bias is None else bias
    for i, row in enumerate(taps.unbind()):
        for j, tap in enumerate(row.unbind()):
            y = y + F.pad(tap, (middle - j, j - middle, middle - i, i - middle))
    return y.unsqueeze(1)


def goes_by_phase(x: Tensor, kernel: Tensor, *, stride: int, padding: int) -> bool:
    """Whether `by_phase` is the faster form of doubling x by a transposed convolution with the kernel [I, O, k, k]."""
    few, side = kernel.shape[1] <= _FEW, kernel.shape[-1]
    return few and stride == 2 and padding == 1 and side in (3, 4) and on_cpu(x)


def by_phase(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A transposed convolution that doubles, kernel 3 or 4, as an ordinary one with 4 O outputs and 2x2 taps each.

    Even rows 2 m of the result weigh rows m - 1 and m of x by taps 3 and 1, odd ones 2 m + 1 rows m and m + 1 by taps 2
    and 0; columns alike. So all four kernels run over the picture and one more pixel at each edge, and what they find
    is moved by one for the odd ones. To three colours of 64 px that takes half the time.
    """
    (outputs, inputs), (height, width) = weight.shape[:2], x.shape[2:]
    missing = 4 - weight.shape[-1]
    taps = F.pad(weight, (0, missing, 0, missing)).flip(2, 3).reshape(outputs, inputs, 2, 2, 2, 2)
    kernels = taps.permute(3, 5, 0, 1, 2, 4).flatten(0, 2)  # [row and column odd or even, output; I, 2, 2]
    shifts = None if bias is None else bias.repeat(4)
    found = F.conv2d(x, kernels, shifts, padding=1).unflatten(1, (2, 2, outputs))
    y = found.new_empty(len(x), outputs, 2 * height, 2 * width)
    for i in (0, 1):
        for j in (0, 1):
            y[:, :, i::2, j::2] = found[:, i, j, :, i : i + height, j : j + width]
    return y


def overlap_add(x: Tensor, kernel: Tensor, padding: int, output_padding: int) -> Tensor:
    """The transposed convolution by its definition: each pixel's product with the kernel [I, O, k, k], summed up."""
    side = kernel.shape[-1]
    height, width = (2 * (n - 1) + side - 2 * padding + output_padding for n in x.shape[2:])
    stamps = x.flatten(2).transpose(1, 2) @ kernel.flatten(1)  # [B, H W, O k k]
    return F.fold(stamps.transpose(1, 2), (height, width), side, padding=padding, stride=2)


def flatten(x: Tensor) -> Tensor:
    """[B, ...] to [B, F]. A picture's gradient comes back with the channels innermost, as they lie in memory.

    torch would give it back with them outermost, and the activation before it takes five times as long to read that.
    """
    if x.dim() == 2 or x.is_contiguous() or not (learns_on_cpu(x) and x.requires_grad):
        return x.flatten(1)
    flat: Tensor = _Flattened.apply(x)
    return flat


class _Flattened(torch.autograd.Function):
    """Flattening whose gradient is laid out as the input was."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.flatten(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        (x,) = inputs
        ctx.shape = x.shape[1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.unflatten(1, ctx.shape).contiguous(memory_format=torch.channels_last)
