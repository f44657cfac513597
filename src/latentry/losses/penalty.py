"""What keeps a critic smooth: penalties on the gradient of its scores with respect to pictures, and weight clipping.

A critic here is a function from pictures [B, ...] to scores [B], each of which depends on its own picture only: the
gradient of the scores' sum then holds each score's own gradient. Batch normalisation breaks that.
Letters: B pictures or pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Critic = Callable[[Tensor], Tensor]

_LEAST_SQUARED_NORM = 1e-12  # the square root has no slope at 0, where a fresh or dead critic may be


def score_and_gradient(critic: Critic, x: Tensor) -> tuple[Tensor, Tensor]:
    """The scores [B] of pictures and the gradient of each with respect to its picture, like x.

    One forward pass; both can be differentiated with respect to the critic's weights.
    """
    x = x.detach().requires_grad_()
    score = critic(x)
    (gradient,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return score, gradient


def unit_norm(gradient: Tensor) -> Tensor:
    """(|g| - 1)^2 of gradients [B, ...], [B]."""
    squared = gradient.flatten(1).square().sum(dim=1)
    return (squared.clamp(min=_LEAST_SQUARED_NORM).sqrt() - 1).square()


def zero_centred(gradient: Tensor) -> Tensor:
    """|g|^2 / 2 of gradients [B, ...], [B]: R1 on real and R2 on generated pictures, without the factor gamma.

    Mescheder et al. 2018 (arXiv:1801.04406), Eq. 9 and 10.
    """
    return 0.5 * gradient.flatten(1).square().sum(dim=1)


def gradient_penalty(critic: Critic, x_real: Tensor, x_fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """How far the critic's gradient norm is from one, between real and generated pictures.

    Gulrajani et al. 2017 (arXiv:1704.00028), Algorithm 1, lines 4-7, without the factor lambda.

    Args:
        critic: scores pictures.
        x_real, x_fake: pictures [B, ...], pair by pair.
        rng: one weight a pair, uniform.

    Returns:
        One penalty a pair, [B].
    """
    _, gradient = score_and_gradient(critic, interpolate(x_real, x_fake, rng))
    return unit_norm(gradient)


def dragan_penalty(critic: Critic, x_real: Tensor, *, rng: torch.Generator) -> Tensor:
    """How far the critic's gradient norm is from one around real pictures [B, ...], without the factor lambda; [B].

    Kodali et al. 2017 (arXiv:1705.07215), Algorithm 1: the pictures with noise, uniform in [0, 1] times half their
    standard deviation, as the authors perturb them.
    """
    noise = torch.rand(x_real.shape, generator=rng, device=x_real.device, dtype=x_real.dtype)
    _, gradient = score_and_gradient(critic, x_real + 0.5 * x_real.std() * noise)
    return unit_norm(gradient)


def interpolate(x_real: Tensor, x_fake: Tensor, rng: torch.Generator) -> Tensor:
    """A point on the line between each real and its generated picture, uniform, like both."""
    shape = (len(x_real),) + (1,) * (x_real.dim() - 1)
    weight = torch.rand(shape, generator=rng, device=x_real.device, dtype=x_real.dtype)
    return torch.lerp(x_fake, x_real, weight)


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float) -> None:
    """Keep every weight within plus and minus `limit`, in place; Arjovsky et al. 2017, Algorithm 1, line 7."""
    weights = [weight.detach() for weight in module.parameters()]
    torch._foreach_clamp_min_(weights, -limit)
    torch._foreach_clamp_max_(weights, limit)
