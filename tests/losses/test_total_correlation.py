"""The decomposition of the KL against Gaussians whose terms are known (published-results.md, section 10, test 6)."""

import math

import pytest
import torch
from torch import Tensor

from latentry.losses import (
    TotalCorrelationTerms,
    kl_standard_normal,
    log_diagonal_gaussian,
    log_mean_exp,
    total_correlation_terms,
)
from latentry.losses.total_correlation import Estimator

ESTIMATORS: list[Estimator] = ["mws", "mss", "exact"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def encoded(n: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draws, means and log-variances of n arbitrary posteriors."""
    mu, logvar = normal(n, d, seed=1), normal(n, d, seed=2) / 2 - 1
    return mu + torch.exp(0.5 * logvar) * normal(n, d, seed=3), mu, logvar


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parts_sum_to_the_one_sample_kl(estimator: Estimator) -> None:
    """Whatever the estimate of q(z), it cancels: mutual information + total correlation + dimension-wise KL."""
    z, mu, logvar = encoded(8, 3)
    zero = torch.zeros((), dtype=torch.float64)
    expected = log_diagonal_gaussian(z, mu, logvar) - log_diagonal_gaussian(z, zero, zero)
    parts = total_correlation_terms(z, mu, logvar, 8, estimator)
    torch.testing.assert_close(sum(parts), expected)


def test_exact_terms_of_correlated_gaussians() -> None:
    """z|x ~ N(x, s^2 I), x ~ N(0, S): TC = -1/2 ln(1 - r^2), MI = 1/2 ln det(I + S / s^2), KL = the sum of all."""
    n, s2 = 2000, 0.25
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.5]], dtype=torch.float64)
    data = normal(n, 2, seed=1)
    data = (data - data.mean(dim=0)) @ torch.linalg.inv(torch.linalg.cholesky(data.T.cov(correction=0))).T
    mu = data @ torch.linalg.cholesky(covariance).T  # covariance exactly S
    logvar = torch.full_like(mu, math.log(s2))
    z = mu + math.sqrt(s2) * normal(n, 2, seed=2)
    parts = total_correlation_terms(z, mu, logvar, n, "exact")
    aggregate = covariance + s2 * torch.eye(2, dtype=torch.float64)
    r2 = (aggregate[0, 1] ** 2 / (aggregate[0, 0] * aggregate[1, 1])).item()
    mutual = 0.5 * torch.logdet(torch.eye(2, dtype=torch.float64) + covariance / s2).item()
    dimension_wise = 0.5 * (aggregate.diagonal() - 1 - aggregate.diagonal().log()).sum().item()
    assert parts.total_correlation.mean().item() == pytest.approx(-0.5 * math.log(1 - r2), abs=0.03)
    assert parts.mutual_information.mean().item() == pytest.approx(mutual, abs=0.03)
    assert parts.dimension_wise_kl.mean().item() == pytest.approx(dimension_wise, abs=0.03)
    assert sum(part.mean().item() for part in parts) == pytest.approx(
        kl_standard_normal(mu, logvar).mean().item(), abs=0.05
    )


def test_independent_dimensions_have_no_total_correlation() -> None:
    """A posterior that is the prior for every image: all three parts are zero, for each draw."""
    z, zero = normal(6, 3, seed=1), torch.zeros(6, 3, dtype=torch.float64)
    for part in total_correlation_terms(z, zero, zero, 6, "exact"):
        torch.testing.assert_close(part, torch.zeros(6, dtype=torch.float64))


def test_one_dimension_has_no_total_correlation() -> None:
    z, mu, logvar = encoded(7, 1)
    for estimator in ESTIMATORS:
        part = total_correlation_terms(z, mu, logvar, 7, estimator).total_correlation
        torch.testing.assert_close(part, torch.zeros(7, dtype=torch.float64), rtol=0, atol=1e-12)


def test_weighted_sampling_is_off_by_log_n_where_posteriors_are_equal() -> None:
    """Chen et al. 2018, Eq. 3, weighs with 1 / (N B): hence the odd numbers that beta-TCVAE's losses have."""
    n, d = 1000, 3
    z, zero = normal(6, d, seed=1), torch.zeros(6, d, dtype=torch.float64)
    parts = total_correlation_terms(z, zero, zero, n, "mws")
    one = torch.ones(6, dtype=torch.float64) * math.log(n)
    torch.testing.assert_close(parts, TotalCorrelationTerms(one, (d - 1) * one, -d * one))


def test_weighted_sampling_over_the_whole_data_is_exact_but_for_log_n() -> None:
    z, mu, logvar = encoded(9, 2)
    weighted, exact = (total_correlation_terms(z, mu, logvar, 9, name) for name in ("mws", "exact"))
    torch.testing.assert_close(weighted.mutual_information, exact.mutual_information + math.log(9))


def log_q_z(parts: TotalCorrelationTerms, z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return log_diagonal_gaussian(z, mu, logvar) - parts.mutual_information


def test_stratified_sampling_is_unbiased_for_the_aggregated_posterior() -> None:
    """Appendix C.2: over random batches that hold the image z came from, the mean estimate of q(z) is q(z)."""
    n, b, trials = 12, 4, 4000
    z, mu, logvar = encoded(n, 2)
    exact = torch.exp(log_q_z(total_correlation_terms(z, mu, logvar, n, "exact"), z, mu, logvar))
    rng = torch.Generator().manual_seed(5)
    estimates = torch.zeros(trials, dtype=torch.float64)
    for trial in range(trials):
        rows = torch.cat([torch.tensor([0]), 1 + torch.randperm(n - 1, generator=rng)[: b - 1]])
        parts = total_correlation_terms(z[rows], mu[rows], logvar[rows], n, "mss")
        estimates[trial] = torch.exp(log_q_z(parts, z[rows], mu[rows], logvar[rows]))[0]
    assert estimates.mean().item() == pytest.approx(exact[0].item(), abs=4 * estimates.std().item() / trials**0.5)


def test_stratified_sampling_over_the_whole_data_is_exact() -> None:
    z, mu, logvar = encoded(20, 2)
    stratified, exact = (total_correlation_terms(z, mu, logvar, 20, name) for name in ("mss", "exact"))
    torch.testing.assert_close(stratified, exact)
    alone = total_correlation_terms(z[:1], mu[:1], logvar[:1], 1, "mss")
    torch.testing.assert_close(alone, total_correlation_terms(z[:1], mu[:1], logvar[:1], 1, "exact"))


def test_stratified_weights_are_on_the_diagonal() -> None:
    """The image that z came from weighs 1 / N. The authors' code has that weight in its first column."""
    n, far = 50, 1e3
    mu = far * torch.arange(5, dtype=torch.float64)[:, None]  # posteriors that do not overlap
    logvar = torch.zeros_like(mu)
    parts = total_correlation_terms(mu, mu, logvar, n, "mss")
    torch.testing.assert_close(parts.mutual_information, torch.full((5,), math.log(n), dtype=torch.float64))


def test_exact_mixture_by_hand() -> None:
    """log q(z) of the batch is the log mean density over its posteriors."""
    z, mu, logvar = encoded(5, 3)
    by_hand = log_mean_exp(
        torch.stack([log_diagonal_gaussian(z, m, v) for m, v in zip(mu, logvar, strict=True)]), dim=0
    )
    torch.testing.assert_close(log_q_z(total_correlation_terms(z, mu, logvar, 5, "exact"), z, mu, logvar), by_hand)


def test_batches_that_an_estimator_is_not_defined_for_are_refused() -> None:
    z, mu, logvar = encoded(5, 2)
    with pytest.raises(ValueError, match=r"n_data \(=6\) is not the batch \(=5\)"):
        total_correlation_terms(z, mu, logvar, 6, "exact")
    with pytest.raises(ValueError, match="needs a batch of at least 2"):
        total_correlation_terms(z[:1], mu[:1], logvar[:1], 3, "mss")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_agree_with_difference_quotients(estimator: Estimator) -> None:
    z, mu, logvar = (part.requires_grad_() for part in encoded(4, 2))
    torch.autograd.gradcheck(lambda a, b, c: tuple(total_correlation_terms(a, b, c, 4, estimator)), (z, mu, logvar))
