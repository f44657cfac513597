"""The layers that networks are assembled from: linear, convolution, activation, dropout.

A layer's weights are zero until `initialise` (init.py) fills them, so building a network draws no random number.
Letters: B batch, I inputs, O outputs, H W picture.
"""

from __future__ import annotations

from abc import abstractmethod
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from latentry.nn.processor import conv_to_one, learns_on_cpu, lies_by_feature, on_cpu
from latentry.nn.twice import Rectifier, convolve
from latentry.ranks import happens
from latentry.settings.network import Activation

LINEAR_GAIN = 1.0  # for a layer that reads numbers of variance one, without an activation before it
OUTPUT_GAIN = 0.5  # for a network's last layer: latents and pictures start near zero, the middle of their range

# 1 / sqrt(E[f(n)^2]) for n from N(0, 1): with it a layer behind the activation f keeps the variance at one (He et al.
# 2015, arXiv:1502.01852, section 2.2, for other activations than relu by quadrature).
ACTIVATION_GAIN: dict[Activation, float] = {
    "relu": 2**0.5,
    "leaky-relu": 1.3868,
    "silu": 1.6765,
    "tanh": 1.5925,
    "maxout": 0.7455,
}

PIECES = 5  # of a maxout
_LEAK = 0.2  # slope of leaky-relu below zero, as in DCGAN
_CHANNELS_PER_GROUP = 4  # at least, in a group norm
_GROUPS = 32  # at most, as in Wu and He 2018 (arXiv:1803.08494)


class Layer(nn.Module):
    """A linear map with a weight [O, ...] and a bias [O].

    Args:
        shape: of the weight, outputs first.
        fan_in: how many input numbers one output number is the weighted sum of.
        gain: standard deviation of an output for inputs of mean square one; 0 starts the layer as the zero map.
        bias: whether there is one.
        copies: how many successive output channels start equal (ICNR, see `ShuffleUp`).
    """

    def __init__(
        self, shape: tuple[int, ...], *, fan_in: float, gain: float, bias: bool = True, copies: int = 1
    ) -> None:
        super().__init__()
        self.fan_in, self.gain, self.copies = fan_in, gain, copies
        self.weight = nn.Parameter(torch.zeros(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None

    @torch.no_grad()
    def initialise(self, rng: torch.Generator, std: float | None = None) -> None:
        """First weights, and a zero bias.

        Args:
            rng: source of randomness.
            std: None for uniform weights of variance gain^2 / fan_in (He et al. 2015, Eq. 10); else the standard
                deviation of normal ones, but for a layer that starts as the zero map.
        """
        outputs, *rest = self.weight.shape
        shape = (outputs // self.copies, *rest)
        if std is None or self.gain == 0:
            bound = self.gain * (3 / self.fan_in) ** 0.5
            drawn = (2 * torch.rand(shape, generator=rng, device=rng.device) - 1) * bound
        else:
            drawn = std * torch.randn(shape, generator=rng, device=rng.device)
        self.own_weight.copy_(drawn.repeat_interleave(self.copies, dim=0))
        if self.bias is not None:
            self.bias.zero_()

    @property
    def own_weight(self) -> Tensor:
        """The weight that is trained; `weight` itself, but under spectral normalisation."""
        if not parametrize.is_parametrized(self, "weight"):
            return self.weight
        original: Tensor = self.parametrizations["weight"].original  # type: ignore[index, union-attr]
        return original

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The map."""

    def extra_repr(self) -> str:
        """What `print(network)` shows of the layer."""
        return f"{tuple(self.weight.shape)}, gain={self.gain:g}, bias={self.bias is not None}"


class Linear(Layer):
    """A fully connected layer, [B, I] to [B, O]; its weight is [O, I]."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> None:
        super().__init__((outputs, inputs), fan_in=inputs, gain=gain, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I] to [B, O]."""
        return F.linear(x, self.weight, self.bias)


class FeatureMajor(Linear):
    """A fully connected layer whose output lies in memory feature after feature, not picture after picture.

    Between fully connected layers that is the faster order: threads then share out the weight, not the few rows of a
    batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, I] to [B, O]."""
        if not on_cpu(x):
            return super().forward(x)
        if self.bias is None:
            return (self.weight @ x.t()).t()
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x.t()).t()


class Conv(Layer):
    """A convolution that keeps the size, zeros beyond the edge; its weight is [O, I, kernel, kernel], kernel odd."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, gain: float, bias: bool = True) -> None:
        shape = (outputs, inputs, kernel, kernel)
        super().__init__(shape, fan_in=inputs * kernel**2, gain=gain, bias=bias)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H, W]."""
        if self.weight.shape[0] == 1 and self.padding <= 1 and learns_on_cpu(x):
            return conv_to_one(x, self.weight, self.bias)
        return convolve(x, self.weight, self.bias, padding=self.padding)


class Maxout(nn.Module):
    """The largest of `PIECES` successive numbers, [B, PIECES * C] to [B, C]; Goodfellow et al. 2013 (1302.4389)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, PIECES * C] to [B, C]."""
        return x.unflatten(1, (-1, PIECES)).amax(dim=2)


_rng: ContextVar[torch.Generator | None] = ContextVar("latentry_dropout_rng", default=None)


class Dropout(nn.Module):
    """Drops a share of the numbers while training, by the source of randomness that `use_rng` gives.

    Args:
        share: of the numbers; the rest are scaled up, so that the mean stays.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not (self.training and self.share):
            return x
        if lies_by_feature(x):
            kept = happens(1 - self.share, x.t().shape, _rng.get(), x.device, rows=1).t()
        else:
            kept = happens(1 - self.share, x.shape, _rng.get(), x.device)
        return x * kept.to(x.dtype).div_(1 - self.share)


def use_rng(rng: torch.Generator) -> None:
    """Let every dropout that this thread computes draw from `rng` from now on."""
    _rng.set(rng)


def activation_layer(name: Activation, *, in_place: bool = False) -> nn.Module:
    """The nonlinearity of that name.

    Args:
        name: as in the settings.
        in_place: whether it may write over its input where it can: nothing else reads that. It saves memory, and time.
    """
    match name:
        case "relu":
            return Rectifier(0.0, in_place)
        case "leaky-relu":
            return Rectifier(_LEAK, in_place)
        case "silu":
            return nn.SiLU()
        case "tanh":
            return nn.Tanh()
        case "maxout":
            return Maxout()


def n_groups(channels: int) -> int:
    """Most groups, up to 32, that divide the channels and hold at least 4 of them each; 1 where none does."""
    most = min(_GROUPS, channels // _CHANNELS_PER_GROUP)
    return next((groups for groups in range(most, 1, -1) if channels % groups == 0), 1)
