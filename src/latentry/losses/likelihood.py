"""Negative log-likelihoods of pictures given what a decoder put out, in nats per image.

Each maps tensors [B, ...] to [B]: summed over everything but the batch, reduced over nothing else.
Letters: B batch, lambda the Bernoulli parameter, eta = log(lambda / (1 - lambda)) its logit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_HALF_BIN = 1 / 255  # half the distance of neighbouring levels, of 256 on [-1, 1]
_LEAST_LOG_SCALE = -7.0  # of a discretised logistic; Salimans et al. 2017's code has the same
_SERIES_BELOW = 0.1  # |eta| under which log C is summed from its series


def bernoulli_nll(logits: Tensor, target01: Tensor) -> Tensor:
    """-log p(x) of independent Bernoulli pixels; Kingma and Welling 2013 (arXiv:1312.6114), Eq. 11.

    For grey targets it is the cross-entropy, which is no likelihood of them: it does not reach 0, and
    `continuous_bernoulli_nll` is the density that it lacks.

    Args:
        logits: of the pixel being 1, [B, ...], any real number.
        target01: pixels in [0, 1], [B, ...].

    Returns:
        Nats per image, [B].
    """
    _check_shapes(logits, target01)
    return _per_image(F.binary_cross_entropy_with_logits(logits, target01, reduction="none"))


def continuous_bernoulli_nll(logits: Tensor, target01: Tensor) -> Tensor:
    """-log p(x) of pixels with density C(lambda) lambda^x (1 - lambda)^(1 - x) on [0, 1].

    Loaiza-Ganem and Cunningham 2019 (arXiv:1907.06845), Proposition 1. Their parameter is lambda = sigmoid(logits); the
    distribution's mean is another number.

    Args:
        logits: eta, [B, ...], any real number.
        target01: pixels in [0, 1], [B, ...].

    Returns:
        Nats per image, [B]; negative where the density is above 1.
    """
    _check_shapes(logits, target01)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target01, reduction="none")
    return _per_image(cross_entropy - continuous_bernoulli_log_normaliser(logits))


def continuous_bernoulli_log_normaliser(logits: Tensor) -> Tensor:
    """Log C(lambda) of the continuous Bernoulli for logits eta of any shape; log 2 at eta = 0.

    Loaiza-Ganem and Cunningham 2019, Proposition 1: C = 2 artanh(1 - 2 lambda) / (1 - 2 lambda), 2 at lambda = 1/2. As
    1 - 2 lambda = -tanh(eta / 2), C = eta / tanh(eta / 2), which loses precision only next to 0.
    """
    near_zero = logits.abs() < _SERIES_BELOW
    square = logits.square()
    series = math.log(2) + square * (1 / 12 - square * (7 / 1440 - square * (31 / 90720)))
    eta = torch.where(near_zero, 1.0, logits.abs())  # so that the branch not taken has a finite gradient
    return torch.where(near_zero, series, torch.log(eta / torch.tanh(eta / 2)))


def gaussian_nll(mean: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
    """-log p(x) of independent Gaussian pixels, fixed or learned sigma; Rybkin et al. 2021 (arXiv:2006.13202).

    Args:
        mean, x: [B, ...], in the same unit.
        log_sigma: log of the standard deviation in that unit; one number, or any shape that broadcasts to x's.

    Returns:
        Nats per image, [B], of the density with respect to x's unit; negative where sigma is small.
    """
    _check_shapes(mean, x)
    if log_sigma.numel() == 1:  # the same, but for pixels there is only a difference to square
        distance = _per_image((x - mean).square())
        log_scale = log_sigma.reshape(())
        return 0.5 * distance * torch.exp(-2 * log_scale) + x[0].numel() * (log_scale + _HALF_LOG_TWO_PI)
    return _per_image(0.5 * ((x - mean) * torch.exp(-log_sigma)).square() + log_sigma + _HALF_LOG_TWO_PI)


def laplace_nll(mean: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
    """-log p(x) of independent Laplace pixels, exp(-|x - mean| / b) / (2 b).

    Args:
        mean, x: [B, ...], in the same unit.
        log_scale: log b in that unit; one number, or any shape that broadcasts to x's.

    Returns:
        Nats per image, [B], of the density with respect to x's unit.
    """
    _check_shapes(mean, x)
    return _per_image((x - mean).abs() * torch.exp(-log_scale) + log_scale + math.log(2))


def discretised_logistic_nll(mean: Tensor, log_scale: Tensor, x: Tensor) -> Tensor:
    """-log P(x) of pixels at 256 levels: the mass of a logistic distribution in the level's bin.

    Kingma et al. 2016 (arXiv:1606.04934) and Salimans et al. 2017 (arXiv:1701.05517), Eq. 2: the lowest
    level's bin extends to minus infinity and the highest level's to infinity, so the masses sum to one. The difference
    of two sigmoids is taken as sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which is exact in every tail, where the papers'
    code falls back on the density.

    Args:
        mean: of the logistic in units of [-1, 1], [B, ...].
        log_scale: log of its scale s (standard deviation s pi / sqrt 3); one number, or any shape that broadcasts to
            x's. Taken as at least -7, where nearly all the mass is in one bin.
        x: pixels at levels k / 127.5 - 1, k = 0..255, [B, ...].

    Returns:
        Nats per image, [B], of a probability; at least 0.
    """
    _check_shapes(mean, x)
    log_scale = log_scale.clamp(min=_LEAST_LOG_SCALE)
    above = (x + _HALF_BIN - mean) * torch.exp(-log_scale)  # upper edge of the bin, in scales
    below = (x - _HALF_BIN - mean) * torch.exp(-log_scale)
    # The mass between the edges; their distance is not `above - below`, which cancels in float32.
    log_gap = torch.log(-torch.expm1(-2 * _HALF_BIN * torch.exp(-log_scale)))
    log_mass = F.logsigmoid(above) + F.logsigmoid(-below) + log_gap
    log_mass = torch.where(x < -1 + _HALF_BIN, F.logsigmoid(above), log_mass)
    log_mass = torch.where(x > 1 - _HALF_BIN, F.logsigmoid(-below), log_mass)
    return _per_image(-log_mass)


def _per_image(values: Tensor) -> Tensor:
    """Sum over everything but the batch, [B, ...] to [B]."""
    return values.flatten(1).sum(dim=1)


def _check_shapes(output: Tensor, target: Tensor) -> None:
    """Refuse what would broadcast: a [B, 1] against a [B] silently sums B^2 terms."""
    if output.shape != target.shape:
        raise ValueError(f"output {tuple(output.shape)} and target {tuple(target.shape)} must have one shape")
