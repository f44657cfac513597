"""Penalties against closed forms (published-results.md, section 10, tests 9, 10 and 11)."""

import math
from collections.abc import Callable

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


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def linear(w: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x.flatten(1) @ w + 0.7


def bowl(x: Tensor) -> Tensor:
    """|x|^2 / 2, whose gradient is x."""
    return x.flatten(1).square().sum(dim=1) / 2


def watched(critic: Callable[[Tensor], Tensor], seen: list[Tensor]) -> Callable[[Tensor], Tensor]:
    def watching(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return critic(x)

    return watching


@pytest.mark.parametrize("shape", [(5, 2), (5, 2, 1, 1), (1, 1, 1, 1), (2, 3, 5, 4)])
def test_score_and_gradient_of_a_bowl_are_from_one_pass(shape: tuple[int, ...]) -> None:
    passes: list[Tensor] = []
    x = normal(*shape).requires_grad_()
    score, gradient = score_and_gradient(watched(bowl, passes), 3 * x)
    torch.testing.assert_close(score, bowl(3 * x))
    torch.testing.assert_close(gradient, 3 * x)
    torch.testing.assert_close(zero_centred(gradient), 9 * bowl(x))
    assert len(passes) == 1
    score.sum().backward()
    assert x.grad is None  # nothing reaches the generator


def test_linear_critic_by_hand_wherever_it_is_measured() -> None:
    """w = (3, 4), lambda 10: 10 (5 - 1)^2 = 160, slope 2 lambda (|w| - 1) w / |w|; R1: gamma / 2 |w|^2."""
    w = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    x_real, x_fake = normal(6, 2, 1, 1, seed=1), 10 * normal(6, 2, 1, 1, seed=2)
    between = gradient_penalty(linear(w), x_real, x_fake, rng=seeded())
    for penalty in (between, dragan_penalty(linear(w), x_real, rng=seeded())):
        torch.testing.assert_close(10 * penalty.detach(), torch.full((6,), 160.0, dtype=torch.float64))
        (slope,) = torch.autograd.grad(10 * penalty.mean(), w)
        torch.testing.assert_close(slope, torch.tensor([48.0, 64.0], dtype=torch.float64))
    _, gradient = score_and_gradient(linear(w), x_real)
    gamma = 0.3
    torch.testing.assert_close(gamma * zero_centred(gradient).detach(), torch.full((6,), gamma / 2 * 25).double())
    (slope,) = torch.autograd.grad(gamma * zero_centred(gradient).mean(), w)
    torch.testing.assert_close(slope, gamma * w.detach())


@pytest.mark.parametrize(("d", "expected"), [(2, 0.49337), (8, 3.51675)])
def test_penalty_of_a_bowl_on_gaussian_points(d: int, expected: float) -> None:
    """E (|x| - 1)^2 = d + 1 - 2 sqrt(2) G((d + 1) / 2) / G(d / 2), within four standard errors."""
    closed = d + 1 - 2 * math.sqrt(2) * math.gamma((d + 1) / 2) / math.gamma(d / 2)
    assert closed == pytest.approx(expected, abs=5e-6)
    x = normal(200_000, d, 1, 1)
    penalty = gradient_penalty(bowl, x, x, rng=seeded(1))
    assert penalty.mean().item() == pytest.approx(closed, abs=4 * penalty.std().item() / len(x) ** 0.5)


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0])
def test_penalty_of_a_bowl_between_nought_and_a(a: float) -> None:
    """The weights are uniform: E (u a - 1)^2 = a^2 / 3 - a + 1. At the ends alone it would be ((a - 1)^2 + 1) / 2."""
    x_real = torch.zeros(200_000, 1, dtype=torch.float64)
    penalty = gradient_penalty(bowl, x_real, torch.full_like(x_real, a), rng=seeded(2))
    error = 4 * penalty.std().item() / len(x_real) ** 0.5
    assert penalty.mean().item() == pytest.approx(a**2 / 3 - a + 1, abs=error)


