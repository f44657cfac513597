"""How a network is told the condition: beside its first input, or as gain and shift of each normalisation.

Letters: B batch, K numbers in a condition vector, C channels, O outputs.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from latentry.nn.layers import LINEAR_GAIN, Dropout, FeatureMajor, Layer, Linear, activation_layer, n_groups
from latentry.nn.processor import lies_by_feature
from latentry.settings.network import Activation, Norm
from latentry.settings.specs import ConditionSpec


class Conditional(nn.Module):
    """A layer that also reads the condition."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """The layer's map of x under the condition [B, K]."""


class Stages(nn.Sequential):
    """Layers in a row, of which the conditional ones are given the condition."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The last layer's output for x, under the condition [B, K] where the network has one."""
        for layer in self:
            x = layer(x, condition) if isinstance(layer, Conditional) else layer(x)
        return x


class Concatenated(Conditional):
    """A layer that reads the condition beside its input; Mirza and Osindero 2014 (arXiv:1411.1784).

    A linear map of two vectors side by side is the sum of a map of each. For a convolution the condition stands at
    every pixel, beyond the edge too, which adds one number to each output channel.

    Args:
        layer: reads the input.
        condition: what it is told.
    """

    def __init__(self, layer: Layer, condition: ConditionSpec) -> None:
        super().__init__()
        self.layer = layer
        gain = LINEAR_GAIN * (condition.size / condition.energy) ** 0.5  # so that it adds numbers of variance one
        kind = FeatureMajor if isinstance(layer, FeatureMajor) else Linear
        self.told = kind(condition.size, layer.weight.shape[0], gain=gain, bias=False)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """The layer's output with the condition's part added."""
        assert condition is not None
        y: Tensor = self.layer(x)
        return y + self.told(condition).view(y.shape[0], -1, *(1,) * (y.dim() - 2))


class ConditionalNorm(Conditional):
    """Normalisation whose gain and shift depend on the condition; Dumoulin et al. 2016 (arXiv:1610.07629).

    Args:
        norm: normalises, with a gain and a shift of its own that hold for every condition.
        channels: of the input, C.
        condition: what it is told.
    """

    def __init__(self, norm: nn.Module, channels: int, condition: ConditionSpec) -> None:
        super().__init__()
        self.norm = norm
        # A zero start: gain 1 and shift 0 for every condition.
        self.told = Linear(condition.size, 2 * channels, gain=0, bias=False)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """[B, C, ...] to the same shape."""
        assert condition is not None
        gain, shift = self.told(condition).view(x.shape[0], -1, *(1,) * (x.dim() - 2)).chunk(2, dim=1)
        return torch.addcmul(shift, self.norm(x), 1 + gain)


class FlatBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of [B, C], in the memory order that `FeatureMajor` leaves."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not lies_by_feature(x):
            return super().forward(x)
        return super().forward(x.t().unsqueeze(0)).squeeze(0).t()  # as one picture of B pixels, which is kept in order


def norm_layer(norm: Norm, channels: int, *, flat: bool = False) -> nn.Module:
    """Normalisation over the batch, or over the pixels and a few channels of each picture alone; none is no change."""
    match norm:
        case "none":
            return nn.Identity()
        case "batch":
            return FlatBatchNorm(channels) if flat else nn.BatchNorm2d(channels)
        case "group":
            return nn.GroupNorm(n_groups(channels), channels)


def norm_and_activation(
    norm: Norm,
    activation: Activation,
    channels: int,
    *,
    flat: bool = False,
    condition: ConditionSpec | None = None,
    dropout: float = 0.0,
    read_elsewhere: bool = False,
) -> list[nn.Module]:
    """What follows a hidden layer (or precedes it, in residual blocks).

    Args:
        norm: "batch" over the batch and the pixels, "group" over the pixels and a few channels of each picture alone.
        activation: the nonlinearity.
        channels: of the input, [B, channels, H, W], or [B, channels] where `flat`.
        flat: whether the input has no pixels.
        condition: what sets the normalisation's gain and shift; None for learned constants.
        dropout: share of the numbers that is dropped behind the activation.
        read_elsewhere: whether a skip path has the same input, which then has to stay as it is.
    """
    layers: list[nn.Module] = []
    if norm != "none":
        plain = norm_layer(norm, channels, flat=flat)
        layers.append(plain if condition is None else ConditionalNorm(plain, channels, condition))
    in_place = not flat and (norm != "none" or not read_elsewhere)  # what is flat may be a view, which it makes slower
    layers.append(activation_layer(activation, in_place=in_place))
    return [*layers, Dropout(dropout)] if dropout else layers


def tell_first_layer(stages: Stages, condition: ConditionSpec) -> None:
    """Put the condition beside what the first layer of `stages` reads."""
    index, layer = next((index, layer) for index, layer in enumerate(stages) if isinstance(layer, Layer))
    stages[index] = Concatenated(layer, condition)
