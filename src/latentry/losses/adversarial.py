"""The games that a critic and a generator play: what each of the two minimises.

    Goodfellow et al. 2014, "Generative adversarial nets" (arXiv:1406.2661): "minimax", "non-saturating".
    Mao et al. 2017, "Least squares generative adversarial networks" (arXiv:1611.04076): "least-squares".
    Lim and Ye 2017, "Geometric GAN" (arXiv:1705.02894), and Miyato et al. 2018, "Spectral normalization for generative
    adversarial networks" (arXiv:1802.05957): "hinge".
    Arjovsky et al. 2017, "Wasserstein GAN" (arXiv:1701.07875): "wasserstein".
    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv:1807.00734), and Huang et al. 2024, "The GAN is
    dead; long live the GAN!" (arXiv:2501.05441): "relativistic".

A score is any real number, high for real pictures; there is no nonlinearity after the critic. Where a paper has a
probability D, it is sigmoid(score) here, and log D is never formed from D. Scores and losses are [B] throughout;
the losses are minimised by both players, so what a paper maximises has its sign changed. Letters: B pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class AdversarialLoss(NamedTuple):
    """The two losses of a game, and what they read."""

    critic: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """(score_real, score_fake, target_real, target_fake) to the loss of each pair, real part plus generated part, [B].

    Targets are 1 for real and 0 for generated; label smoothing and label noise are other numbers in [0, 1]."""
    generator: Callable[[Tensor, Tensor], Tensor]
    """(score_fake, score_real) to the loss of each generated picture, [B]."""
    uses_targets: bool
    """whether the critic's loss reads its targets; where False, there is no label to smooth and they are ignored."""
    needs_real_in_generator: bool
    """whether the generator's loss reads `score_real`; where False, anything may be passed."""


def _cross_entropy_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """-log D(x_real) - log(1 - D(x_fake)) for plain targets; Goodfellow et al. 2014, Eq. 1, sign changed."""
    _check_shapes(score_real, score_fake, target_real, target_fake)
    real = F.binary_cross_entropy_with_logits(score_real, target_real, reduction="none")
    return real + F.binary_cross_entropy_with_logits(score_fake, target_fake, reduction="none")


def _minimax_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """Log(1 - D(x_fake)); Goodfellow et al. 2014, Eq. 1. Its gradient vanishes where the critic wins."""
    return -F.softplus(score_fake)


def _non_saturating_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """-log D(x_fake), the cross-entropy to label 1; Goodfellow et al. 2014, section 3."""
    return F.softplus(-score_fake)


def _least_squares_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """Half the squared distances to the labels; Mao et al. 2017, Eq. 2, with b = 1 and a = 0 for plain targets."""
    _check_shapes(score_real, score_fake, target_real, target_fake)
    return 0.5 * (score_real - target_real).square() + 0.5 * (score_fake - target_fake).square()


def _least_squares_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """Half the squared distance to c = 1; Mao et al. 2017, Eq. 2."""
    return 0.5 * (score_fake - 1).square()


def _hinge_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """How far the scores are from a margin of 1 on the right side; Miyato et al. 2018, Eq. 16, sign changed."""
    _check_shapes(score_real, score_fake)
    return torch.relu(1 - score_real) + torch.relu(1 + score_fake)


def _wasserstein_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """-y p summed over the pair, y = +1 real and -1 generated; Arjovsky et al. 2017, Algorithm 1, line 5, sign changed.

    Its negative mean estimates the Wasserstein-1 distance only as far as the critic's slope is kept at 1.
    """
    _check_shapes(score_real, score_fake)
    return score_fake - score_real


def _negative_score_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """-score; Arjovsky et al. 2017, Algorithm 1, line 10, and Miyato et al. 2018, Eq. 17."""
    return -score_fake


def _relativistic_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """-log sigmoid(D(x_real) - D(x_fake)); Jolicoeur-Martineau 2018 (RSGAN), and Huang et al. 2024, Eq. 2."""
    _check_shapes(score_real, score_fake)
    return F.softplus(score_fake - score_real)


def _relativistic_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """-log sigmoid(D(x_fake) - D(x_real)): the critic's loss with the two exchanged."""
    _check_shapes(score_real, score_fake)
    return F.softplus(score_real - score_fake)


def _check_shapes(*scores: Tensor) -> None:
    """Refuse what would broadcast: a [B, 1] against a [B] silently compares B^2 pairs."""
    shapes = [tuple(score.shape) for score in scores]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(f"scores and targets {shapes} must have one shape [B]; squeeze what the critic returns")


ADVERSARIAL: dict[str, AdversarialLoss] = {
    "minimax": AdversarialLoss(_cross_entropy_critic, _minimax_generator, True, False),
    "non-saturating": AdversarialLoss(_cross_entropy_critic, _non_saturating_generator, True, False),
    "least-squares": AdversarialLoss(_least_squares_critic, _least_squares_generator, True, False),
    "hinge": AdversarialLoss(_hinge_critic, _negative_score_generator, False, False),
    "wasserstein": AdversarialLoss(_wasserstein_critic, _negative_score_generator, False, False),
    "relativistic": AdversarialLoss(_relativistic_critic, _relativistic_generator, False, True),
}