def test_interpolates_have_one_weight_a_pair_from_rng_alone() -> None:
    x_real, x_fake = torch.ones(5000, 3, 2, 2), torch.zeros(5000, 3, 2, 2)
    between = interpolate(x_real, x_fake, seeded(3))
    weight = between[:, 0, 0, 0]
    assert torch.equal(between, weight[:, None, None, None].expand_as(between))
    assert weight.unique().numel() > 4900  # not one for the whole batch
    assert torch.equal(between, interpolate(x_real, x_fake, seeded(3)))
    assert 0 <= weight.min() < 0.01 < 0.99 < weight.max() <= 1
    assert weight.mean().item() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 5000))
    with pytest.raises(ValueError, match="must have one shape"):
        interpolate(x_real, x_fake[:1], seeded())


def test_dragan_noise_is_uniform_in_each_pixel_up_to_half_a_standard_deviation() -> None:
    seen: list[Tensor] = []
    x = 3 * normal(500, 2, 4, 4)
    penalty = dragan_penalty(watched(bowl, seen), x, rng=seeded(1))
    noise = (seen[0] - x) / (0.5 * x.std(correction=0))
    assert 0 <= noise.min() < 0.001 < 0.999 < noise.max() <= 1
    assert noise.var().item() == pytest.approx(1 / 12, abs=0.002)
    assert noise.flatten(1).std(dim=1).min() > 0.1  # pixels move apart
    torch.testing.assert_close(penalty, (seen[0].flatten(1).norm(dim=1) - 1) ** 2)
    assert dragan_penalty(bowl, torch.zeros(1, 1, 1, 1), rng=seeded()).item() == 1.0  # no spread, no NaN


def test_each_penalty_is_that_of_its_own_pair() -> None:
    net = tanh_net()
    x_real, x_fake = normal(4, 2, 1, 1, seed=1), normal(4, 2, 1, 1, seed=2)
    together = gradient_penalty(net, x_real, x_fake, rng=seeded())
    x_fake[1:] += 5
    torch.testing.assert_close(gradient_penalty(net, x_real, x_fake, rng=seeded())[0], together[0])
    x = normal(3, 2, 1, 1, seed=3)
    alone = [unit_norm(score_and_gradient(net, one[None])[1]) for one in x]
    torch.testing.assert_close(unit_norm(score_and_gradient(net, x)[1]), torch.cat(alone))


def tanh_net() -> nn.Sequential:
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)).double()
    for index, weight in enumerate(net.parameters()):
        weight.data = normal(*weight.shape, seed=index)
    return net


