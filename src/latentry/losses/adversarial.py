"""The losses of critic and generator, one pair of functions for each game.

Scores are a critic's last numbers, without a sigmoid: high for pictures that it takes for real. A critic's loss is one
number a pair of a real and a generated picture, the sum of its two parts. Targets are the labels that smoothing and
label noise change: 1 for real and 0 for generated where they do not. Letters: B pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


def cross_entropy_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) with D the sigmoid of the score, [B]; Goodfellow et al. 2014 (1406.2661), Eq. 1.

    For targets t other than 1 and 0 the cross-entropy to them. Its least value for two densities is
    2 ln 2 - 2 JSD(p, q), reached by the score ln p(x) / q(x).
    """
    on_real = F.binary_cross_entropy_with_logits(score_real, target_real, reduction="none")
    return on_real + F.binary_cross_entropy_with_logits(score_fake, target_fake, reduction="none")


def minimax_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """Log(1 - D(G(z))), [B], which flattens where the critic is sure; Goodfellow et al. 2014, Algorithm 1."""
    return -F.softplus(score_fake)


def non_saturating_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """-log D(G(z)), [B]: the label is 1, as if its pictures were real; Goodfellow et al. 2014, section 3."""
    return F.softplus(-score_fake)


def least_squares_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """Half the squared distances to the targets, [B]; Mao et al. 2017 (1611.04076), Eq. 2 and 9 with a = 0, b = 1."""
    return 0.5 * ((score_real - target_real).square() + (score_fake - target_fake).square())


def least_squares_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """Half the squared distance to the label of real pictures, [B]; Mao et al. 2017, Eq. 9 with c = 1."""
    return 0.5 * (score_fake - 1).square()


def hinge_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """max(0, 1 - s(x)) + max(0, 1 + s(G(z))), [B]; Lim and Ye 2017 (1705.02894); Miyato et al. 2018, Eq. 16."""
    return F.relu(1 - score_real) + F.relu(1 + score_fake)


def wasserstein_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """-y s with y = +1 for real and -1 for generated pictures, summed over the pair, [B]; Arjovsky et al. 2017, Eq. 3.

    Its mean is minus the estimate of the distance, on a scale that the critic's constraint sets.
    """
    return score_fake - score_real


def negative_score(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """-s(G(z)), [B]: the generator of the Wasserstein and the hinge game."""
    return -score_fake


def relativistic_critic(score_real: Tensor, score_fake: Tensor, target_real: Tensor, target_fake: Tensor) -> Tensor:
    """-log sigmoid(s(x) - s(G(z))), [B]: ln 2 where the critic cannot tell a pair apart.

    Jolicoeur-Martineau 2018 (1807.00734); Huang et al. 2024 (2501.05441), Eq. 2.
    """
    return F.softplus(score_fake - score_real)


def relativistic_generator(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """-log sigmoid(s(G(z)) - s(x)), [B]: the same game with the roles exchanged."""
    return F.softplus(score_real - score_fake)


class AdversarialLoss(NamedTuple):
    """Both sides of one game.

    Attributes:
        critic: scores of real and generated pictures [B] and their targets [B] to losses [B].
        generator: scores of generated and of real pictures [B] to losses [B].
        uses_targets: whether targets other than 1 and 0 mean anything.
        needs_real_in_generator: whether the generator's loss reads the score of real pictures.
    """

    critic: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    uses_targets: bool
    needs_real_in_generator: bool


ADVERSARIAL: dict[str, AdversarialLoss] = {
    "minimax": AdversarialLoss(cross_entropy_critic, minimax_generator, True, False),
    "non-saturating": AdversarialLoss(cross_entropy_critic, non_saturating_generator, True, False),
    "least-squares": AdversarialLoss(least_squares_critic, least_squares_generator, True, False),
    "hinge": AdversarialLoss(hinge_critic, negative_score, False, False),
    "wasserstein": AdversarialLoss(wasserstein_critic, negative_score, False, False),
    "relativistic": AdversarialLoss(relativistic_critic, relativistic_generator, False, True),
}
