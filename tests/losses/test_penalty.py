"""Known answers 9 and 10 of gradient penalties, and their behaviour at the edge."""

import math

import pytest
import torch
from torch import Tensor, nn

from latentry.losses.adversarial import ADVERSARIAL
from latentry.losses.penalty import (
    clip_weights,
    dragan_penalty,
    gradient_penalty,
    interpolate,
    score_and_gradient,
    unit_norm,
    zero_centred,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


def half_square(x: Tensor) -> Tensor:
    return 0.5 * x.flatten(1).square().sum(dim=1)


def test_linear_critic_pays_by_its_norm_alone() -> None:
    """Test 9: D = w x + b with w = (3, 4) and lambda 10 pays 160, whatever the pictures; R1 is |w|^2 / 2 = 12.5."""
    w = torch.tensor([3.0, 4.0], dtype=torch.float64)

    def critic(x: Tensor) -> Tensor:
        return x.flatten(1) @ w + 7

    x_real, x_fake = normal(5, 2, 1, 1), normal(5, 2, 1, 1, seed=1)
    assert (10 * gradient_penalty(critic, x_real, x_fake, rng=rng())).tolist() == pytest.approx([160.0] * 5)
    assert (10 * dragan_penalty(critic, x_real, rng=rng())).tolist() == pytest.approx([160.0] * 5)
    score, gradient = score_and_gradient(critic, x_real)
    torch.testing.assert_close(score, critic(x_real))
    assert zero_centred(gradient).tolist() == pytest.approx([12.5] * 5)


@pytest.mark.parametrize(("d", "expected"), [(2, 0.49337), (8, 3.51675)])
def test_quadratic_critic_on_gaussian_points(d: int, expected: float) -> None:
    """Test 9: D = |x|^2 / 2 has gradient x, so E (|x| - 1)^2 = d + 1 - 2 sqrt2 G((d+1)/2) / G(d/2)."""
    n = 400_000
    _, gradient = score_and_gradient(half_square, normal(n, d))
    penalty = unit_norm(gradient)
    assert penalty.mean().item() == pytest.approx(expected, abs=4 * penalty.std().item() / math.sqrt(n))


def test_interpolates_are_uniform_on_the_segment() -> None:
    """Test 9: between 0 and a, D = x^2 / 2 pays a^2 / 3 - a + 1 on average; one weight a pair, for all its pixels."""
    a, n = 3.0, 200_000
    x_real, x_fake = torch.zeros(n, 1, dtype=torch.float64), torch.full((n, 1), a, dtype=torch.float64)
    penalty = gradient_penalty(half_square, x_real, x_fake, rng=rng())
    assert penalty.mean().item() == pytest.approx(a**2 / 3 - a + 1, abs=0.02)
    between = interpolate(torch.zeros(6, 3, 4, 4), torch.ones(6, 3, 4, 4), rng())
    assert between.flatten(1).std(dim=1).max() == 0
    assert len(between.flatten(1)[:, 0].unique()) == 6


def test_penalised_critic_overestimates_the_distance() -> None:
    """Test 10: real at 0, fake at t: the best linear critic has |w| = 1 + t / (2 lambda), objective gap t (1 + ...)."""
    t, factor = 1.0, 10.0
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([w], lr=0.02)
    x_real, x_fake = torch.zeros(8, 1, dtype=torch.float64), torch.full((8, 1), t, dtype=torch.float64)
    one, zero = torch.ones(8), torch.zeros(8)

    def critic(x: Tensor) -> Tensor:
        return (x * w).squeeze(1)

    with torch.no_grad():
        w.fill_(-0.5)
    for step in range(300):
        optimiser.zero_grad()
        loss = ADVERSARIAL["wasserstein"].critic(critic(x_real), critic(x_fake), one, zero)
        (loss + factor * gradient_penalty(critic, x_real, x_fake, rng=rng(step))).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert w.item() == pytest.approx(-(1 + t / (2 * factor)), abs=1e-6)
    gap = (critic(x_real) - critic(x_fake)).mean().item()
    assert gap == pytest.approx(t * (1 + t / (2 * factor)), abs=1e-6)
    assert gap - factor * (abs(w.item()) - 1) ** 2 == pytest.approx(1.025, abs=1e-6)


def test_clipped_critic_measures_in_units_of_its_limit() -> None:
    """Test 10: a linear critic clipped at c estimates c |t|."""
    critic = nn.Linear(1, 1)
    for _ in range(50):
        loss = (critic(torch.full((4, 1), 2.0)) - critic(torch.zeros(4, 1))).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for weight in critic.parameters():
                weight -= 0.1 * (weight.grad if weight.grad is not None else 0)
                weight.grad = None
        clip_weights(critic, 0.01)
    gap = (critic(torch.zeros(1, 1)) - critic(torch.full((1, 1), 2.0))).item()
    assert gap == pytest.approx(0.01 * 2, rel=1e-5)
    assert max(weight.abs().max().item() for weight in critic.parameters()) <= 0.01 + 1e-9


def test_a_flat_critic_has_finite_slopes() -> None:
    """At zero weights the norm's slope is undefined: the penalty is 1 and its gradient finite."""
    critic = nn.Linear(3, 1)
    with torch.no_grad():
        critic.weight.zero_()
    penalty = gradient_penalty(lambda x: critic(x).squeeze(1), torch.zeros(4, 3), torch.ones(4, 3), rng=rng())
    penalty.mean().backward()  # type: ignore[no-untyped-call]
    assert penalty.tolist() == pytest.approx([1.0] * 4, abs=1e-5)
    assert critic.weight.grad is not None
    assert bool(torch.isfinite(critic.weight.grad).all())


def test_penalty_reaches_the_weights_through_the_second_derivative() -> None:
    """Its slope by a weight agrees with a finite difference."""
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x_real, x_fake = normal(6, 4), normal(6, 4, seed=1)

    def value() -> Tensor:
        return gradient_penalty(lambda x: network(x).squeeze(1), x_real, x_fake, rng=rng(3)).mean()

    value().backward()  # type: ignore[no-untyped-call]
    weight = network[0].weight
    slope = weight.grad[2, 1].item()
    with torch.no_grad():
        weight[2, 1] += 1e-5
    above = value().item()
    with torch.no_grad():
        weight[2, 1] -= 2e-5
    assert slope == pytest.approx((above - value().item()) / 2e-5, rel=1e-5)


def test_batch_normalisation_couples_the_scores() -> None:
    """Test 20: why a critic under a gradient penalty has none: a score's gradient reaches its neighbours."""
    x = normal(4, 3).requires_grad_()
    for network, coupled in ((nn.BatchNorm1d(3).double(), True), (nn.LayerNorm(3).double(), False)):
        (gradient,) = torch.autograd.grad(network(x)[0].square().sum(), x)
        assert bool(gradient[1:].abs().max() > 1e-9) is coupled
