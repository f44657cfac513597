"""The critic of a GAN: what judges pictures, real and generated.

    Mirza and Osindero 2014, "Conditional generative adversarial nets" (arXiv:1411.1784): `concatenation`.
    Odena et al. 2017, "Conditional image synthesis with auxiliary classifier GANs" (arXiv:1610.09585): `auxiliary`.
    Miyato and Koyama 2018, "cGANs with projection discriminator" (arXiv:1802.05637): `projection`.
    Hou et al. 2022, "Conditional GANs with auxiliary discriminative classifier" (arXiv:2107.10060): `doubt`, where
    their classifier has two outputs for each class, real and generated.

Letters: B batch, C H W picture, K numbers in a condition.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.nn import Features, Linear, flatten
from latentry.settings.gan import CriticCondition
from latentry.settings.specs import ConditionSpec


class Judgement(NamedTuple):
    """What a critic says: a score [B], high for real, and its guess of the condition [B, K] where it makes one."""

    score: Tensor
    guess: Tensor | None

    def halves(self) -> tuple[Judgement, Judgement]:
        """Of the first half of the pictures, and of the second."""
        (score_a, score_b), guess = self.score.chunk(2), self.guess
        guess_a, guess_b = (None, None) if guess is None else guess.chunk(2)
        return Judgement(score_a, guess_a), Judgement(score_b, guess_b)


class Critic(nn.Module):
    """Features, then one linear score without a nonlinearity.

    Args:
        features: of pictures [B, C, H, W], which have read the condition beside them for `concatenation`.
        condition: what there is to tell; None for nothing.
        how: concatenation, projection (the features' product with the condition's is added to the score), auxiliary
            (the condition is guessed) or both of these.
    """

    def __init__(self, features: Features, condition: ConditionSpec | None, how: CriticCondition) -> None:
        super().__init__()
        self.features = features
        size = features.size
        self.score = Linear(size, 1, gain=features.gain)
        self.told_beside = condition is not None and how == "concatenation"
        told = condition.size if condition is not None else 0
        embedded = features.gain * (told / size) ** 0.5  # so that it starts as large as the score's own weights
        self.embed = Linear(told, size, gain=embedded, bias=False) if told and "projection" in how else None
        self.guess = Linear(size, told, gain=features.gain) if told and "auxiliary" in how else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        """Judge pictures in [-1, 1], [B, C, H, W], under conditions [B, K]."""
        features = flatten(self.features(x, condition if self.told_beside else None))
        score = self.score(features).squeeze(1)
        if self.embed is not None:
            assert condition is not None
            score = score + (self.embed(condition) * features).sum(dim=1)  # Miyato and Koyama 2018, Eq. 3
        return Judgement(score.float(), None if self.guess is None else self.guess(features).float())


def guess_loss(guess: Tensor, condition: Tensor | None, told: ConditionSpec | None) -> Tensor:
    """How far a guess [B, K] is from the condition [B, K]: -log of its probability, or squared distance; [B]."""
    assert condition is not None and told is not None
    match told.kind:
        case "class":
            return F.cross_entropy(guess, condition, reduction="none")
        case "attributes":
            return F.softplus(-guess * condition).sum(dim=1)
        case "numbers":
            return 0.5 * (guess - condition).square().sum(dim=1)


def doubt_loss(guess: Tensor, condition: Tensor | None, told: ConditionSpec | None) -> Tensor:
    """How sure a guess [B, K] is of the condition [B, K]: -log of the probability that it is another; [B].

    Each attribute is doubted by itself, and numbers, which nothing says to be wrong, not at all: 0.
    """
    assert condition is not None and told is not None
    match told.kind:
        case "class":
            others = guess.masked_fill(condition > 0, -math.inf)
            return torch.logsumexp(guess, dim=1) - torch.logsumexp(others, dim=1)
        case "attributes":
            return guess_loss(guess, -condition, told)
        case "numbers":
            return guess.new_zeros(len(guess))
