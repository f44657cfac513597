"""Likelihoods against torch.distributions, against integrals and sums to one, and at the edge of float32."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, distributions

from latentry.losses import (
    bernoulli_nll,
    continuous_bernoulli_log_normaliser,
    continuous_bernoulli_nll,
    discretised_logistic_nll,
    gaussian_nll,
    laplace_nll,
)

SHAPE = (3, 2, 4, 5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def levels(*shape: int, seed: int = 0) -> Tensor:
    """Pixels at the 256 levels on [-1, 1]."""
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed)).double() / 127.5 - 1


def summed(log_prob: Tensor) -> Tensor:
    return -log_prob.flatten(1).sum(dim=1)


def test_densities_are_those_of_torch() -> None:
    """A wrong constant (log 2 pi, log 2) or a mean over pixels would show here."""
    a, b = normal(*SHAPE, seed=1), normal(*SHAPE, seed=2)
    target, bits = uniform(*SHAPE, seed=3), (uniform(*SHAPE, seed=4) > 0.5).double()
    log_scale = normal(*SHAPE, seed=5)
    close = torch.testing.assert_close
    close(bernoulli_nll(a, bits), summed(distributions.Bernoulli(logits=a).log_prob(bits)))
    close(gaussian_nll(a, b, log_scale), summed(distributions.Normal(a, log_scale.exp()).log_prob(b)))
    close(laplace_nll(a, b, log_scale), summed(distributions.Laplace(a, log_scale.exp()).log_prob(b)))
    continuous = distributions.ContinuousBernoulli(logits=3 * a)
    close(continuous_bernoulli_nll(3 * a, target), summed(continuous.log_prob(target)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (2, 1, 1), (3, 1, 1, 1), (3, 2, 1, 1), SHAPE])
@pytest.mark.parametrize("nll", [gaussian_nll, laplace_nll])
def test_scale_broadcasts_and_its_log_counts_once_a_pixel(
    nll: Callable[[Tensor, Tensor, Tensor], Tensor], shape: tuple[int, ...]
) -> None:
    mean, x, log_scale = normal(*SHAPE, seed=1), normal(*SHAPE, seed=2), normal(*shape, seed=3)
    torch.testing.assert_close(nll(mean, x, log_scale), nll(mean, x, log_scale.expand(SHAPE)))


def test_optimal_sigma_is_the_root_mean_square_error() -> None:
    """Rybkin et al. 2021: the gradient for log sigma vanishes exactly there."""
    mean, x = normal(*SHAPE, seed=1), normal(*SHAPE, seed=2)
    log_sigma = (x - mean).square().mean().log().mul(0.5).requires_grad_()
    (gradient,) = torch.autograd.grad(gaussian_nll(mean, x, log_sigma).sum(), log_sigma)
    assert gradient.item() == pytest.approx(0, abs=1e-10)


def test_likelihoods_of_a_constant_picture_by_hand() -> None:
    """One image of 6 pixels: 6 log 2 for a fair coin, 0 for the continuous Bernoulli at 1/2 (density 1)."""
    zero, x = torch.zeros(1, 1, 2, 3), torch.full((1, 1, 2, 3), 0.3)
    assert bernoulli_nll(zero, x).item() == pytest.approx(6 * math.log(2))
    assert continuous_bernoulli_nll(zero, x).item() == pytest.approx(0, abs=1e-6)
    assert gaussian_nll(x, x, torch.tensor(0.0)).item() == pytest.approx(3 * math.log(2 * math.pi))
    assert laplace_nll(x, x, torch.tensor(0.0)).item() == pytest.approx(6 * math.log(2))


@pytest.mark.parametrize("eta", [-30.0, -3.0, -0.11, -0.09, 0.0, 1e-6, 0.0999, 0.1001, 1.0, 12.0])
def test_continuous_bernoulli_integrates_to_one(eta: float) -> None:
    """Simpson's rule over [0, 1], on both sides of the switch to the series."""
    x = torch.linspace(0, 1, 20001, dtype=torch.float64)
    density = torch.exp(-continuous_bernoulli_nll(torch.full_like(x, eta)[:, None], x[:, None]))
    weights = torch.full_like(x, 2.0)
    weights[1::2] = 4
    weights[0] = weights[-1] = 1
    assert (density * weights).sum().item() / 60000 == pytest.approx(1, abs=1e-10)


