"""The modern convolutional network: residual stages of grouped convolutions, without normalisation.

    Huang et al. 2024, "The GAN is dead; long live the GAN! A modern GAN baseline" (arXiv:2501.05441).
    Xie et al. 2016, "Aggregated residual transformations" (ResNeXt, arXiv:1611.05431): the grouped 3x3 convolution.
    Sandler et al. 2018, "MobileNetV2" (arXiv:1801.04381): the bottleneck is inverted, its 3x3 is the wide layer.
    Zhang et al. 2019, "Fixup initialization" (arXiv:1901.09321): first weights in place of normalisation.

A stage is a transition (bilinear resampling, and a 1x1 convolution where the channels change), then residual blocks.
The decoder starts from pictures of the base size that it has learned, one a channel, weighed by a linear map of the
latent; the encoder ends in each channel's product with such a picture.

Differs from the paper in: any height and width that can be halved, so a base of h x w in place of 4 x 4; a choice of
activation, dropout, widths and number of blocks; transitions have no bias, as nothing nonlinear follows them; a
transition's 1x1 convolution is on its coarse side. That is the same function whichever comes first, as a blur of each
channel and a mixture of channels commute, at a quarter of the cost.
Letters: B batch, C channels, H W picture, h w base, L residual blocks in the network, m layers in a branch.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from latentry.nn.conditioning import Stages, norm_and_activation
from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, OUTPUT_GAIN, Conv, Layer
from latentry.nn.plan import StagePlan
from latentry.nn.resampling import double_bilinear, halve_bilinear
from latentry.nn.twice import convolve
from latentry.settings.network import NetworkSettings

_LAYERS = 3  # of a branch, m


class GroupedConv(Layer):
    """A 3x3 convolution in which each group of channels sees itself alone; its weight is [C, C / groups, 3, 3]."""

    def __init__(self, channels: int, groups: int, *, gain: float, bias: bool = True) -> None:
        seen = channels // groups
        super().__init__((channels, seen, 3, 3), fan_in=seen * 9, gain=gain, bias=bias)
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape, zeros beyond the edge."""
        return convolve(x, self.weight, self.bias, padding=1, groups=self.groups)


class FromBasis(Layer):
    """Learned pictures, one a channel, each times a number; its weight is [C, h, w]."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__((channels, height, width), fan_in=1, gain=LINEAR_GAIN, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers [B, C, 1, 1] to features [B, C, h, w]."""
        # Pictures of one pixel have no layout that the product could take over, and what follows takes over this one.
        return (x * self.weight).contiguous(memory_format=torch.channels_last)


class OntoBasis(Layer):
    """How much of a learned picture there is in each channel: a depthwise convolution that covers the whole base.

    With one output pixel that is a sum of products, and written as one it is also fast to derive twice.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__((channels, height, width), fan_in=height * width, gain=LINEAR_GAIN, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, h, w] to numbers [B, C, 1, 1]."""
        return (x * self.weight).sum(dim=(2, 3), keepdim=True)


class Transition(nn.Module):
    """Halves or doubles, bilinearly, and changes the channels where they differ.

    Args:
        inputs, outputs: channels.
        resample: "down" halves height and width, "up" doubles them.
    """

    def __init__(self, inputs: int, outputs: int, resample: Literal["down", "up"]) -> None:
        super().__init__()
        self.resample = resample
        same = inputs == outputs
        self.project = nn.Identity() if same else Conv(inputs, outputs, kernel=1, gain=LINEAR_GAIN, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H', W']."""
        return self.project(halve_bilinear(x)) if self.resample == "down" else double_bilinear(self.project(x))


class ModernBlock(nn.Module):
    """`x + branch(x)`: 1x1 to the wide layer, 3x3 in groups, 1x1 back, activations between and none after the sum.

    First weights are Fixup's: the last layer starts at zero and the others are scaled by L^(-1 / (2 m - 2)), so that
    one step of descent changes the network's output as much however many blocks there are.

    Args:
        network: activation, expansion and channels of a group.
        channels: of the input and of the output.
        depth: residual blocks in the whole network, L.
        dropout: share of the numbers that is dropped behind each activation.
    """

    def __init__(self, network: NetworkSettings, channels: int, depth: int, dropout: float = 0.0) -> None:
        super().__init__()
        hidden, groups = hidden_channels(network, channels)
        scale = depth ** (-1 / (2 * _LAYERS - 2))
        gain = ACTIVATION_GAIN[network.activation]
        self.branch = nn.Sequential(
            Conv(channels, hidden, kernel=1, gain=scale * LINEAR_GAIN),
            *norm_and_activation("none", network.activation, hidden, dropout=dropout),
            GroupedConv(hidden, groups, gain=scale * gain),
            *norm_and_activation("none", network.activation, hidden, dropout=dropout),
            Conv(hidden, channels, kernel=1, gain=0, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] to the same shape."""
        return x + self.branch(x)


def hidden_channels(network: NetworkSettings, channels: int) -> tuple[int, int]:
    """Channels of a block's 3x3 convolution, and the number of its groups.

    That is `expansion` times the block's channels, rounded to whole groups; where it is less than one, a single group.
    """
    wanted = network.expansion * channels
    if wanted < network.group_width:
        return max(1, round(wanted)), 1
    groups = round(wanted / network.group_width)
    return groups * network.group_width, groups


def modern_channels(network: NetworkSettings, plan: StagePlan) -> list[int]:
    """Channels at each resolution, the picture's own first: width, doubled at each halving, up to width-max."""
    return [min(network.width * 2**stage, network.width_max) for stage in range(plan.stages + 1)]


def modern_encoder_stages(network: NetworkSettings, plan: StagePlan, channels: int) -> Stages:
    """Pictures [B, channels, H, W] to features [B, modern_channels[-1], 1, 1], behind which there is no activation."""
    widths = modern_channels(network, plan)
    depth = len(widths) * network.blocks
    stages: list[nn.Module] = [Conv(channels, widths[0], kernel=1, gain=LINEAR_GAIN)]
    for stage, outputs in enumerate(widths):
        if stage:
            stages.append(Transition(widths[stage - 1], outputs, "down"))
        stages += [ModernBlock(network, outputs, depth, network.dropout) for _ in range(network.blocks)]
    return Stages(*stages, OntoBasis(widths[-1], plan.height, plan.width))


def modern_decoder_stages(network: NetworkSettings, plan: StagePlan, channels: int) -> Stages:
    """Numbers [B, modern_channels[-1], 1, 1] to raw pictures [B, channels, H, W]."""
    widths = modern_channels(network, plan)[::-1]
    depth = len(widths) * network.blocks
    stages: list[nn.Module] = [FromBasis(widths[0], plan.height, plan.width)]
    for stage, outputs in enumerate(widths):
        if stage:
            stages.append(Transition(widths[stage - 1], outputs, "up"))
        stages += [ModernBlock(network, outputs, depth) for _ in range(network.blocks)]
    return Stages(*stages, Conv(widths[-1], channels, kernel=1, gain=OUTPUT_GAIN))
