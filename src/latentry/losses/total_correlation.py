"""The KL term of a VAE in three parts.

    Chen et al. 2018, "Isolating sources of disentanglement in VAEs" (arXiv:1802.04942).

E_x KL(q(z|x) || p(z)) = mutual information + total correlation + dimension-wise KL (Eq. 2), with the aggregate
posterior q(z) = mean over the data of q(z|x_n). Letters: B batch (M in the paper), b of it, D latent, N data.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from latentry.losses.divergence import log_diagonal_gaussian, log_diagonal_gaussian_per_dimension

Estimator = Literal["mws", "mss", "exact"]


class TotalCorrelationTerms(NamedTuple):
    """The three parts in nats per image, [b] each; their sum is log q(z|x) - log p(z)."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


def total_correlation_terms(
    z: Tensor, mu: Tensor, logvar: Tensor, n_data: int, estimator: Estimator, *, first: int = 0
) -> TotalCorrelationTerms:
    """One-sample estimates of the three parts of the KL to a standard normal; Chen et al. 2018, Eq. 2.

    Only log q(z) and the sum of log q(z_d) are estimated from the batch; how is the choice:

    * "exact": q(z) is the mixture over the batch itself, which must be the whole data set.
    * "mws", minibatch-weighted sampling (Eq. 3): biased by up to -log N, since 1 / (N B) weighs every image where
      1 / B would weigh equal posteriors. So mutual information is too large by up to log N, total correlation by up to
      (D - 1) log N, and the dimension-wise KL too small by up to D log N; their sum is not biased. The gradients are
      those that beta-TCVAE is known for.
    * "mss", minibatch-stratified sampling (appendix C.2): unbiased for q(z), not for its log.

    Args:
        z: one latent for each of b images of the batch, drawn from its posterior, [b, D].
        mu, logvar: of the posteriors, [B, D].
        n_data: size N of the data set that the batch is from.
        estimator: how q(z) is estimated.
        first: which image of the batch is the first of the b.

    Raises:
        ValueError: "exact" with a batch that is not the data; "mss" with a batch of one.
    """
    # log q(z_i[d] | x_j), all pairs [b, B, D]: i draws, j conditions.
    log_q_pairs = log_diagonal_gaussian_per_dimension(z.unsqueeze(1), mu, logvar)
    log_weights = _log_weights(len(mu), n_data, estimator, log_q_pairs, first)
    log_q_z = torch.logsumexp(log_weights + log_q_pairs.sum(dim=2), dim=1)
    log_prod_q = torch.logsumexp(log_weights.unsqueeze(2) + log_q_pairs, dim=1).sum(dim=1)
    own = slice(first, first + len(z))
    log_q_given_x = log_diagonal_gaussian(z, mu[own], logvar[own])
    log_p = log_diagonal_gaussian(z, torch.zeros_like(z), torch.zeros_like(z))
    return TotalCorrelationTerms(log_q_given_x - log_q_z, log_q_z - log_prod_q, log_prod_q - log_p)


def _log_weights(b: int, n: int, estimator: Estimator, like: Tensor, first: int) -> Tensor:
    """Log of the weight of q(z_i | x_j) in the estimate of q(z_i), [b, B], where image i is number i + first."""
    shape = like.shape[:2]
    match estimator:
        case "exact":
            if b != n:
                raise ValueError(f"estimator=exact needs the whole data set: n_data (={n}) is not the batch (={b})")
            return like.new_full(shape, -math.log(n))
        case "mws":
            return like.new_full(shape, -math.log(n * b))  # Eq. 3: 1 / (N M)
        case "mss":
            # The image that z came from has its true weight 1 / N, on the diagonal (the authors' code has it in the
            # first column). The paper gives all but one of the others 1 / (B - 1) and that one what is left; here they
            # share it, the mean over which one is last: the same expectation, less noise, exact where B = N.
            if b == 1 and n > 1:
                raise ValueError("estimator=mss compares a latent with other images: it needs a batch of at least 2")
            others = (1 - 1 / n) / max(b - 1, 1)
            weights = like.new_full(shape, others)
            weights.diagonal(first).fill_(1 / n)
            return weights.log()