@pytest.mark.parametrize("penalty", [unit_norm, zero_centred])
def test_gradients_for_the_parameters_agree_with_difference_quotients(penalty: Callable[[Tensor], Tensor]) -> None:
    net, x = tanh_net(), normal(3, 2, 1, 1, seed=9)
    names = [name for name, _ in net.named_parameters()]

    def of_weights(*weights: Tensor) -> tuple[Tensor, Tensor]:
        named = dict(zip(names, weights, strict=True))
        score, gradient = score_and_gradient(lambda x: torch.func.functional_call(net, named, (x,)), x)
        return score, penalty(gradient)

    torch.autograd.gradcheck(of_weights, tuple(net.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_slope_of_exactly_nought_gives_no_nan(dtype: torch.dtype) -> None:
    """One picture where every rectifier is off: penalty 1, and the other picture still trains the critic."""
    w = torch.tensor([3.0, 4.0], dtype=dtype, requires_grad=True)
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=dtype)
    score, gradient = score_and_gradient(lambda x: torch.relu(x @ w), x)
    penalty = unit_norm(gradient)
    assert penalty.tolist() == [16.0, 1.0]
    (slope,) = torch.autograd.grad((score + penalty).sum(), w)
    torch.testing.assert_close(slope, torch.tensor([1 + 4.8, 1 + 6.4], dtype=dtype))

    zero = torch.zeros(3, 2, 1, 1, dtype=dtype, requires_grad=True)
    (first,) = torch.autograd.grad(unit_norm(zero).sum(), zero, create_graph=True)
    (second,) = torch.autograd.grad(first.sum() + unit_norm(zero).sum(), zero)
    assert not first.any() and not second.any()
    tiny = torch.full((1, 2), 1e-12, dtype=dtype, requires_grad=True)  # not nought: the direction is kept
    unit_norm(tiny).sum().backward()
    torch.testing.assert_close(tiny.grad, torch.full((1, 2), -math.sqrt(2), dtype=dtype))


def test_penalties_stay_in_float32_inside_mixed_precision_that_is_switched_off() -> None:
    net, x = tanh_net().float(), normal(3, 2, 1, 1).float()
    expected = gradient_penalty(net, x, -x, rng=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autocast("cpu", enabled=False):
        penalty = gradient_penalty(net, x, -x, rng=seeded())
        penalty.mean().backward()
    assert torch.equal(penalty, expected)
    weight = next(net.parameters())
    assert weight.grad is not None and weight.grad.dtype == torch.float32


def test_a_critic_that_returns_no_vector_of_scores_is_refused() -> None:
    with pytest.raises(ValueError, match=r"returned \(3, 1\) for 3 pictures; it must return \(3,\)"):
        score_and_gradient(lambda x: x.flatten(1).sum(dim=1, keepdim=True), torch.zeros(3, 2))


def test_clipping_keeps_what_is_within_the_limit() -> None:
    layer, norm = nn.Linear(2, 2), nn.BatchNorm1d(2)
    layer.weight.data, weight = torch.tensor([[-5.0, 0.25], [0.5, 7.0]]), layer.weight
    norm.running_mean = torch.tensor([9.0, 9.0])
    clip_weights(nn.Sequential(layer, norm), 0.5)
    assert weight.tolist() == [[-0.5, 0.25], [0.5, 0.5]]
    assert layer.weight is weight and weight.requires_grad
    assert norm.running_mean.tolist() == [9.0, 9.0]  # a statistic, not a weight
    clip_weights(nn.Flatten(), 0.5)
    with pytest.raises(ValueError, match=r"limit \(=0\) must be above 0"):
        clip_weights(layer, 0)


@pytest.mark.parametrize(("t", "weight"), [(1.0, 10.0), (2.0, 10.0), (1.0, 1.0)])
def test_trained_wgan_gp_critic_over_estimates_the_distance_as_calculated(t: float, weight: float) -> None:
    """Real at 0, fake at t, linear critic: |w| = 1 + t / (2 lambda). t = 1, lambda = 10: gap 1.05, objective 1.025."""
    w, rng = torch.tensor(-0.3, dtype=torch.float64, requires_grad=True), seeded()
    x_real, x_fake = torch.zeros(4, 1, dtype=torch.float64), torch.full((4, 1), t, dtype=torch.float64)
    for _ in range(60):
        critic = lambda x: w * x[:, 0]  # noqa: B023, E731
        score_real, score_fake = critic(x_real), critic(x_fake)
        loss = ADVERSARIAL["wasserstein"].critic(score_real, score_fake, score_real, score_fake).mean()
        objective = loss + weight * gradient_penalty(critic, x_real, x_fake, rng=rng).mean()
        (gradient,) = torch.autograd.grad(objective, w)
        w = (w - 0.25 / weight * gradient).detach().requires_grad_()
    slope = 1 + t / (2 * weight)
    assert w.item() == pytest.approx(-slope, abs=1e-9)
    assert -loss.item() == pytest.approx(t * slope, abs=1e-9)
    assert -objective.item() == pytest.approx(t + t**2 / (4 * weight), abs=1e-9)  # 1.025


def test_clipped_linear_critic_reports_the_limit_times_the_distance() -> None:
    """gap = c |m|_1 for a mean shift m in R^d: no estimate of the distance, and not on the scale of the penalty's."""
    shift, limit = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64), 0.01
    critic = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).double()
    optimiser = torch.optim.SGD(critic.parameters(), lr=0.1)
    x_real = normal(8, 3)
    for _ in range(10):
        optimiser.zero_grad()
        score_real, score_fake = critic(x_real), critic(x_real + shift)
        loss = ADVERSARIAL["wasserstein"].critic(score_real, score_fake, score_real, score_fake).mean()
        loss.backward()
        optimiser.step()
        clip_weights(critic, limit)
    assert -loss.item() == pytest.approx(limit * 3.5, abs=1e-12)