def test_continuous_bernoulli_normaliser_is_smooth_through_one_half() -> None:
    """Value and gradient, in float32 too, agree with the definition in float64 by arctanh and a difference quotient."""
    eta = torch.tensor([-0.2, -0.1, -0.0999, -1e-3, -1e-8, 0.0, 1e-30, 1e-4, 0.09999, 0.1, 0.1001, 5.0])
    exact = eta.double()
    half = torch.sigmoid(exact)
    reference = torch.where(exact.abs() < 1e-3, math.log(2), torch.log(2 * torch.atanh(1 - 2 * half) / (1 - 2 * half)))
    torch.testing.assert_close(continuous_bernoulli_log_normaliser(eta).double(), reference, rtol=0, atol=2e-7)
    torch.testing.assert_close(
        continuous_bernoulli_log_normaliser(exact)[exact.abs() > 0.01],
        reference[exact.abs() > 0.01],
        rtol=0,
        atol=1e-12,
    )
    eta.requires_grad_()
    (gradient,) = torch.autograd.grad(continuous_bernoulli_log_normaliser(eta).sum(), eta)
    step = 1e-5
    quotient = continuous_bernoulli_log_normaliser(exact + step) - continuous_bernoulli_log_normaliser(exact - step)
    torch.testing.assert_close(gradient.double(), quotient / (2 * step), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("mean", [-3.0, -1.0, -0.3, 0.0, 0.999, 1.7])
@pytest.mark.parametrize("log_scale", [-9.0, -7.0, -4.0, -1.0, 1.0, 5.0])
def test_discretised_logistic_sums_to_one_over_the_levels(mean: float, log_scale: float) -> None:
    x = (torch.arange(256).double() / 127.5 - 1)[:, None]
    nll = discretised_logistic_nll(torch.full_like(x, mean), torch.tensor(log_scale, dtype=torch.float64), x)
    assert torch.exp(-nll).sum().item() == pytest.approx(1, abs=1e-9)
    assert nll.min() >= 0


def test_discretised_logistic_is_a_difference_of_sigmoids() -> None:
    """Inside the range, where the plain formula is accurate."""
    x, mean = levels(40, 6, seed=1).clamp(-0.99, 0.99), normal(40, 6, seed=2) / 2
    x = ((x + 1) * 127.5).round() / 127.5 - 1
    log_scale = torch.tensor(-1.2, dtype=torch.float64)
    scale = log_scale.exp()
    mass = torch.sigmoid((x - mean + 1 / 255) / scale) - torch.sigmoid((x - mean - 1 / 255) / scale)
    torch.testing.assert_close(discretised_logistic_nll(mean, log_scale, x), -mass.log().sum(dim=1))


def test_discretised_logistic_has_finite_gradients_in_float32() -> None:
    """Far means, narrow and wide scales, every level: the plain difference of sigmoids is 0 in most of these."""
    x = (torch.arange(256).float() / 127.5 - 1).repeat(4, 1)
    mean = torch.tensor([-50.0, -0.5, 1.0, 1e4])[:, None].repeat(1, 256).requires_grad_()
    for value in (-20.0, -7.0, -3.0, 0.0, 10.0):
        log_scale = torch.tensor(value, requires_grad=True)
        nll = discretised_logistic_nll(mean, log_scale, x)
        assert nll.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(nll.sum(), (mean, log_scale)))


@pytest.mark.parametrize("nll", [bernoulli_nll, continuous_bernoulli_nll])
def test_extreme_logits_stay_finite(nll: Callable[[Tensor, Tensor], Tensor]) -> None:
    """At logits of +-1e4 the value is about 1e4 where wrong, and the gradient sigmoid(eta) - x."""
    logits = torch.tensor([[1e4], [-1e4], [1e4], [-1e4], [0.0]], requires_grad=True)
    target = torch.tensor([[1.0], [0.0], [0.0], [1.0], [0.5]])
    values = nll(logits, target)
    assert values.isfinite().all()
    torch.testing.assert_close(values[2:4], torch.full((2,), 1e4), rtol=2e-3, atol=0)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    torch.testing.assert_close(gradient[:, 0], torch.tensor([0.0, 0.0, 1.0, -1.0, 0.0]), atol=2e-4, rtol=0)


def test_gradients_agree_with_difference_quotients() -> None:
    mean, x, log_scale = normal(2, 3, seed=1).requires_grad_(), normal(2, 3, seed=2), normal(2, 3, seed=3)
    log_scale.requires_grad_()
    target, pixels = uniform(2, 3, seed=4), levels(2, 3, seed=5)
    torch.autograd.gradcheck(lambda m: bernoulli_nll(m, target), (mean,))
    torch.autograd.gradcheck(lambda m: continuous_bernoulli_nll(m, target), (mean,))
    torch.autograd.gradcheck(lambda m, s: gaussian_nll(m, x, s), (mean, log_scale))
    torch.autograd.gradcheck(lambda m, s: laplace_nll(m, x, s), (mean, log_scale))
    torch.autograd.gradcheck(lambda m, s: discretised_logistic_nll(m, s, pixels), (mean, log_scale))


def test_shapes_that_would_broadcast_are_refused() -> None:
    """[B, 1] against [B] would silently sum B^2 terms."""
    with pytest.raises(ValueError, match=r"output \(4, 1\) and target \(4,\) must have one shape"):
        bernoulli_nll(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(ValueError, match="must have one shape"):
        gaussian_nll(torch.zeros(4, 1, 2, 2), torch.zeros(4, 3, 2, 2), torch.tensor(0.0))
