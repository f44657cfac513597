"""Known answers 7, 8 and 11 of adversarial games: optimal critics, distances, and the dynamics of the Dirac-GAN."""

import math

import pytest
import torch
from torch import Tensor

from latentry.losses.adversarial import ADVERSARIAL
from latentry.losses.penalty import zero_centred

JSD = 0.33683  # of N(-1, 1) and N(1, 1), in nats


def grid() -> tuple[Tensor, Tensor, Tensor]:
    """Points, and the probabilities that p = N(-1, 1) and q = N(1, 1) give to them."""
    x = torch.linspace(-9, 9, 3601, dtype=torch.float64)
    p, q = torch.exp(-0.5 * (x + 1).square()), torch.exp(-0.5 * (x - 1).square())
    return x, p / p.sum(), q / q.sum()


def expected_critic_loss(name: str, score: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """The mean critic loss of a score on the grid, p real and q generated, for losses that are sums of two parts."""
    one, zero = torch.ones_like(score), torch.zeros_like(score)
    far = torch.full_like(score, 0.0)
    # The two parts of a pair's loss are told apart by holding the other score where its part is constant.
    loss = ADVERSARIAL[name].critic
    on_real = (loss(score, far, one, zero) - loss(far, far, one, zero)) * p
    on_fake = (loss(far, score, one, zero) - loss(far, far, one, zero)) * q
    return (on_real + on_fake).sum() + loss(far, far, one, zero)[0]


def optimal_score(name: str) -> Tensor:
    """The score at each grid point that minimises the expected loss, found by Newton's method or descent."""
    _, p, q = grid()
    score = torch.zeros_like(p, requires_grad=True)
    optimiser = torch.optim.LBFGS([score], lr=1, max_iter=400, tolerance_grad=1e-14, tolerance_change=1e-16)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = expected_critic_loss(name, score, p * 1e3, q * 1e3)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[arg-type]
    return score.detach()


def test_optimal_discriminator_of_two_gaussians_is_their_log_ratio() -> None:
    """Test 7: logit D* = ln p/q = -2 x, and the loss there is 2 ln 2 - 2 JSD = 0.71263."""
    x, p, q = grid()
    assert expected_critic_loss("non-saturating", -2 * x, p, q).item() == pytest.approx(
        2 * math.log(2) - 2 * JSD, abs=1e-4
    )
    found, middle = optimal_score("non-saturating"), (x.abs() < 2)
    torch.testing.assert_close(found[middle], -2 * x[middle], atol=0.02, rtol=0)


def test_critic_that_cannot_tell_pays_ln_4_and_a_relativistic_one_ln_2() -> None:
    zero, one = torch.zeros(3), torch.ones(3)
    assert ADVERSARIAL["minimax"].critic(zero, zero, one, zero).tolist() == pytest.approx([math.log(4)] * 3)
    assert ADVERSARIAL["relativistic"].critic(zero, zero, one, zero).tolist() == pytest.approx([math.log(2)] * 3)
    assert ADVERSARIAL["hinge"].critic(zero, zero, one, zero).tolist() == [2.0] * 3


def test_least_squares_optimum_is_the_share_of_real() -> None:
    """Test 7: D* = (b p + a q) / (p + q) with b = 1 and a = 0."""
    x, p, q = grid()
    found, middle = optimal_score("least-squares"), (x.abs() < 2)
    torch.testing.assert_close(found[middle], (p / (p + q))[middle], atol=1e-3, rtol=0)


def test_hinge_optimum_is_the_sign_and_its_value_twice_the_overlap() -> None:
    """Test 7: sign(p - q), value 2 sum min(p, q)."""
    x, p, q = grid()
    score = torch.sign(p - q)
    value = expected_critic_loss("hinge", score, p, q).item()
    assert value == pytest.approx(2 * torch.minimum(p, q).sum().item(), abs=1e-6)
    for other in (score * 0.9, score * 1.1, -2 * x):
        assert expected_critic_loss("hinge", other, p, q).item() >= value


def test_relativistic_optimum_is_the_difference_of_log_ratios() -> None:
    """Test 7: D*(x) - D*(y) = ln p(x)/q(x) - ln p(y)/q(y): no scale of it and no other shape does better."""
    x, p, q = grid()

    def value(score: Tensor) -> float:
        return float((ADVERSARIAL["relativistic"].critic(score[::20, None], score[None, ::20], x, x) * 400 *
                      p[::20, None] * q[None, ::20]).sum())  # fmt: skip

    best = value(-2 * x)
    assert all(value(other) > best for other in (-1.8 * x, -2.2 * x, -2 * x + 0.1 * x.square(), -2 * torch.tanh(x)))
    assert value(-2 * x + 5) == pytest.approx(best)  # only differences count


def test_wasserstein_mean_is_minus_the_difference_of_means() -> None:
    """Test 8: labels +1 and -1; the best 1-Lipschitz critic of N(0, 1) and N(2, 1) is -x and estimates 2."""
    x = torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_real, x_fake = x, x + 2
    y_real, y_fake = 1, -1
    loss = ADVERSARIAL["wasserstein"].critic(-x_real, -x_fake, x, x)
    assert -loss.mean().item() == pytest.approx(2)
    torch.testing.assert_close(loss, -(y_real * -x_real) - (y_fake * -x_fake))


def test_generator_follows_the_critic_uphill() -> None:
    """Every game's generator is rewarded for a higher score, minimax least where the critic is sure (it saturates)."""
    slope = {}
    for name, loss in ADVERSARIAL.items():
        score = torch.tensor([-6.0], requires_grad=True)
        loss.generator(score, torch.tensor([6.0])).backward()  # type: ignore[no-untyped-call]
        assert score.grad is not None
        slope[name] = score.grad.item()
    assert all(each < 0 for each in slope.values())
    assert slope["minimax"] == pytest.approx(-1 / (1 + math.exp(6)), rel=1e-3)
    assert slope["non-saturating"] == pytest.approx(-1, abs=0.01)


def test_smoothed_targets_move_the_optimum() -> None:
    """With the label of real pictures at 0.9 and p = q, the best score is the logit of 0.45."""
    score = torch.linspace(-3, 3, 6001)
    target_real, target_fake = torch.full_like(score, 0.9), torch.zeros_like(score)
    best = score[ADVERSARIAL["non-saturating"].critic(score, score, target_real, target_fake).argmin()]
    assert best.item() == pytest.approx(math.log(0.45 / 0.55), abs=2e-3)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_dirac_gan_follows_its_matrix(gamma: float, alternating: bool) -> None:
    """Test 11: G = delta_theta, D = psi x. Gradient steps are powers of the linearised 2x2 matrix near the origin."""
    h, steps = 0.1, 60
    theta = torch.tensor(1e-4, dtype=torch.float64, requires_grad=True)
    psi = torch.tensor(-5e-5, dtype=torch.float64, requires_grad=True)
    jacobian_theta = torch.tensor([[1.0, h / 2], [0.0, 1.0]], dtype=torch.float64)  # theta += h psi / 2
    jacobian_psi = torch.tensor([[1.0, 0.0], [-h / 2, 1.0 - h * gamma]], dtype=torch.float64)
    matrix = jacobian_theta @ jacobian_psi if alternating else jacobian_theta + jacobian_psi - torch.eye(2)
    state = torch.linalg.matrix_power(matrix.double(), steps) @ torch.stack([theta, psi]).detach()
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    loss = ADVERSARIAL["non-saturating"]
    for _ in range(steps):
        gradient = psi.view(1, 1)  # of psi x with respect to x
        critic = (
            loss.critic(psi * zero, psi * theta.detach().view(1), one, zero).sum()
            + gamma * zero_centred(gradient).sum()
        )
        (to_psi,) = torch.autograd.grad(critic, psi)
        if alternating:
            psi = (psi - h * to_psi).detach().requires_grad_()
        (to_theta,) = torch.autograd.grad(loss.generator(psi.detach() * theta.view(1), zero).sum(), theta)
        theta = (theta - h * to_theta).detach().requires_grad_()
        if not alternating:
            psi = (psi - h * to_psi).detach().requires_grad_()
    torch.testing.assert_close(torch.stack([theta, psi]).detach(), state, rtol=1e-3, atol=1e-9)


def test_dirac_gan_eigenvalues() -> None:
    """Unregularised, a simultaneous step grows by sqrt(1 + h^2 / 4); R1 with gamma = 1 is critically damped."""
    h = 0.1
    plain = torch.tensor([[1.0, h / 2], [-h / 2, 1.0]], dtype=torch.float64)
    assert torch.linalg.eigvals(plain).abs().max().item() == pytest.approx(math.sqrt(1 + h**2 / 4))
    damped = torch.tensor([[0.0, 0.5], [-0.5, -1.0]], dtype=torch.float64)
    assert torch.linalg.eigvals(damped).real.tolist() == pytest.approx([-0.5, -0.5], abs=1e-6)