def dirac_field(name: str, penalty: Callable[[Tensor], Tensor], state: Tensor) -> Tensor:
    """Minus the slopes (d generator / d theta, d critic / d psi): data at 0, generator at theta, critic psi x."""
    theta, psi = state.unbind()
    x_real, x_fake = theta.new_zeros(1, 1), theta.view(1, 1)
    score_real, gradient = score_and_gradient(lambda x: psi * x[:, 0], x_real)
    score_fake, one = psi * x_fake[:, 0], theta.new_ones(1)
    loss_critic = ADVERSARIAL[name].critic(score_real, score_fake, one, 0 * one) + penalty(gradient)
    loss_generator = ADVERSARIAL[name].generator(score_fake, score_real)
    for_theta = torch.autograd.grad(loss_generator, theta, create_graph=True)
    return -torch.stack(for_theta + torch.autograd.grad(loss_critic, psi, create_graph=True))


def dirac_path(field: Callable[[Tensor], Tensor], start: Tensor, h: float, n: int, alternating: bool) -> Tensor:
    """All n states; the critic moves first where they alternate."""
    states, moves = [start], torch.tensor([[0.0, 1.0], [1.0, 0.0]]) if alternating else torch.ones(1, 2)
    for _ in range(n):
        state = states[-1].clone()
        for who in moves:
            state = (state + h * who * field(state.requires_grad_())).detach()
        states.append(state)
    return torch.stack(states)


SLOPE_AT_NOUGHT = {"minimax": 0.5, "non-saturating": 0.5, "relativistic": 0.5, "wasserstein": 1.0, "hinge": 1.0}


@pytest.mark.parametrize("name", SLOPE_AT_NOUGHT)
@pytest.mark.parametrize("gamma", [0.0, 0.6, 1.0, 2.5])
def test_dirac_gan_has_the_eigenvalues_of_the_paper(name: str, gamma: float) -> None:
    """Mescheder et al. 2018: -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2); +- i / 2 without, double -1/2 for 1."""
    at = torch.zeros(2, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: dirac_field(name, lambda g: gamma * zero_centred(g), v), at)
    assert isinstance(jacobian, Tensor)
    half, s = gamma / 2, SLOPE_AT_NOUGHT[name]
    torch.testing.assert_close(jacobian, torch.tensor([[0.0, s], [-s, -gamma]], dtype=torch.float64))
    for root in [-half + sign * complex(half**2 - s**2) ** 0.5 for sign in (1, -1)]:
        assert abs(torch.linalg.det(jacobian - root * torch.eye(2, dtype=torch.complex128)).item()) < 1e-12


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_dirac_gan_steps_are_powers_of_the_predicted_matrix(gamma: float, alternating: bool) -> None:
    """Without R1: grows by sqrt(1 + h^2 / 4) a step, or circles for ever if alternating; gamma 1: converges."""
    h, n, start = 0.2, 60, torch.tensor([1e-5, 0.0], dtype=torch.float64)
    field = lambda v: dirac_field("non-saturating", lambda g: gamma * zero_centred(g), v)  # noqa: E731
    path = dirac_path(field, start, h, n, alternating)
    step = torch.tensor([[1.0, h / 2], [-h / 2, 1 - h * gamma]], dtype=torch.float64)
    if alternating:
        stay = torch.eye(2).double()
        step = torch.stack([step[0], stay[1]]) @ torch.stack([stay[0], step[1]])
    torch.testing.assert_close(path[-1], torch.linalg.matrix_power(step, n) @ start, rtol=1e-6, atol=1e-14)
    size = path.norm(dim=1) / path[0].norm()
    if gamma or alternating:
        assert size[-1].item() < 0.05 if gamma else 0.9 < size.min().item() <= size.max().item() < 1.1
    else:
        torch.testing.assert_close(size[1:] / size[:-1], torch.full((n,), (1 + h**2 / 4) ** 0.5, dtype=torch.float64))


def test_dirac_gan_leaves_its_equilibrium_under_the_wgan_gradient_penalty() -> None:
    """Their theorem: a slope held at one pushes the generator past the data, so only R1 settles down."""
    start = torch.tensor([0.1, 0.1], dtype=torch.float64)
    by_norm = dirac_path(lambda v: dirac_field("wasserstein", unit_norm, v), start, 0.1, 300, True)
    by_r1 = dirac_path(lambda v: dirac_field("wasserstein", zero_centred, v), start, 0.1, 300, True)
    assert by_norm[200:, 0].abs().max().item() > 1
    assert by_r1[-1].abs().max().item() < 1e-5
