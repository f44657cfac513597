"""Losses as pure functions: tensors in, one number a sample out, in nats per image."""

from latentry.losses.adversarial import ADVERSARIAL, AdversarialLoss
from latentry.losses.bound import active_units, free_bits, importance_weighted_bound
from latentry.losses.divergence import (
    kl_diagonal_gaussians,
    kl_monte_carlo,
    kl_standard_normal,
    kl_standard_normal_per_dimension,
    log_diagonal_gaussian,
    log_mean_exp,
    log_vampprior,
)
from latentry.losses.likelihood import (
    bernoulli_nll,
    continuous_bernoulli_log_normaliser,
    continuous_bernoulli_nll,
    discretised_logistic_nll,
    gaussian_nll,
    laplace_nll,
)
from latentry.losses.penalty import (
    clip_weights,
    dragan_penalty,
    gradient_penalty,
    interpolate,
    score_and_gradient,
    unit_norm,
    zero_centred,
)
from latentry.losses.total_correlation import TotalCorrelationTerms, total_correlation_terms

__all__ = [
    "ADVERSARIAL",
    "AdversarialLoss",
    "TotalCorrelationTerms",
    "active_units",
    "bernoulli_nll",
    "clip_weights",
    "continuous_bernoulli_log_normaliser",
    "continuous_bernoulli_nll",
    "discretised_logistic_nll",
    "dragan_penalty",
    "free_bits",
    "gaussian_nll",
    "gradient_penalty",
    "importance_weighted_bound",
    "interpolate",
    "kl_diagonal_gaussians",
    "kl_monte_carlo",
    "kl_standard_normal",
    "kl_standard_normal_per_dimension",
    "laplace_nll",
    "log_diagonal_gaussian",
    "log_mean_exp",
    "log_vampprior",
    "score_and_gradient",
    "total_correlation_terms",
    "unit_norm",
    "zero_centred",
]
