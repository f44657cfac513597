"""Fully connected encoder and decoder, for pictures of any size."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from latentry.nn.conditioning import Stages, norm_and_activation
from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, OUTPUT_GAIN, PIECES, FeatureMajor
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec, ImageSpec


def mlp_encoder_stages(network: NetworkSettings, image: ImageSpec) -> Stages:
    """[B, C, H, W] to the last hidden layer's [B, hidden[-1]], in order."""
    units = (image.n_values, *network.hidden)
    return Stages(nn.Flatten(), *_hidden(network, units, None, dropout=network.dropout, norm_first=network.norm_first))


def mlp_decoder_stages(
    network: NetworkSettings,
    inputs: int,
    image: ImageSpec,
    condition: ConditionSpec | None = None,
    *,
    gain: float = LINEAR_GAIN,
) -> Stages:
    """[B, inputs] to [B, C, H, W] through the hidden layers in reverse; `condition` sets its norms, if given.

    The first weights of its first layer have the gain `gain`.
    """
    units = (inputs, *reversed(network.hidden))
    output = FeatureMajor(units[-1], image.n_values, gain=OUTPUT_GAIN)
    return Stages(*_hidden(network, units, condition, gain=gain), output, _ToPictures(1, image.shape))


class _ToPictures(nn.Unflatten):
    """[B, C H W] in any memory order to pictures [B, C, H, W] in the default one, as every decoder gives them."""

    def forward(self, x: Tensor) -> Tensor:
        pictures: Tensor = super().forward(x.contiguous())
        return pictures


def _hidden(
    network: NetworkSettings,
    units: tuple[int, ...],
    condition: ConditionSpec | None,
    *,
    gain: float = LINEAR_GAIN,
    dropout: float = 0.0,
    norm_first: bool = True,
) -> list[nn.Module]:
    """Linear layers between successive numbers of units, each with its norm and activation."""
    layers: list[nn.Module] = []
    pieces = PIECES if network.activation == "maxout" else 1
    for depth, (inputs, hidden) in enumerate(pairwise(units)):
        norm = network.norm if depth or norm_first else "none"
        gain = (
            ACTIVATION_GAIN[network.activation] if depth else gain
        )  # one layer reads the input, the others activations
        layers.append(FeatureMajor(inputs, pieces * hidden, gain=gain, bias=norm != "batch"))
        layers += norm_and_activation(
            norm, network.activation, pieces * hidden, flat=True, condition=condition, dropout=dropout
        )
    return layers
