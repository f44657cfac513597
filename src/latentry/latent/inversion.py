"""Inversion: the latent whose picture is nearest to a given one, for any generator.

    Zhu et al. 2016, "Generative visual manipulation on the natural image manifold" (arXiv:1609.03552): an encoder's
    answer, then optimisation of the latent.
    Lipton and Tripathi 2017, "Precise recovery of latent vectors from GANs" (arXiv:1702.04782).

Only the latent is moved, never a weight. Each picture has a loss of its own, and Adam treats every coordinate alone, so
pictures that are inverted together do not influence each other.

Letters: B pictures, M draws, D latent, F features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Decode = Callable[[Tensor], Tensor]
PerPicture = Callable[[Tensor], Tensor]

_BETA1, _BETA2, _EPSILON = 0.9, 0.99, 1e-8
_TOGETHER = 256  # draws that are decoded at once


@dataclass(frozen=True)
class Distance:
    """How far a generated picture is from the one that is looked for, and how likely its latent.

    Attributes:
        pixel: weight of the mean squared difference of pixels in [-1, 1].
        features: a function of pictures [B, C, H, W] to features [B, F], differentiable; None for none.
        feature: weight of the mean squared difference of features.
        prior: a function of latents [B, ...] to a penalty each, [B], such as minus their log density; None for none.
        prior_weight: its weight.
    """

    pixel: float = 1.0
    features: PerPicture | None = None
    feature: float = 1.0
    prior: PerPicture | None = None
    prior_weight: float = 1.0

    def to(self, x: Tensor) -> PerPicture:
        """The distance [B] of pictures [B, C, H, W] from x, [B, C, H, W] or [1, C, H, W]."""
        with torch.no_grad():
            wanted = None if self.features is None else self.features(x)

        def distance(made: Tensor) -> Tensor:
            total = self.pixel * (made - x).square().flatten(1).mean(dim=1)
            if self.features is not None and wanted is not None:
                total = total + self.feature * (self.features(made) - wanted).square().flatten(1).mean(dim=1)
            return total

        return distance


class Inversion(NamedTuple):
    """Latents [B, ...] and, of each picture, the loss where it started and where it ended, [B]."""

    z: Tensor
    loss_start: Tensor
    loss: Tensor


def invert(
    decode: Decode, x: Tensor, z_start: Tensor, distance: Distance | None = None, *, steps: int = 200, lr: float = 0.1
) -> Inversion:
    """Descend each picture's loss from `z_start` by Adam, the learning rate falling to 0 along a cosine.

    The best latent on the way is kept, so none ends worse than it started. Deterministic.

    Args:
        decode: latents [B, ...] to pictures [B, C, H, W], differentiable.
        x: pictures in [-1, 1], [B, C, H, W].
        z_start: where to start, [B, ...].
        distance: what is descended; None for squared pixels alone.
        steps: of Adam; 0 only measures the start.
        lr: the largest step of one coordinate, about.
    """
    distance = distance or Distance()
    from_x = distance.to(x)
    z = z_start.detach().clone().requires_grad_()
    first, second = torch.zeros_like(z), torch.zeros_like(z)
    best_z, best, start = z.detach().clone(), torch.full((len(z),), math.inf, device=z.device), None
    for step in range(steps + 1):
        with torch.enable_grad():
            loss = from_x(decode(z))
            if distance.prior is not None:
                loss = loss + distance.prior_weight * distance.prior(z)
        reached = loss.detach()
        start = reached if start is None else start
        better = reached < best
        best = torch.where(better, reached, best)
        best_z = torch.where(better.view(-1, *([1] * (z.ndim - 1))), z.detach(), best_z)
        if step == steps:
            break
        (gradient,) = torch.autograd.grad(loss.sum(), z)
        # Kingma and Ba 2014 (arXiv:1412.6980), Algorithm 1, on z alone: no weight is ever asked for a gradient.
        first = torch.lerp(first, gradient, 1 - _BETA1)
        second = torch.lerp(second, gradient.square(), 1 - _BETA2)
        unbiased, scale = first / (1 - _BETA1 ** (step + 1)), second / (1 - _BETA2 ** (step + 1))
        rate = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
        z = (z.detach() - rate * unbiased / (scale.sqrt() + _EPSILON)).requires_grad_()
    assert start is not None
    return Inversion(best_z, start, best)


@torch.no_grad()
def best_of(decode: Decode, x: Tensor, draws: Tensor, distance: Distance | None = None) -> Tensor:
    """Of many draws [M, ...], for each picture [B, C, H, W] the one whose picture is nearest, [B, ...].

    What the distance says of the prior does not count: draws come from it.
    """
    distance = distance or Distance()
    near = torch.full((len(x),), math.inf, device=x.device)
    chosen = torch.zeros(len(x), dtype=torch.long, device=x.device)
    for start in range(0, len(draws), _TOGETHER):
        made = decode(draws[start : start + _TOGETHER])
        for row in range(len(x)):
            least, index = distance.to(x[row : row + 1])(made).min(dim=0)
            if least < near[row]:
                near[row], chosen[row] = least, start + index
    return draws[chosen]
