"""Residual stages.

    He et al. 2016, "Identity mappings in deep residual networks" (arXiv:1603.05027): norm, activation, convolution.
    Zhang et al. 2019, "Fixup initialization" (arXiv:1901.09321): the last convolution of each branch starts at zero.

Differs from the papers in: a block that resamples does its 3x3 convolution on the coarse side, where it costs a
quarter; the halving or doubling is the branch's other convolution. As in conv.py, the picture is read by a halving
layer and made by a doubling one, so that nothing is computed on `width` channels at full resolution.
Letters: B batch, C channels, H W picture, h w base.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from latentry.nn.conditioning import Conditional, Stages, norm_and_activation
from latentry.nn.conv import doublings, first_layer, last_layer, stage_channels
from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, Conv, Layer
from latentry.nn.plan import StagePlan
from latentry.nn.resampling import (
    double_bilinear,
    double_nearest,
    downsampling_layer,
    halve_average,
    halve_bilinear,
    upsampling_layer,
)
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec

Resample = Literal["none", "down", "up"]


class ResidualBlock(Conditional):
    """`skip(x) + branch(x)`, where the branch starts at zero.

    The skip path resamples without weights (bilinear where the branch does, else the mean of four or nearest) and
    changes the channels with a 1x1 convolution, at the coarse resolution, only where they differ.

    Args:
        network: norm, activation and kind of resampling.
        inputs, outputs: channels.
        resample: "down" halves height and width, "up" doubles them.
        condition: what sets gain and shift of each normalisation; None for learned constants.
    """

    def __init__(
        self,
        network: NetworkSettings,
        inputs: int,
        outputs: int,
        resample: Resample = "none",
        condition: ConditionSpec | None = None,
    ) -> None:
        super().__init__()
        gain = ACTIVATION_GAIN[network.activation]
        self.resample = resample
        self.bilinear = "bilinear" in (network.downsampling if resample == "down" else network.upsampling)
        self.project = nn.Identity() if inputs == outputs else Conv(inputs, outputs, kernel=1, gain=LINEAR_GAIN)
        middle = inputs if resample == "up" else outputs
        first: Layer
        second: Layer
        if resample == "down":
            first = downsampling_layer(network, inputs, middle, gain=gain)
        else:
            first = Conv(inputs, middle, gain=gain)
        if resample == "up":
            second = upsampling_layer(network, middle, outputs, gain=0)
        else:
            second = Conv(middle, outputs, gain=0)
        self.branch = Stages(
            *norm_and_activation(network.norm, network.activation, inputs, condition=condition, read_elsewhere=True),
            first,
            *norm_and_activation(network.norm, network.activation, middle, condition=condition),
            second,
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H', W']."""
        return self._skip(x) + self.branch(x, condition)

    def _skip(self, x: Tensor) -> Tensor:
        match self.resample:
            case "none":
                return self.project(x)
            case "down":
                return self.project(halve_bilinear(x) if self.bilinear else halve_average(x))
            case "up":
                x = self.project(x)
                return double_bilinear(x) if self.bilinear else double_nearest(x)


def residual_encoder_stages(network: NetworkSettings, plan: StagePlan, channels: int) -> Stages:
    """Pictures [B, channels, H, W] to features [B, stage_channels[-1], h, w]; a stage halves, then has its blocks."""
    first, *rest = stage_channels(network, plan)
    stages: list[nn.Module] = [first_layer(network, plan, channels, first, bias=True)]
    stages += [ResidualBlock(network, first, first) for _ in range(network.blocks)]
    inputs = first
    for outputs in rest:
        stages.append(ResidualBlock(network, inputs, outputs, "down"))
        stages += [ResidualBlock(network, outputs, outputs) for _ in range(network.blocks - 1)]
        inputs = outputs
    return Stages(*stages, *norm_and_activation(network.norm, network.activation, inputs, dropout=network.dropout))


def residual_decoder_stages(
    network: NetworkSettings, plan: StagePlan, channels: int, condition: ConditionSpec | None = None
) -> Stages:
    """Features [B, stage_channels[-1], h, w] to raw pictures [B, channels, H, W]; a stage's last block doubles.

    Where `condition` is given, it sets gain and shift of every normalisation.
    """
    fine = stage_channels(network, plan)[0]
    stages: list[nn.Module] = []
    for inputs, outputs in doublings(network, plan):
        stages += [ResidualBlock(network, inputs, inputs, condition=condition) for _ in range(network.blocks - 1)]
        stages.append(ResidualBlock(network, inputs, outputs, "up", condition))
    stages += [ResidualBlock(network, fine, fine, condition=condition) for _ in range(network.blocks)]
    stages += norm_and_activation(network.norm, network.activation, fine, condition=condition)
    return Stages(*stages, last_layer(network, plan, fine, channels))
