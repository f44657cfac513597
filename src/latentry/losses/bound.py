"""Variants of the evidence lower bound, and how much of the latent it uses.

Letters: B batch, D latent, N data, k importance samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latentry.losses.divergence import log_mean_exp
from latentry.precision import float64
from latentry.ranks import mean_over_ranks


def importance_weighted_bound(log_w: Tensor) -> Tensor:
    """The lower bound L_k on log p(x) from k weights; Burda et al. 2015 (arXiv:1509.00519), Eq. 8.

    Args:
        log_w: log p(x, z) - log q(z | x) for k latents of each image, [k, B]; k = 1 is the evidence lower bound.

    Returns:
        Nats per image, [B]; to be maximised.
    """
    return log_mean_exp(log_w, dim=0)


def free_bits(kl_per_dimension: Tensor, nats: float) -> Tensor:
    """The KL term with `nats` free in each dimension; Kingma et al. 2016 (arXiv:1606.04934), Eq. 15.

    Reduction: the clamp is on the mean over the batch (of all ranks that share it), so the batch mean of what is
    returned is sum_d max(nats, mean_b KL_bd), with its gradient. A dimension under the threshold counts as `nats` for
    every image and sends no gradient; one above it counts as its own KL.

    Args:
        kl_per_dimension: nats, [B, D].
        nats: per dimension, at least 0.

    Returns:
        Nats per image, [B].
    """
    counts = mean_over_ranks(kl_per_dimension.mean(dim=0)) > nats
    return torch.where(counts, kl_per_dimension, nats).sum(dim=1)


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Which latent dimensions follow the data: variance of the posterior means above the threshold.

    Burda et al. 2015, section 5.2: A_u = Cov_x(E[u | x]) > 0.01.

    Args:
        mu: posterior means of N images, [N, D].
        threshold: in units of the prior's variance.

    Returns:
        One truth value a dimension, bool [D].
    """
    return float64(mu).var(dim=0, correction=0) > threshold
