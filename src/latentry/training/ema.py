"""The exponential moving average of a model: what is sampled, scored and kept."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn


def ema_decay(batch: int, half_life_images: float, images_seen: int) -> float:
    """The decay r for one step: .5 ** (batch / half-life), with the half-life at most a twentieth of the images seen.

    The ramp keeps a young average from remembering the random first weights (Karras et al. 2020, StyleGAN2-ADA).
    """
    half_life = min(half_life_images, images_seen / 20)
    return 0.5 ** (batch / half_life) if half_life > 0 else 0.0


M = TypeVar("M", bound=nn.Module)


class EMA(Generic[M]):
    """A copy of a module whose weights follow the module's; buffers are copied as they are.

    Args:
        module: the module that is trained.
    """

    def __init__(self, module: M) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._averages: list[Tensor] = [weight.detach() for weight in self.module.parameters()]
        self._weights: list[Tensor] = [weight.detach() for weight in module.parameters()]
        self._buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Move the average: ema = decay * ema + (1 - decay) * weights."""
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        for average, buffer in self._buffers:
            average.copy_(buffer)
