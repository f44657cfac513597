"""First weights, from one source of randomness."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from latentry.nn.layers import Layer
from latentry.nn.spectral import SpectralNorm


def initialise(module: nn.Module, rng: torch.Generator, std: float | None = None) -> None:
    """Give every layer of a network its first weights, in place; the global random state is neither read nor changed.

    Layers of this package get weights that keep the variance from layer to layer (`Layer.initialise`), norms start as
    the identity with fresh running statistics. Everything else (a learned sigma, pseudo-inputs, a caller's own torch
    layers) keeps its values.

    Args:
        module: a network, or a model that holds several.
        rng: source of randomness; equal states give equal weights, whatever the module's device and precision.
        std: standard deviation of normal weights in place of the variance-keeping ones.
    """
    for layer in module.modules():
        if isinstance(layer, Layer):
            layer.initialise(rng, std)
        elif isinstance(layer, _BatchNorm | nn.GroupNorm):
            layer.reset_parameters()
    for layer in module.modules():
        if isinstance(layer, SpectralNorm):
            layer.initialise(rng)
