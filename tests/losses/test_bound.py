"""Bounds on models whose likelihood is known (published-results.md, section 10, tests 2, 3 and 4), and free bits."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from latentry.losses import (
    active_units,
    free_bits,
    gaussian_nll,
    importance_weighted_bound,
    kl_standard_normal,
    log_diagonal_gaussian,
)

ZERO = torch.zeros((), dtype=torch.float64)
LOG_P = -0.5 * math.log(4 * math.pi) - 0.25  # p(z) = N(0, 1), p(x|z) = N(z, 1), x = 1


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def quadrature(n: int = 16) -> tuple[Tensor, Tensor]:
    """Nodes and weights of the expectation over N(0, 1); exact for polynomials up to degree 2 n - 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())


def log_weights(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log p(x=1, z) - log q(z | x) for latents z [..., 1] from q = N(mu, exp(logvar))."""
    log_p_x = log_diagonal_gaussian(torch.ones_like(z), z, ZERO)
    return log_p_x + log_diagonal_gaussian(z, ZERO, ZERO) - log_diagonal_gaussian(z, mu, logvar)


def test_elbo_of_the_prior_as_posterior_and_its_gap() -> None:
    """log p = -1.51551, ELBO = -1.91894, gap 0.40343: the expectation by quadrature, the KL in closed form."""
    z, weights = quadrature()
    x = torch.ones_like(z)
    reconstruction = (weights * gaussian_nll(z[:, None], x[:, None], ZERO)).sum()
    elbo = -reconstruction - kl_standard_normal(torch.zeros(1, 1), torch.zeros(1, 1)).sum()
    assert pytest.approx(-1.51551, abs=5e-6) == LOG_P
    assert elbo.item() == pytest.approx(-1.91894, abs=5e-6)
    assert LOG_P - elbo.item() == pytest.approx(0.40343, abs=5e-6)
    one_sample = importance_weighted_bound(log_weights(z[:, None], ZERO, ZERO)[None])
    assert (weights * one_sample).sum().item() == pytest.approx(elbo.item(), abs=1e-12)


def test_importance_weighted_bound_rises_to_log_p_at_the_predicted_rate() -> None:
    """k (log p - L_k) tends to Var(w) / 2 of the normalised weights: with q = N(0, 1), 2 e^(1/6) / sqrt(3) - 1."""
    variance = 2 / math.sqrt(3) * math.exp(1 / 6) - 1  # E[w^2] - 1, with w = p(x=1|z) / p(x=1)
    z, weights = quadrature(64)
    w = torch.exp(log_weights(z[:, None], ZERO, ZERO) - LOG_P)
    assert (weights * w.square()).sum().item() - 1 == pytest.approx(variance, abs=1e-9)
    gaps = []
    for k in (1, 4, 16, 64):
        bound = importance_weighted_bound(log_weights(normal(k, 4_000_000 // k // 4, 1, seed=k), ZERO, ZERO))
        gaps.append((LOG_P - bound.mean().item(), 4 * bound.std().item() / len(bound) ** 0.5))
    assert gaps[0][0] == pytest.approx(0.40343, abs=gaps[0][1])
    assert all(above[0] > below[0] for above, below in pairwise(gaps))
    assert 64 * gaps[3][0] == pytest.approx(variance / 2, abs=64 * gaps[3][1] + 0.02)


def test_exact_posterior_has_no_variance_whatever_k() -> None:
    """q = N(x/2, 1/2): every weight is p(x)."""
    mu, logvar = ZERO + 0.5, ZERO + math.log(0.5)
    z = mu + math.sqrt(0.5) * normal(5000, 3, 1, seed=1)
    for k in (1, 5000):
        bound = importance_weighted_bound(log_weights(z[:k], mu, logvar))
        torch.testing.assert_close(bound, torch.full((3,), LOG_P, dtype=torch.float64), rtol=0, atol=1e-12)


def test_exact_posterior_has_no_gradient_noise_with_the_score_left_out() -> None:
    """Roeder et al. 2017: differentiate through z alone; every single draw has gradient zero at the optimum."""
    mu, logvar = (ZERO + 0.5).requires_grad_(), (ZERO + math.log(0.5)).requires_grad_()
    z = mu + torch.exp(0.5 * logvar) * normal(4, 3, 1, seed=1)
    bound = importance_weighted_bound(log_weights(z, mu.detach(), logvar.detach()))
    for value in bound:
        gradient = torch.autograd.grad(value, (mu, logvar), retain_graph=True)
        assert max(g.abs().item() for g in gradient) < 1e-12


def test_linear_vae_at_the_optimum_has_the_likelihood_of_probabilistic_pca() -> None:
    """Lucas et al. 2019: ELBO = -1/2 [d ln 2 pi + sum_{i<=q} ln l_i + (d - q) ln sigma^2 + d], to 1e-6."""
    d, q, n = 6, 2, 50
    x = normal(n, d, seed=1) @ normal(d, d, seed=2)
    x = x - x.mean(dim=0)
    eigenvalues, vectors = torch.linalg.eigh(x.T @ x / n)
    eigenvalues, vectors = eigenvalues.flip(0), vectors.flip(1)
    sigma2 = eigenvalues[q:].mean()
    w = vectors[:, :q] * (eigenvalues[:q] - sigma2).sqrt()
    m = w.T @ w + sigma2 * torch.eye(q, dtype=torch.float64)  # diagonal
    mu = x @ w @ torch.linalg.inv(m)
    logvar = (sigma2 / m.diagonal()).log().expand(n, q)
    nodes, weights = quadrature(3)
    reconstruction = torch.zeros(n, dtype=torch.float64)
    for a, weight_a in zip(nodes, weights, strict=True):
        for b, weight_b in zip(nodes, weights, strict=True):
            z = mu + torch.exp(0.5 * logvar) * torch.stack([a, b])
            reconstruction += weight_a * weight_b * gaussian_nll(z @ w.T, x, 0.5 * sigma2.log())
    elbo = -(reconstruction + kl_standard_normal(mu, logvar)).mean()
    expected = -0.5 * (d * math.log(2 * math.pi) + eigenvalues[:q].log().sum() + (d - q) * sigma2.log() + d)
    torch.testing.assert_close(elbo, expected, rtol=0, atol=1e-6)


def test_free_bits_clamp_the_batch_mean_of_each_dimension() -> None:
    """Batch means 1, 0.1 and 0.5 with 0.5 free: 1 + 0.5 + 0.5; the second and the third dimension get no gradient."""
    kl = torch.tensor([[0.0, 0.2, 0.5], [2.0, 0.0, 0.5]], dtype=torch.float64, requires_grad=True)
    value = free_bits(kl, 0.5)
    torch.testing.assert_close(value, torch.tensor([1.0, 3.0], dtype=torch.float64))
    assert value.mean().item() == pytest.approx(kl.mean(dim=0).clamp(min=0.5).sum().item())
    (gradient,) = torch.autograd.grad(value.mean(), kl)
    torch.testing.assert_close(gradient, torch.tensor([[0.5, 0, 0], [0.5, 0, 0]], dtype=torch.float64))


def test_no_free_bits_is_the_kl() -> None:
    kl = normal(5, 3, seed=1).square()
    torch.testing.assert_close(free_bits(kl, 0.0), kl.sum(dim=1))


def test_active_units_are_those_whose_mean_moves_with_the_data() -> None:
    """Variances 0.0121, 0.0081, 0 around a large mean, and 1: an offset is not activity, and 0.01 is the line."""
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0])
    mu = torch.stack([0.11 * sign, 0.09 * sign, torch.full((4,), 1e4), sign + 1e4], dim=1)
    assert active_units(mu).tolist() == [True, False, False, True]
    assert active_units(mu[:1]).tolist() == [False] * 4
    assert active_units(mu, threshold=0.005).tolist() == [True, True, False, True]
