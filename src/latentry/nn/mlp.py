"""Fully connected encoder and decoder, for pictures of any size."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from latentry.nn.layers import ACTIVATION_GAIN, LINEAR_GAIN, OUTPUT_GAIN, Linear, norm_and_activation
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ImageSpec


def mlp_encoder(network: NetworkSettings, image: ImageSpec, outputs: int) -> nn.Sequential:
    """[B, C, H, W] to [B, outputs] through the hidden layers in order."""
    return nn.Sequential(nn.Flatten(), *_layers(network, (image.n_values, *network.hidden, outputs)))


def mlp_decoder(network: NetworkSettings, inputs: int, image: ImageSpec) -> nn.Sequential:
    """[B, inputs] to [B, C, H, W] through the hidden layers in reverse."""
    layers = _layers(network, (inputs, *reversed(network.hidden), image.n_values))
    return nn.Sequential(*layers, nn.Unflatten(1, image.shape))


def _layers(network: NetworkSettings, units: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers between successive numbers of units, with norm and activation between them."""
    layers: list[nn.Module] = []
    for depth, (inputs, hidden) in enumerate(pairwise(units[:-1])):
        gain = ACTIVATION_GAIN[network.activation] if depth else LINEAR_GAIN
        layers.append(Linear(inputs, hidden, gain=gain, bias=network.norm != "batch"))
        layers += norm_and_activation(network.norm, network.activation, hidden, flat=True)
    return [*layers, Linear(units[-2], units[-1], gain=OUTPUT_GAIN)]
