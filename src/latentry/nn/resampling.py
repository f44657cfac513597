"""Doubling and halving pictures with a convolution, four ways each.

Every layer holds one weight [O, I, k, k] and a bias [O], and maps [B, I, H, W] to [B, O, 2 H, 2 W] or to
[B, O, H / 2, W / 2]. Two of them can be computed with fewer multiplications than they are defined with:

* nearest-neighbour doubling, then a 3x3 convolution, is one transposed convolution of stride 2 whose 4x4 kernel is the
  3x3 one convolved with 2x2 ones: 4 multiplications an output pixel instead of 9;
* a 3x3 convolution, then 2x2 average pooling, is one convolution of stride 2 with that kernel over 4: 16 instead of 36.

The 3x3 weight stays the parameter; the kernel is summed in each forward pass, differentiably. `fast=False` computes the
definition instead, for reading and for tests. The bilinear pair has no such form: its kernels would be 6x6, 9
multiplications an output pixel as before, and exact only away from the edge.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.nn.layers import Layer
from latentry.nn.processor import by_phase, goes_by_phase, has_tiles, laid_out, learns_on_cpu, overlap_add
from latentry.nn.twice import convolve
from latentry.settings.network import NetworkSettings

# Of the coarse side of a layer: there a product takes 8 to 30 % less time on a processor with tiles, and more elsewhere
# or without them (AMD Zen 4, up to a half more).
_FEW_PIXELS, _MANY_CHANNELS = 16, 512


def sum_of_shifts(weight: Tensor) -> Tensor:
    """Kernels [O, I, 3, 3] convolved with 2x2 ones, [O, I, 4, 4]."""
    rows = F.pad(weight, (0, 0, 0, 1)) + F.pad(weight, (0, 0, 1, 0))
    return F.pad(rows, (0, 1)) + F.pad(rows, (1, 0))


def nearest_conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Nearest-neighbour doubling and a 3x3 convolution in one, [B, I, H, W] to [B, O, 2 H, 2 W].

    Output pixel p weighs input pixel i, which covers the doubled pixels 2 i and 2 i + 1, by
    w[2 i - p] + w[2 i + 1 - p]; a transposed convolution runs its kernel in p - 2 i, so the kernel is mirrored.
    """
    return transposed_conv(x, sum_of_shifts(weight.flip(2, 3)), bias, padding=1)


