"""From settings and a picture size to an encoder, a decoder, or the features that a critic judges by.

Letters: B batch, K numbers in a condition, F features, C channels, H W picture, h w base (after the last halving).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.nn.conditioning import Concatenated, Stages, tell_first_layer
from latentry.nn.conv import conv_decoder_stages, conv_encoder_stages, stage_channels
from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, OUTPUT_GAIN, Linear
from latentry.nn.mlp import mlp_decoder_stages, mlp_encoder_stages
from latentry.nn.modern import modern_channels, modern_decoder_stages, modern_encoder_stages
from latentry.nn.plan import plan_stages
from latentry.nn.processor import flatten
from latentry.nn.residual import residual_decoder_stages, residual_encoder_stages
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec, ImageSpec

# Activations run with their channels innermost, the faster layout on processors and on GPUs alike. Weights stay in the
# default layout, which is what checkpoints hold.
_LAYOUT = torch.channels_last


class Features(nn.Module):
    """What an encoder or a critic sees in a picture: stages that halve, behind their last activation.

    Args:
        stages: pictures [B, C, H, W] to [B, c, h, w], or to [B, F].
        shape: of their output for one picture.
        gain: of the activation that ends them.
    """

    def __init__(self, stages: Stages, shape: tuple[int, ...], gain: float) -> None:
        super().__init__()
        self.stages, self.shape, self.gain = stages, shape, gain

    @property
    def size(self) -> int:
        """Numbers in the features of one picture, F."""
        return int(torch.Size(self.shape).numel())

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], to features [B, *shape], under the condition [B, K] if there is one."""
        if len(self.shape) > 1:
            x = x.contiguous(memory_format=_LAYOUT)
        features: Tensor = self.stages(x, condition)
        return features


class Encoder(nn.Module):
    """Features, then one linear layer.

    Args:
        features: of the picture.
        outputs: numbers a picture.
    """

    def __init__(self, features: Features, outputs: int) -> None:
        super().__init__()
        self.features = features
        self.outputs = Linear(features.size, outputs, gain=OUTPUT_GAIN * features.gain)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], to [B, outputs]."""
        return self.outputs(flatten(self.features(x, condition)))


class Decoder(nn.Module):
    """One linear layer, then stages that double.

    Args:
        inputs: [B, I] to [B, c * h * w], perhaps under the condition.
        base: shape of its output, (c, h, w).
        stages: features before their activation, [B, c, h, w], to raw pictures [B, C, H, W].
    """

    def __init__(self, inputs: Stages, base: tuple[int, int, int], stages: Stages) -> None:
        super().__init__()
        self.base = base
        self.inputs = inputs
        self.stages = stages

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """[B, I] to raw pictures [B, C, H, W], in the default layout, under the condition [B, K] if there is one."""
        features = self.inputs(z, condition).unflatten(1, self.base)
        return self.stages(features.contiguous(memory_format=_LAYOUT), condition).contiguous()


def build_features(network: NetworkSettings, image: ImageSpec, condition: ConditionSpec | None = None) -> Features:
    """The network from pictures in [-1, 1], [B, C, H, W], to features.

    Its weights are zero until `initialise` gives them values; no random number is drawn here.

    Args:
        network: what it is made of.
        image: the size of the pictures.
        condition: what it is told beside the picture.

    Raises:
        InputError: the size cannot be halved as the settings ask; nearest sizes are named.
    """
    gain = ACTIVATION_GAIN[network.activation]
    if network.backbone == "mlp":
        stages = mlp_encoder_stages(network, image)
        shape: tuple[int, ...] = network.hidden[-1:] or (image.n_values,)
        gain = gain if network.hidden else LINEAR_GAIN
    elif network.backbone == "modern":
        plan = plan_stages(image.height, image.width, network.stages, network.base)
        stages = modern_encoder_stages(network, plan, image.channels)
        shape, gain = (modern_channels(network, plan)[-1], 1, 1), LINEAR_GAIN  # no activation ends it
    else:
        plan = plan_stages(image.height, image.width, network.stages, network.base)
        build_stages = conv_encoder_stages if network.backbone == "conv" else residual_encoder_stages
        stages = build_stages(network, plan, image.channels)
        shape = (stage_channels(network, plan)[-1], plan.height, plan.width)
    if condition is not None:
        if network.backbone == "mlp" and not network.hidden:
            raise InputError("hidden is empty: a network without a hidden layer cannot be told a condition; add units")
        tell_first_layer(stages, condition)
    return Features(stages, shape, gain)


def build_encoder(
    network: NetworkSettings, image: ImageSpec, outputs: int, condition: ConditionSpec | None = None
) -> Encoder:
    """The network from pictures in [-1, 1], [B, C, H, W], to [B, outputs]; see `build_features`."""
    return Encoder(build_features(network, image, condition), outputs)


def build_decoder(
    network: NetworkSettings,
    inputs: int,
    image: ImageSpec,
    channels: int | None = None,
    *,
    gain: float = LINEAR_GAIN,
    beside: ConditionSpec | None = None,
    in_norms: ConditionSpec | None = None,
) -> nn.Module:
    """The network from [B, inputs] to [B, C, H, W], raw: what range the output has is the likelihood's choice.

    Its weights are zero until `initialise` gives them values; no random number is drawn here.

    Args:
        network: what it is made of.
        inputs: numbers a picture, standard normal in scale.
        image: the size of the pictures.
        channels: of the output, where it is not as many as the pictures have.
        gain: of the first layer's first weights.
        beside: a condition that is read beside the input.
        in_norms: a condition that sets gain and shift of every normalisation.

    Raises:
        InputError: the size cannot be halved as the settings ask; nearest sizes are named.
    """
    image = image if channels is None else dataclasses.replace(image, channels=channels)
    if network.backbone == "mlp":
        stages = mlp_decoder_stages(network, inputs, image, in_norms, gain=gain)
        if beside is not None:
            tell_first_layer(stages, beside)
        return stages
    plan = plan_stages(image.height, image.width, network.stages, network.base)
    if network.backbone == "modern":  # it has no norms for a condition to be in
        base = (modern_channels(network, plan)[-1], 1, 1)
        stages = modern_decoder_stages(network, plan, image.channels)
    else:
        base = (stage_channels(network, plan)[-1], plan.height, plan.width)
        build_stages = conv_decoder_stages if network.backbone == "conv" else residual_decoder_stages
        stages = build_stages(network, plan, image.channels, in_norms)
    first = Linear(inputs, base[0] * base[1] * base[2], gain=gain)
    told = first if beside is None else Concatenated(first, beside)
    return Decoder(Stages(told), base, stages)
