"""Encoder and decoder whose latent is a grid of vectors, not one vector.

Letters: B batch, D numbers a grid position, h w grid (picture after the last halving), C H W picture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.nn.build import Features, build_features
from latentry.nn.conditioning import Stages
from latentry.nn.conv import conv_decoder_stages, stage_channels
from latentry.nn.layers import LINEAR_GAIN, Conv
from latentry.nn.plan import StagePlan, plan_stages
from latentry.nn.residual import residual_decoder_stages
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ImageSpec

_LAYOUT = torch.channels_last  # as in build.py


class GridEncoder(nn.Module):
    """Features, then a 1x1 convolution.

    Args:
        features: of the picture, [B, c, h, w].
        latent: D.
    """

    def __init__(self, features: Features, latent: int) -> None:
        super().__init__()
        self.features = features
        self.outputs = Conv(features.shape[0], latent, kernel=1, gain=features.gain)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], to [B, D, h, w]."""
        output: Tensor = self.outputs(self.features(x))
        return output.contiguous()


class GridDecoder(nn.Module):
    """A 3x3 convolution, then stages that double.

    Args:
        latent: D.
        channels: of its output.
        stages: features before their activation, [B, channels, h, w], to raw pictures [B, C, H, W].
    """

    def __init__(self, latent: int, channels: int, stages: Stages) -> None:
        super().__init__()
        self.inputs = Conv(latent, channels, gain=LINEAR_GAIN)
        self.stages = stages

    def forward(self, z: Tensor) -> Tensor:
        """[B, D, h, w] to raw pictures [B, C, H, W], in the default layout."""
        output: Tensor = self.stages(self.inputs(z.contiguous(memory_format=_LAYOUT)))
        return output.contiguous()


def plan_grid(network: NetworkSettings, image: ImageSpec) -> StagePlan:
    """The halvings, and the height and width of the grid that they end at.

    Raises:
        InputError: the network has no grid, or the size cannot be halved as the settings ask.
    """
    if network.backbone not in ("conv", "residual"):
        raise InputError(
            f"backbone (={network.backbone}) ends in one vector, and a codebook needs a grid; use conv or residual"
        )
    return plan_stages(image.height, image.width, network.stages, network.base)


def build_grid_encoder(network: NetworkSettings, image: ImageSpec, latent: int) -> GridEncoder:
    """The network from pictures in [-1, 1], [B, C, H, W], to [B, latent, h, w]; weights as in `build_features`."""
    plan_grid(network, image)
    return GridEncoder(build_features(network, image), latent)


def build_grid_decoder(network: NetworkSettings, latent: int, image: ImageSpec) -> GridDecoder:
    """The network from [B, latent, h, w] to raw pictures [B, C, H, W]; weights as in `build_decoder`."""
    plan = plan_grid(network, image)
    build_stages = conv_decoder_stages if network.backbone == "conv" else residual_decoder_stages
    return GridDecoder(latent, stage_channels(network, plan)[-1], build_stages(network, plan, image.channels))
