"""Divergences against closed forms (published-results.md, section 10, test 1) and torch.distributions."""

import math

import pytest
import torch
from torch import Tensor, distributions

from latentry.losses import (
    kl_diagonal_gaussians,
    kl_monte_carlo,
    kl_standard_normal,
    kl_standard_normal_per_dimension,
    log_diagonal_gaussian,
    log_mean_exp,
    log_vampprior,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian(mu: Tensor, logvar: Tensor) -> distributions.Normal:
    return distributions.Normal(mu, torch.exp(0.5 * logvar))


def test_kl_to_the_standard_normal_by_hand() -> None:
    """m=1, s=1 is 0.5; m=(1, 2), s^2=(0.5, 2) is exactly 2.75; the standard normal itself is 0."""
    mu = torch.tensor([[1.0, 0.0], [1.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    variance = torch.tensor([[1.0, 1.0], [0.5, 2.0], [1.0, 1.0]], dtype=torch.float64)
    expected = torch.tensor([0.5, 2.75, 0.0], dtype=torch.float64)
    torch.testing.assert_close(kl_standard_normal(mu, variance.log()), expected, rtol=0, atol=1e-15)


def test_kl_gradients_are_m_and_half_of_variance_minus_one() -> None:
    mu, logvar = normal(4, 3, seed=1).requires_grad_(), normal(4, 3, seed=2).requires_grad_()
    for_mu, for_logvar = torch.autograd.grad(kl_standard_normal(mu, logvar).sum(), (mu, logvar))
    torch.testing.assert_close(for_mu, mu.detach())
    torch.testing.assert_close(for_logvar, (logvar.detach().exp() - 1) / 2)


def test_kl_between_gaussians_by_hand_and_against_torch() -> None:
    """KL(N(0,1) || N(1/2,1/2)) = 0.40343, the gap of test 2; not symmetric."""
    zero, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    there = kl_diagonal_gaussians(zero, zero, one / 2, (one / 2).log())
    back = kl_diagonal_gaussians(one / 2, (one / 2).log(), zero, zero)
    assert there.item() == pytest.approx(0.75 - 0.5 * math.log(2), abs=1e-14)
    assert there.item() == pytest.approx(0.40343, abs=5e-6)
    assert back.item() == pytest.approx(0.5 * math.log(2) - 0.125, abs=1e-14)
    a, b, c, d = (normal(5, 3, seed=seed) for seed in range(4))
    expected = distributions.kl_divergence(gaussian(a, b), gaussian(c, d)).sum(dim=1)
    torch.testing.assert_close(kl_diagonal_gaussians(a, b, c, d), expected)
    torch.testing.assert_close(kl_diagonal_gaussians(a, b, 0 * a, 0 * a), kl_standard_normal(a, b))
    torch.testing.assert_close(kl_diagonal_gaussians(a, b, a, b), torch.zeros(5, dtype=torch.float64))


def test_kl_per_dimension_sums_to_the_kl_and_is_never_negative() -> None:
    mu, logvar = normal(6, 4, seed=1), normal(6, 4, seed=2)
    terms = kl_standard_normal_per_dimension(mu, logvar)
    assert terms.min() >= 0
    torch.testing.assert_close(terms.sum(dim=1), kl_standard_normal(mu, logvar))


def test_kl_keeps_precision_near_a_collapsed_posterior_in_float32() -> None:
    """A collapsed dimension has a KL near 0; float32 must not make it negative or noisy beyond 1e-7."""
    mu = torch.full((1, 1), 1e-3)
    assert kl_standard_normal(mu, torch.full((1, 1), 1e-3)).item() == pytest.approx(0.5e-6 + 0.25e-6, abs=1e-7)


def test_log_density_is_that_of_torch_and_broadcasts() -> None:
    z, mu, logvar = normal(7, 5, 3, seed=1), normal(5, 3, seed=2), normal(5, 3, seed=3)
    torch.testing.assert_close(log_diagonal_gaussian(z, mu, logvar), gaussian(mu, logvar).log_prob(z).sum(dim=-1))
    zero = torch.zeros((), dtype=torch.float64)
    standard = distributions.Normal(zero, zero + 1).log_prob(z).sum(dim=-1)
    torch.testing.assert_close(log_diagonal_gaussian(z, zero, zero), standard)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (7, 5, 3)])
def test_vampprior_is_the_mixture_of_torch(shape: tuple[int, ...]) -> None:
    z, mu, logvar = normal(*shape, seed=1), normal(4, 3, seed=2), normal(4, 3, seed=3)
    mixture = distributions.MixtureSameFamily(
        distributions.Categorical(torch.ones(4, dtype=torch.float64)),
        distributions.Independent(gaussian(mu, logvar), 1),
    )
    torch.testing.assert_close(log_vampprior(z, mu, logvar), mixture.log_prob(z))


def test_vampprior_of_equal_components_is_one_gaussian() -> None:
    """The weights 1/K must be there: without them the density is K times too large."""
    z, mu, logvar = normal(5, 3, seed=1), normal(1, 3, seed=2), normal(1, 3, seed=3)
    many = log_vampprior(z, mu.expand(8, 3), logvar.expand(8, 3))
    torch.testing.assert_close(many, log_diagonal_gaussian(z, mu, logvar))


def test_vampprior_is_finite_far_from_every_component() -> None:
    far = torch.full((2, 3), 1e4)
    assert log_vampprior(far, torch.zeros(4, 3), torch.full((4, 3), -3.0)).isfinite().all()


def test_monte_carlo_kl_tends_to_the_closed_form() -> None:
    """Within four standard errors for 40,000 draws; a swapped sign or direction is hundreds away."""
    mu, logvar = normal(3, 2, seed=1), normal(3, 2, seed=2)
    z = mu + torch.exp(0.5 * logvar) * normal(40_000, 3, 2, seed=3)
    zero = torch.zeros((), dtype=torch.float64)
    log_q, log_p = log_diagonal_gaussian(z, mu, logvar), log_diagonal_gaussian(z, zero, zero)
    error = 4 * (log_q - log_p).std(dim=0) / 200
    assert ((kl_monte_carlo(log_q, log_p) - kl_standard_normal(mu, logvar)).abs() < error).all()
    torch.testing.assert_close(kl_monte_carlo(log_q[0], log_p[0]), log_q[0] - log_p[0])


def test_log_mean_exp_neither_overflows_nor_forgets_the_count() -> None:
    x = torch.tensor([[1e4, -1e4], [1e4, -1e4], [1e4, -1e4]])
    torch.testing.assert_close(log_mean_exp(x, dim=0), torch.tensor([1e4, -1e4]))


def test_gradients_agree_with_difference_quotients() -> None:
    z, a, b, c, d = (normal(3, 2, seed=seed).requires_grad_() for seed in range(5))
    torch.autograd.gradcheck(kl_standard_normal, (a, b))
    torch.autograd.gradcheck(kl_diagonal_gaussians, (a, b, c, d))
    torch.autograd.gradcheck(log_diagonal_gaussian, (z, a, b))
    torch.autograd.gradcheck(log_vampprior, (z, a, b))
