"""Convolutional stages, one convolution each.

    Radford et al. 2015, "Unsupervised representation learning with deep convolutional GANs" (arXiv:1511.06434).

Differs from the paper in: any height and width that can be halved; the doubling and the halving are choices; the
normalisation, if any, follows every hidden layer; a choice of activation.

The encoder halves the picture itself in its first layer and the decoder's last layer doubles straight to the picture.
Most of the pixels are at full resolution, so a layer of `width` channels there would cost more than all others
together; `last_layer="convolution"` adds it to the decoder all the same.
Letters: B batch, C channels, H W picture, h w base (picture after the last halving).
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from latentry.nn.conditioning import Stages, norm_and_activation
from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, OUTPUT_GAIN, Conv
from latentry.nn.plan import StagePlan
from latentry.nn.resampling import downsampling_layer, upsampling_layer
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec


def stage_channels(network: NetworkSettings, plan: StagePlan) -> list[int]:
    """Channels after each halving, finest first: width, doubled at each stage, up to width-max.

    With no halving there is one stage, at full resolution.
    """
    return [min(network.width * 2**stage, network.width_max) for stage in range(max(plan.stages, 1))]


def first_layer(network: NetworkSettings, plan: StagePlan, channels: int, outputs: int, *, bias: bool) -> nn.Module:
    """The layer that reads the picture: a halving one, or a 3x3 convolution where nothing is to be halved."""
    if plan.stages == 0:
        return Conv(channels, outputs, gain=LINEAR_GAIN, bias=bias)
    return downsampling_layer(network, channels, outputs, gain=LINEAR_GAIN, bias=bias)


def last_layer(network: NetworkSettings, plan: StagePlan, inputs: int, channels: int) -> nn.Module:
    """The layer that makes the picture: a doubling one, or a 3x3 convolution at full resolution."""
    if plan.stages == 0 or network.last_layer == "convolution":
        return Conv(inputs, channels, gain=OUTPUT_GAIN)
    return upsampling_layer(network, inputs, channels, gain=OUTPUT_GAIN)


def doublings(network: NetworkSettings, plan: StagePlan) -> list[tuple[int, int]]:
    """Channels before and after each doubling of the decoder, coarsest first, but for the one in the last layer."""
    channels = stage_channels(network, plan)[::-1]
    if network.last_layer == "convolution" and plan.stages > 0:
        channels = [channels[0], *channels]
    return list(pairwise(channels))


def conv_encoder_stages(network: NetworkSettings, plan: StagePlan, channels: int) -> Stages:
    """Pictures [B, channels, H, W] to features [B, stage_channels[-1], h, w]."""
    bias = network.norm != "batch"  # which subtracts any bias again
    gain = ACTIVATION_GAIN[network.activation]
    first, *rest = stage_channels(network, plan)
    first_norm = network.norm if network.norm_first else "none"
    stages: list[nn.Module] = [first_layer(network, plan, channels, first, bias=first_norm != "batch")]
    stages += norm_and_activation(first_norm, network.activation, first, dropout=network.dropout)
    inputs = first
    for outputs in rest:
        stages.append(downsampling_layer(network, inputs, outputs, gain=gain, bias=bias))
        stages += norm_and_activation(network.norm, network.activation, outputs, dropout=network.dropout)
        inputs = outputs
    return Stages(*stages)


def conv_decoder_stages(
    network: NetworkSettings, plan: StagePlan, channels: int, condition: ConditionSpec | None = None
) -> Stages:
    """Features [B, stage_channels[-1], h, w], before their activation, to raw pictures [B, channels, H, W].

    Where `condition` is given, it sets gain and shift of every normalisation.
    """
    bias = network.norm != "batch"
    gain = ACTIVATION_GAIN[network.activation]
    widths = stage_channels(network, plan)
    stages = norm_and_activation(network.norm, network.activation, widths[-1], condition=condition)
    for inputs, outputs in doublings(network, plan):
        stages.append(upsampling_layer(network, inputs, outputs, gain=gain, bias=bias))
        stages += norm_and_activation(network.norm, network.activation, outputs, condition=condition)
    return Stages(*stages, last_layer(network, plan, widths[0], channels))