def conv_average(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3 convolution and 2x2 average pooling in one, [B, I, H, W] to [B, O, H // 2, W // 2]."""
    return convolve(x, sum_of_shifts(weight) / 4, bias, stride=2, padding=1)


def transposed_conv(x: Tensor, weight: Tensor, bias: Tensor | None, *, padding: int, output_padding: int = 0) -> Tensor:
    """A transposed convolution of stride 2 with a weight [O, I, k, k].

    What a processor's library does badly is asked of it otherwise. Few outputs are an ordinary convolution's. In
    training the bias is added apart: its gradient is a sum, for which the library takes as long as for the weight's.
    And few pixels of many channels are a product, where the processor is good at those.
    """
    kernel = weight.transpose(0, 1)
    if weight.shape[-1] + output_padding == 4 and goes_by_phase(x, kernel, stride=2, padding=padding):
        return by_phase(x, weight, bias)
    if not learns_on_cpu(x):
        return F.conv_transpose2d(x, kernel, bias, stride=2, padding=padding, output_padding=output_padding)
    if x.shape[2] * x.shape[3] <= _FEW_PIXELS and x.shape[1] >= _MANY_CHANNELS and has_tiles():
        y = overlap_add(x, kernel, padding, output_padding)
    else:
        y = F.conv_transpose2d(x, laid_out(kernel, x), stride=2, padding=padding, output_padding=output_padding)
    return y if bias is None else y.add_(bias.view(-1, 1, 1))


def strided_conv(x: Tensor, weight: Tensor, bias: Tensor | None, *, padding: int) -> Tensor:
    """A convolution of stride 2 with a weight [O, I, k, k].

    Where the kernel has one place only it is a product with what of it lies within the picture. Where it has few, on
    many channels, a processor with tiles is faster at a product with all patches.
    """
    side = weight.shape[-1]
    height, width = ((n + 2 * padding - side) // 2 + 1 for n in x.shape[2:])
    if height == width == 1:
        beyond = [side - padding - n for n in x.shape[:1:-1]]
        within = F.pad(
            weight, (-padding, -beyond[0], -padding, -beyond[1])
        )  # one copy back, where two slices take three
        return F.linear(x.flatten(1), within.flatten(1), bias)[:, :, None, None]
    if height * width <= _FEW_PIXELS and x.shape[1] >= _MANY_CHANNELS // 2 and learns_on_cpu(x) and has_tiles():
        patches = F.unfold(x, side, padding=padding, stride=2).transpose(1, 2)  # [B, h w, I k k]
        return F.linear(patches, weight.flatten(1), bias).transpose(1, 2).unflatten(2, (height, width))
    return convolve(x, weight, bias, stride=2, padding=padding)


def double_nearest(x: Tensor) -> Tensor:
    """Each pixel four times, [B, C, H, W] to [B, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def double_bilinear(x: Tensor) -> Tensor:
    """Bilinear doubling with pixel centres at halves (align_corners=False), [B, C, H, W] to [B, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def halve_bilinear(x: Tensor) -> Tensor:
    """Blur by [1, 3, 3, 1] / 8 each way and keep every second pixel, [B, C, 2 H, 2 W] to [B, C, H, W].

    A quarter of the adjoint of `double_bilinear`, so a constant stays as it is. Edge rule: beyond the edge the edge
    pixel is repeated, which is what the adjoint does.
    """
    channels = x.shape[1]
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 8
    kernel = torch.outer(taps, taps).expand(channels, 1, 4, 4)
    return convolve(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, None, stride=2, groups=channels)


def halve_average(x: Tensor) -> Tensor:
    """Mean of each 2x2 block, [B, C, H, W] to [B, C, H // 2, W // 2]."""
    return F.avg_pool2d(x, 2)


class TransposedUp(Layer):
    """A transposed convolution of stride 2, kernel 3, 4 or 5: zeros between the pixels, then a convolution.

    Its weight is [O, I, kernel, kernel], outputs first as everywhere here (torch has the inputs first).
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 4, gain: float, bias: bool = True) -> None:
        # Of the kernel's taps a quarter, on average, meets a pixel that is not a zero in between.
        fan_in = inputs * kernel**2 / 4
        super().__init__((outputs, inputs, kernel, kernel), fan_in=fan_in, gain=gain, bias=bias)
        self.padding, self.output_padding = (kernel - 1) // 2, kernel % 2  # so that the size doubles exactly

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2 H, 2 W]."""
        return transposed_conv(x, self.weight, self.bias, padding=self.padding, output_padding=self.output_padding)


class NearestUp(Layer):
    """Nearest-neighbour doubling, then a 3x3 convolution."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True, fast: bool = True) -> None:
        super().__init__((outputs, inputs, 3, 3), fan_in=inputs * 9, gain=gain, bias=bias)
        self.fast = fast

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2 H, 2 W]."""
        if self.fast:
            return nearest_conv(x, self.weight, self.bias)
        return convolve(double_nearest(x), self.weight, self.bias, padding=1)


class BilinearUp(Layer):
    """Bilinear doubling, then a 3x3 convolution."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> None:
        super().__init__((outputs, inputs, 3, 3), fan_in=inputs * 9, gain=gain, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2 H, 2 W]."""
        return convolve(double_bilinear(x), self.weight, self.bias, padding=1)


class ShuffleUp(Layer):
    """A 3x3 convolution to four values a pixel and channel, laid out as 2x2 pixels; Shi et al. 2016 (arXiv:1609.05158).

    The four start equal, so that the layer starts as a 3x3 convolution with nearest-neighbour doubling behind it and
    without a checkerboard (ICNR, Aitken et al. 2017, arXiv:1707.02937).
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> None:
        super().__init__((4 * outputs, inputs, 3, 3), fan_in=inputs * 9, gain=gain, bias=bias, copies=4)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, 2 H, 2 W]."""
        return F.pixel_shuffle(convolve(x, self.weight, self.bias, padding=1), 2)


class StridedDown(Layer):
    """A convolution of stride 2, kernel 3, 4 or 5."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 4, gain: float, bias: bool = True) -> None:
        shape = (outputs, inputs, kernel, kernel)
        super().__init__(shape, fan_in=inputs * kernel**2, gain=gain, bias=bias)
        self.padding = (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H / 2, W / 2]; an odd side is rounded down for kernel 4 and up for 3 and 5."""
        return strided_conv(x, self.weight, self.bias, padding=self.padding)


class AverageDown(Layer):
    """A 3x3 convolution, then the mean of each 2x2 block."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True, fast: bool = True) -> None:
        super().__init__((outputs, inputs, 3, 3), fan_in=inputs * 9, gain=gain, bias=bias)
        self.fast = fast

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H // 2, W // 2]; the last row or column of an odd side is dropped."""
        if self.fast:
            return conv_average(x, self.weight, self.bias)
        return halve_average(convolve(x, self.weight, self.bias, padding=1))


class BilinearDown(Layer):
    """A 3x3 convolution, then the blur of `halve_bilinear`; Zhang 2019 (arXiv:1904.11486)."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> None:
        super().__init__((outputs, inputs, 3, 3), fan_in=inputs * 9, gain=gain, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H // 2, W // 2]."""
        return halve_bilinear(convolve(x, self.weight, self.bias, padding=1))


class UnshuffleDown(Layer):
    """Each 2x2 block as four channels of one pixel, then a 3x3 convolution; sides must be even."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> None:
        super().__init__((outputs, 4 * inputs, 3, 3), fan_in=4 * inputs * 9, gain=gain, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H / 2, W / 2]."""
        return convolve(F.pixel_unshuffle(x, 2), self.weight, self.bias, padding=1)


def upsampling_layer(network: NetworkSettings, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> Layer:
    """The doubling layer that the settings name."""
    match network.upsampling:
        case "transposed":
            return TransposedUp(inputs, outputs, kernel=network.kernel, gain=gain, bias=bias)
        case "nearest":
            return NearestUp(inputs, outputs, gain=gain, bias=bias)
        case "bilinear":
            return BilinearUp(inputs, outputs, gain=gain, bias=bias)
        case "pixel-shuffle":
            return ShuffleUp(inputs, outputs, gain=gain, bias=bias)


def downsampling_layer(network: NetworkSettings, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> Layer:
    """The halving layer that the settings name."""
    match network.downsampling:
        case "strided":
            return StridedDown(inputs, outputs, kernel=network.kernel, gain=gain, bias=bias)
        case "average":
            return AverageDown(inputs, outputs, gain=gain, bias=bias)
        case "bilinear":
            return BilinearDown(inputs, outputs, gain=gain, bias=bias)
        case "pixel-unshuffle":
            return UnshuffleDown(inputs, outputs, gain=gain, bias=bias)
