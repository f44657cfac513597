"""The distribution of a picture given the decoder's output: its loss, and the picture that it expects."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from latentry.losses import (
    bernoulli_nll,
    continuous_bernoulli_nll,
    discretised_logistic_nll,
    gaussian_nll,
    laplace_nll,
)
from latentry.settings.models import LikelihoodName

_LEARNED = ("gaussian-learned", "discretised-logistic")
_ON_LOGITS = ("bernoulli", "continuous-bernoulli")
_FIRST_SIGMA = 0.5  # where a learned sigma starts, in units of [-1, 1]: nearly the spread of pictures themselves
_LEAST_SHARE = 1e-3  # of white that a first output has, and of black: beyond it a pixel would be slow to learn


class Likelihood(nn.Module):
    """p(x | z) over pictures x in [-1, 1], from the decoder's raw output.

    Bernoulli and continuous Bernoulli read the output as logits of x mapped to [0, 1]; the others as the mean of x.
    Densities are with respect to x in [-1, 1] (Bernoulli: to x in [0, 1]), so that a learned sigma makes the negative
    log-likelihood negative where the fit is finer than the range. Nats per image throughout.

    Args:
        name: which distribution.
        sigma: scale of the noise where it is fixed, in units of [-1, 1].
    """

    def __init__(self, name: LikelihoodName, sigma: float) -> None:
        super().__init__()
        self.name = name
        log_sigma = torch.tensor(math.log(_FIRST_SIGMA if name in _LEARNED else sigma))
        if name in _LEARNED:
            self.log_sigma: Tensor = nn.Parameter(log_sigma)
        else:
            self.register_buffer("log_sigma", log_sigma)

    def negative_log(self, output: Tensor, x: Tensor) -> Tensor:
        """-log p(x | z) in nats per image, [B], of decoder outputs and pictures [B, C, H, W]."""
        match self.name:
            case "bernoulli":
                return bernoulli_nll(output, (x + 1) / 2)
            case "continuous-bernoulli":
                return continuous_bernoulli_nll(output, (x + 1) / 2)
            case "gaussian" | "gaussian-learned":
                return gaussian_nll(output, x, self.log_sigma)
            case "laplace":
                return laplace_nll(output, x, self.log_sigma)
            case "discretised-logistic":
                return discretised_logistic_nll(output, self.log_sigma, x)

    @property
    def on_logits(self) -> bool:
        """Whether the decoder's output is read as logits."""
        return self.name in _ON_LOGITS

    def picture(self, output: Tensor) -> Tensor:
        """The picture in [-1, 1] to show for a decoder output: the distribution's centre, clipped to the range."""
        if self.on_logits:
            # For the continuous Bernoulli this is the parameter, which papers show, not the (greyer) mean.
            return 2 * torch.sigmoid(output) - 1
        return output.clamp(-1, 1)

    def output_for(self, picture: Tensor) -> Tensor:
        """A decoder output whose `picture` is this one in [-1, 1], of any shape; nearly, where it is black or white."""
        return torch.logit((picture + 1) / 2, eps=_LEAST_SHARE) if self.on_logits else picture
