"""From settings and a picture size to an encoder and a decoder.

Letters: B batch, C channels, H W picture, h w base (the picture after the last halving).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from latentry.nn.conv import conv_decoder_stages, conv_encoder_stages, stage_channels
from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, OUTPUT_GAIN, Linear
from latentry.nn.mlp import mlp_decoder, mlp_encoder
from latentry.nn.plan import plan_stages
from latentry.nn.residual import residual_decoder_stages, residual_encoder_stages
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ImageSpec

# Activations run with their channels innermost, the faster layout on processors and on GPUs alike. Weights stay in the
# default layout, which is what checkpoints hold.
_LAYOUT = torch.channels_last


class Encoder(nn.Module):
    """Stages that halve, then one linear layer on what is left.

    Args:
        stages: pictures [B, C, H, W] to features behind their activation, [B, c, h, w].
        features: c * h * w.
        outputs: numbers a picture.
        gain: of the activation that ends the stages.
    """

    def __init__(self, stages: nn.Module, features: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.stages = stages
        self.outputs = Linear(features, outputs, gain=OUTPUT_GAIN * gain)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], to [B, outputs]."""
        return self.outputs(self.stages(x.contiguous(memory_format=_LAYOUT)).flatten(1))


class Decoder(nn.Module):
    """One linear layer, then stages that double.

    Args:
        inputs: numbers a picture.
        base: shape of the linear layer's output, (c, h, w).
        stages: features before their activation, [B, c, h, w], to raw pictures [B, C, H, W].
    """

    def __init__(self, inputs: int, base: tuple[int, int, int], stages: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.inputs = Linear(inputs, base[0] * base[1] * base[2], gain=LINEAR_GAIN)
        self.stages = stages

    def forward(self, z: Tensor) -> Tensor:
        """[B, inputs] to raw pictures [B, C, H, W], in the default layout."""
        features = self.inputs(z).unflatten(1, self.base)
        return self.stages(features.contiguous(memory_format=_LAYOUT)).contiguous()


def build_encoder(network: NetworkSettings, image: ImageSpec, outputs: int) -> nn.Module:
    """The network from pictures in [-1, 1], [B, C, H, W], to [B, outputs].

    Its weights are zero until `initialise` gives them values; no random number is drawn here.

    Raises:
        InputError: the size cannot be halved as the settings ask; nearest sizes are named.
    """
    if network.backbone == "mlp":
        return mlp_encoder(network, image, outputs)
    plan = plan_stages(image.height, image.width, network.stages)
    build_stages = conv_encoder_stages if network.backbone == "conv" else residual_encoder_stages
    features = stage_channels(network, plan)[-1] * plan.height * plan.width
    gain = ACTIVATION_GAIN[network.activation]
    return Encoder(build_stages(network, plan, image.channels), features, outputs, gain)


def build_decoder(network: NetworkSettings, inputs: int, image: ImageSpec, channels: int | None = None) -> nn.Module:
    """The network from [B, inputs] to [B, C, H, W], raw: what range the output has is the likelihood's choice.

    Its weights are zero until `initialise` gives them values; no random number is drawn here.

    Args:
        network: what it is made of.
        inputs: numbers a picture, standard normal in scale.
        image: the size of the pictures.
        channels: of the output, where it is not as many as the pictures have.

    Raises:
        InputError: the size cannot be halved as the settings ask; nearest sizes are named.
    """
    image = image if channels is None else dataclasses.replace(image, channels=channels)
    if network.backbone == "mlp":
        return mlp_decoder(network, inputs, image)
    plan = plan_stages(image.height, image.width, network.stages)
    build_stages = conv_decoder_stages if network.backbone == "conv" else residual_decoder_stages
    base = (stage_channels(network, plan)[-1], plan.height, plan.width)
    return Decoder(inputs, base, build_stages(network, plan, image.channels))
