"""What keeps a critic smooth: penalties on its slope with respect to the picture, and weight clipping.

    Arjovsky et al. 2017, "Wasserstein GAN" (arXiv:1701.07875): weight clipping.
    Gulrajani et al. 2017, "Improved training of Wasserstein GANs" (arXiv:1704.00028): the gradient penalty.
    Kodali et al. 2017, "On convergence and stability of GANs" (arXiv:1705.07215): DRAGAN.
    Mescheder et al. 2018, "Which training methods for GANs do actually converge?" (arXiv:1801.04406): R1 and R2.

A critic maps pictures [B, ...] of any trailing shape to scores [B], and each score must depend on its own picture only:
the slopes of all scores are taken at once, as the gradient of their sum. Penalties are [B], without their factor. Call
them outside mixed precision; they have gradients with respect to the critic's parameters, none to the pictures.
Letters: B batch, g the gradient of a score.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentry.ranks import mean_over_ranks, ranks_here, uniform

CriticFunction = Callable[[Tensor], Tensor]


def score_and_gradient(critic: CriticFunction, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of pictures, and each score's gradient with respect to its own picture, from one pass.

    Both can be differentiated with respect to the critic's parameters; `x` is cut off from where it came from.

    Args:
        critic: maps pictures [B, ...] to scores [B]; each score must depend on its own picture only.
        x: pictures, [B, ...].

    Returns:
        Scores [B] and gradients [B, ...].
    """
    x = x.detach().requires_grad_()
    score = critic(x)
    if score.shape != x.shape[:1]:
        raise ValueError(f"the critic returned {tuple(score.shape)} for {len(x)} pictures; it must return ({len(x)},)")
    # torch.autograd.grad, not torch.func.grad: a critic may keep state in its pass (power iteration, dropout's rng).
    (gradient,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return score, gradient


def unit_norm(gradient: Tensor) -> Tensor:
    """(|g| - 1)^2, two-sided; Gulrajani et al. 2017, Eq. 3, without lambda. [B, ...] to [B]."""
    return (_norm(gradient) - 1).square()


def zero_centred(gradient: Tensor) -> Tensor:
    """|g|^2 / 2, to be multiplied by gamma; Mescheder et al. 2018, Eq. 9 on real pictures (R1), Eq. 10 (R2)."""
    return gradient.flatten(1).square().sum(dim=1) / 2


def interpolate(x_real: Tensor, x_fake: Tensor, rng: torch.Generator) -> Tensor:
    """A point on the line between the two of each pair, uniform; Gulrajani et al. 2017, Algorithm 1, lines 4 and 6.

    Args:
        x_real, x_fake: pictures, [B, ...].
        rng: on the pictures' device.
    """
    if x_real.shape != x_fake.shape:
        raise ValueError(f"x_real {tuple(x_real.shape)} and x_fake {tuple(x_fake.shape)} must have one shape")
    shape = (len(x_real),) + (1,) * (x_real.dim() - 1)  # one weight a pair: a weight a pixel would leave the line
    weight = uniform(shape, rng, dtype=x_real.dtype)
    return torch.lerp(x_fake, x_real, weight)


def gradient_penalty(critic: CriticFunction, x_real: Tensor, x_fake: Tensor, *, rng: torch.Generator) -> Tensor:
    """How far the critic's slope is from one, between real and generated pictures.

    Gulrajani et al. 2017, Algorithm 1, lines 4-7, without lambda.

    Args:
        critic: maps pictures [B, ...] to scores [B]; each score must depend on its own picture only.
        x_real, x_fake: pictures, [B, ...].
        rng: on the pictures' device.

    Returns:
        One penalty a pair, [B].
    """
    _, gradient = score_and_gradient(critic, interpolate(x_real, x_fake, rng))
    return unit_norm(gradient)


def dragan_penalty(critic: CriticFunction, x_real: Tensor, *, rng: torch.Generator) -> Tensor:
    """How far the critic's slope is from one, next to real pictures; Kodali et al. 2017, without lambda, with k = 1.

    The paper's formula has Gaussian noise of a variance to be chosen. Here it is the noise of their experiments,
    uniform in every pixel from 0 to half the batch's standard deviation, which needs no choice.

    Args:
        critic: maps pictures [B, ...] to scores [B]; each score must depend on its own picture only.
        x_real: pictures, [B, ...].
        rng: on the pictures' device.

    Returns:
        One penalty a picture, [B].
    """
    noise = uniform(x_real.shape, rng, dtype=x_real.dtype)
    # Without Bessel's correction, so that one picture of one pixel has a spread (0), and copies do not change it.
    _, gradient = score_and_gradient(critic, x_real + 0.5 * _spread(x_real) * noise)
    return unit_norm(gradient)


def _spread(x: Tensor) -> Tensor:
    """The standard deviation of all numbers of a batch [B, ...], over all ranks' rows where a step is shared."""
    if ranks_here().world == 1:
        return x.std(correction=0)
    mean = mean_over_ranks(x.mean())
    return mean_over_ranks((x - mean).square().mean()).sqrt()


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float) -> None:
    """Put every parameter between -limit and limit, in place; Arjovsky et al. 2017, Algorithm 1, line 7."""
    if not limit > 0:
        raise ValueError(f"limit (={limit}) must be above 0")
    for weight in module.parameters():
        weight.clamp_(-limit, limit)


def _norm(gradient: Tensor) -> Tensor:
    """|g| of each picture, [B, ...] to [B], with derivative 0 where g is exactly 0, as with every rectifier off.

    The square root's derivative there is infinite, and infinity times the 0 of the square is NaN. So the root never
    sees a 0: it is given 1 there, and its result discarded. Adding a small number instead would bias every penalty.
    """
    square = gradient.flatten(1).square().sum(dim=1)
    is_zero = square == 0
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, square).sqrt())
