"""Log-densities of latents and divergences between their distributions, in nats.

Gaussians are diagonal and given by mean and log-variance. Letters: B batch, D latent, K mixture components.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG_TWO_PI = math.log(2 * math.pi)


def kl_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, I)) in nats per image, [B], for [B, D]; Kingma and Welling 2013, appendix B."""
    return kl_standard_normal_per_dimension(mu, logvar).sum(dim=1)


def kl_standard_normal_per_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    """The terms of `kl_standard_normal`, one a latent dimension, [B, D]; each at least 0."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def kl_diagonal_gaussians(mu1: Tensor, logvar1: Tensor, mu2: Tensor, logvar2: Tensor) -> Tensor:
    """KL(N(mu1, exp(logvar1)) || N(mu2, exp(logvar2))) in nats per image, [B], for [B, D] each.

    ln(s2 / s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2, summed over D.
    """
    log_ratio = logvar1 - logvar2
    distance = (mu1 - mu2).square() * torch.exp(-logvar2)
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).sum(dim=1)


def log_diagonal_gaussian_per_dimension(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log N(z; mu, exp(logvar)), elementwise, over shapes that broadcast."""
    return -0.5 * ((z - mu).square() * torch.exp(-logvar) + logvar + _LOG_TWO_PI)


def log_diagonal_gaussian(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log N(z; mu, exp(logvar)) in nats, summed over the last dimension, [..., D] to [...].

    The three broadcast: one mean for many z is [D], and zeros of shape [] give the standard normal.
    """
    return log_diagonal_gaussian_per_dimension(z, mu, logvar).sum(dim=-1)


def log_vampprior(z: Tensor, mu_k: Tensor, logvar_k: Tensor) -> Tensor:
    """Log p(z) of a mixture of K Gaussians of equal weight; Tomczak and Welling 2017 (arXiv:1705.07120), section 3.

    In a VampPrior the components are the encoder's posteriors for the pseudo-inputs. Needs memory for [..., K, D].

    Args:
        z: latents, [..., D].
        mu_k, logvar_k: of the components, [K, D].

    Returns:
        Nats, [...].
    """
    log_components = log_diagonal_gaussian(z.unsqueeze(-2), mu_k, logvar_k)
    return log_mean_exp(log_components, dim=-1)


def kl_monte_carlo(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(q || p), estimated by the mean of log q(z) - log p(z) over latents z drawn from q; unbiased, may be negative.

    Args:
        log_q, log_p: nats, [B] for one latent an image, or [k, B] for k of them.

    Returns:
        Nats per image, [B].
    """
    difference = log_q - log_p
    return difference if difference.dim() == 1 else difference.mean(dim=0)


def log_mean_exp(x: Tensor, dim: int) -> Tensor:
    """Log of the mean of exp(x) along a dimension, without overflow."""
    return torch.logsumexp(x, dim=dim) - math.log(x.shape[dim])
