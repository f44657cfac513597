"""Games against their known optima (published-results.md, section 10, tests 7 and 8) and formulas by hand."""

import math

import pytest
import torch
from torch import Tensor

from latentry.losses.adversarial import ADVERSARIAL

NORMAL = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
WITH_LABELS = ("minimax", "non-saturating", "least-squares")
JSD = 0.33683  # nats, of N(-1, 1) and N(1, 1)
P, Q = (4, 3, 2, 1), (1, 1, 3, 5)  # tenths of the mass on four points
RATIO = torch.tensor(P, dtype=torch.float64) / torch.tensor(Q, dtype=torch.float64)


def gaussian(n: int, mean: float, std: float = 1.0) -> Tensor:
    """Points of equal mass: a sample of a normal distribution without the noise."""
    return mean + std * NORMAL.icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n)


def critic_loss(name: str, score_real: Tensor, score_fake: Tensor, real: float = 1.0, fake: float = 0.0) -> Tensor:
    targets = torch.full_like(score_real, real), torch.full_like(score_fake, fake)
    return ADVERSARIAL[name].critic(score_real, score_fake, *targets)


def pairs_of_points() -> tuple[Tensor, Tensor]:
    """Every real point with every generated one: indices into four points, with masses P and Q."""
    real = torch.arange(4).repeat_interleave(torch.tensor(P))
    fake = torch.arange(4).repeat_interleave(torch.tensor(Q))
    return real.repeat_interleave(10), fake.repeat(10)


def train_table(name: str, real: Tensor, fake: Tensor, steps: int = 400) -> tuple[Tensor, float]:
    """The critic with a free score for each of four points, trained; its scores and its loss."""
    table = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [table], max_iter=steps, line_search_fn="strong_wolfe", tolerance_grad=1e-9, tolerance_change=1e-15
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = critic_loss(name, table[real], table[fake]).mean()
        value.backward()
        return value

    optimiser.step(loss)
    return table.detach(), loss().item()


def scores(n: int = 7) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    real, fake = 2 * torch.randn(2, n, generator=rng, dtype=torch.float64)
    return real, fake


def test_every_loss_is_the_formula_of_its_paper() -> None:
    r, f = scores()
    d_real, d_fake = torch.sigmoid(r), torch.sigmoid(f)
    cross_entropy = -d_real.log() - (1 - d_fake).log()
    one = torch.ones_like(r)
    expected = {
        "minimax": (cross_entropy, (1 - d_fake).log()),
        "non-saturating": (cross_entropy, -d_fake.log()),
        "least-squares": ((r - 1) ** 2 / 2 + f**2 / 2, (f - 1) ** 2 / 2),
        "hinge": (torch.maximum(0 * one, 1 - r) + torch.maximum(0 * one, 1 + f), -f),
        "wasserstein": (-(one * r) - (-one * f), -f),  # -y p, y = 1 real and -1 generated
        "relativistic": (-torch.sigmoid(r - f).log(), -torch.sigmoid(f - r).log()),
    }
    assert ADVERSARIAL.keys() == expected.keys()
    for name, (critic, generator) in expected.items():
        torch.testing.assert_close(critic_loss(name, r, f), critic, msg=name)
        torch.testing.assert_close(ADVERSARIAL[name].generator(f, r), generator, msg=name)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_what_a_game_says_it_reads_is_what_it_reads(name: str) -> None:
    """Smoothing a label that the loss ignores, or passing stale real scores, would go unnoticed in training."""
    r, f = scores()
    loss = ADVERSARIAL[name]
    smoothed_changes = not torch.equal(critic_loss(name, r, f, 0.9, 0.1), critic_loss(name, r, f))
    assert smoothed_changes == loss.uses_targets == (name in WITH_LABELS)
    real_changes = not torch.equal(loss.generator(f, r + 1), loss.generator(f, r))
    assert real_changes == loss.needs_real_in_generator == (name == "relativistic")


def test_pushes_on_the_scores_are_those_of_the_papers() -> None:
    """All pull generated scores up; minimax with sigmoid(score), which vanishes where the critic is sure."""
    r, f = scores()
    f.requires_grad_()
    expected = {
        "minimax": -torch.sigmoid(f),
        "non-saturating": -torch.sigmoid(-f),
        "least-squares": f - 1,
        "hinge": -torch.ones_like(f),
        "wasserstein": -torch.ones_like(f),
        "relativistic": -torch.sigmoid(r - f),
    }
    for name, push in expected.items():
        (gradient,) = torch.autograd.grad(ADVERSARIAL[name].generator(f, r).sum(), f)
        torch.testing.assert_close(gradient, push.detach(), msg=name)


def test_minimax_is_a_zero_sum_game_and_so_is_wasserstein() -> None:
    r, f = scores()
    for name in ("minimax", "wasserstein"):
        total = critic_loss(name, r, f) + ADVERSARIAL[name].generator(f, r)
        torch.testing.assert_close(total, critic_loss(name, r, f + 3) + ADVERSARIAL[name].generator(f + 3, r))


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_extreme_scores_stay_finite_in_float32(name: str) -> None:
    """log(sigmoid(-1e4)) is minus infinity if it is formed; the loss is 1e4 and its slope 1."""
    r = torch.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
    f = torch.tensor([1e4, -1e4, -1e4, 1e4], requires_grad=True)
    critic, generator = critic_loss(name, r, f), ADVERSARIAL[name].generator(f, r)
    gradients = [*torch.autograd.grad(critic.sum(), (r, f)), *torch.autograd.grad(generator.sum(), f)]
    assert all(part.isfinite().all() for part in (critic, generator, *gradients))
    if name in ("minimax", "non-saturating", "relativistic"):
        torch.testing.assert_close(critic[:2], torch.tensor([2e4, 0.0]))
        torch.testing.assert_close(gradients[0][:2], torch.tensor([-1.0, 0.0]))


def test_trained_critic_of_two_gaussians_has_logit_minus_2x_and_the_divergence_as_its_loss() -> None:
    """N(-1, 1) against N(1, 1): log p/q = -2x, no square or cube in it, loss 2 ln 2 - 2 JSD = 0.71263 a pair."""
    real, fake = (torch.stack([x**k for k in range(4)], dim=1) for x in (gaussian(4000, -1.0), gaussian(4000, 1.0)))
    weight = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = critic_loss("non-saturating", real @ weight, fake @ weight).mean()
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(weight.detach(), torch.tensor([0.0, -2, 0, 0]).double(), rtol=0, atol=0.01)
    assert loss().item() == pytest.approx(2 * math.log(2) - 2 * JSD, abs=1e-4)
    assert loss().item() == pytest.approx(0.71263, abs=1e-4)


def test_trained_relativistic_critic_of_two_gaussians_has_the_same_slope() -> None:
    """D(x) - D(y) = -2 (x - y), over independent pairs."""
    x_real, x_fake = gaussian(150, -1.0).repeat_interleave(150), gaussian(150, 1.0).repeat(150)
    slope = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for _ in range(100):
        loss = critic_loss("relativistic", slope * x_real, slope * x_fake).mean()
        (gradient,) = torch.autograd.grad(loss, slope)
        slope = (slope - 2 * gradient).detach().requires_grad_()
    assert slope.item() == pytest.approx(-2.0, abs=0.05)  # the tails that 150 points lack


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_trained_cross_entropy_critic_is_the_log_ratio(name: str) -> None:
    p, q = torch.tensor(P).double() / 10, torch.tensor(Q).double() / 10
    middle = (p + q) / 2
    jsd = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()).item() / 2
    table, loss = train_table(name, *pairs_of_points())
    torch.testing.assert_close(table, RATIO.log(), rtol=0, atol=1e-5)
    assert loss == pytest.approx(2 * math.log(2) - 2 * jsd, abs=1e-9)


def test_trained_least_squares_critic_is_the_share_of_real() -> None:
    """D* = (b p + a q) / (p + q) with b = 1, a = 0; the loss is half the sum of p q / (p + q)."""
    table, loss = train_table("least-squares", *pairs_of_points())
    torch.testing.assert_close(table, RATIO / (1 + RATIO), rtol=0, atol=1e-6)
    p, q = torch.tensor(P).double() / 10, torch.tensor(Q).double() / 10
    assert loss == pytest.approx((p * q / (p + q)).sum().item() / 2, abs=1e-9)


def test_trained_relativistic_critic_is_the_log_ratio_up_to_a_constant() -> None:
    table, _ = train_table("relativistic", *pairs_of_points())
    torch.testing.assert_close(table - table[0], RATIO.log() - RATIO.log()[0], rtol=0, atol=1e-5)


def test_trained_hinge_critic_is_the_sign_and_its_loss_the_common_mass() -> None:
    """sign(p - q), and 2 (1 - TV) = 2 sum min(p, q) = 2 * 0.5; for the two Gaussians 2 (1 - 0.68269) = 0.63462."""
    real, fake = pairs_of_points()
    table = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    for step in range(300):
        (gradient,) = torch.autograd.grad(critic_loss("hinge", table[real], table[fake]).mean(), table)
        table = (table - 0.98**step * gradient).detach().requires_grad_()
    torch.testing.assert_close(table.detach(), torch.tensor([1.0, 1, -1, -1]).double(), rtol=0, atol=1e-3)
    assert critic_loss("hinge", table[real], table[fake]).mean().item() == pytest.approx(1.0, abs=1e-3)
    best = critic_loss("hinge", -gaussian(4000, -1.0).sign(), -gaussian(4000, 1.0).sign()).mean().item()
    assert best == pytest.approx(0.63462, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("minimax", math.log(4)), ("non-saturating", math.log(4)), ("least-squares", 0.25), ("hinge", 2.0),
     ("wasserstein", 0.0), ("relativistic", math.log(2))],
)  # fmt: skip
def test_a_perfect_generator_leaves_the_critic_at_a_known_loss(name: str, value: float) -> None:
    """p = q: ln 4 for D = 1/2, least squares 1/4 at 1/2, relativistic ln 2; no other score does better."""
    best = 0.5 if name == "least-squares" else 0.0
    same = torch.full((3,), best, dtype=torch.float64)
    torch.testing.assert_close(critic_loss(name, same, same), torch.full_like(same, value))
    for other in scores(50):
        assert critic_loss(name, other, other).min().item() >= value - 1e-12


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "least-squares"])
def test_smoothed_and_noisy_labels_move_the_optimum_as_calculated(name: str) -> None:
    """One-sided 0.9 at p = q: D = (0.9 + 0) / 2. Flipping a tenth of the labels is smoothing both sides by a tenth."""
    share = torch.tensor([0.45], dtype=torch.float64)
    score = (share if name == "least-squares" else torch.logit(share)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic_loss(name, score, score, 0.9, 0.0).sum(), score)
    assert gradient.item() == pytest.approx(0.0, abs=1e-12)

    r, f = (part.requires_grad_() for part in scores(1))
    flipped = torch.tensor([1.0] + 9 * [0.0], dtype=torch.float64)
    noisy = ADVERSARIAL[name].critic(r.expand(10), f.expand(10), 1 - flipped, flipped).mean()
    smooth = critic_loss(name, r, f, 0.9, 0.1).sum()
    for by_noise, by_smoothing in zip(
        torch.autograd.grad(noisy, (r, f)), torch.autograd.grad(smooth, (r, f)), strict=True
    ):
        torch.testing.assert_close(by_noise, by_smoothing)


@pytest.mark.parametrize(
    ("real", "fake", "centre", "distance"),
    [((0, 1), (0, 2), 0.0, 0.79788), ((0, 1), (1, 2), -1.0, 1.16663), ((0.5, 0), (3.0, 0), -9.0, 2.5)],
)
def test_wasserstein_loss_of_the_best_critic_is_minus_the_distance(
    real: tuple[float, float], fake: tuple[float, float], centre: float, distance: float
) -> None:
    """1-D: the best slope-1 critic is -|x - centre|, with the centre where the distribution functions cross."""
    score_real, score_fake = (-(gaussian(20_000, *shape) - centre).abs() for shape in (real, fake))
    assert -critic_loss("wasserstein", score_real, score_fake).mean().item() == pytest.approx(distance, abs=2e-4)


def test_distant_point_masses_give_wasserstein_a_slope_and_minimax_none() -> None:
    """Arjovsky's example: W1(d_0, d_t) = |t|, slope 1; the trained minimax critic says JSD = ln 2 at any t, slope 0."""
    t = torch.tensor([5.0], dtype=torch.float64, requires_grad=True)
    real = torch.zeros(1, dtype=torch.float64)
    assert -critic_loss("wasserstein", -real, -t).item() == pytest.approx(5.0)
    (pull,) = torch.autograd.grad(ADVERSARIAL["wasserstein"].generator(-t, -real), t)
    assert pull.item() == 1.0
    sharp = 40.0
    loss = critic_loss("minimax", sharp * (2.5 - real), sharp * (2.5 - t))
    assert math.log(2) - loss.item() / 2 == pytest.approx(math.log(2), abs=1e-12)
    (pull,) = torch.autograd.grad(ADVERSARIAL["minimax"].generator(sharp * (2.5 - t), real), t)
    assert pull.item() == pytest.approx(0.0, abs=1e-12)


def test_only_differences_count_where_the_papers_say_so() -> None:
    r, f = scores()
    for name in ("wasserstein", "relativistic"):
        torch.testing.assert_close(critic_loss(name, r + 100, f + 100), critic_loss(name, r, f))
    torch.testing.assert_close(critic_loss("relativistic", f, r), ADVERSARIAL["relativistic"].generator(f, r))


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_scores_that_would_broadcast_are_refused(name: str) -> None:
    """[B, 1] against [B] would compare every real picture with every generated one."""
    r, f = scores(3)
    with pytest.raises(ValueError, match="must have one shape"):
        critic_loss(name, r[:, None], f)
    with pytest.raises(ValueError, match="must have one shape"):
        critic_loss(name, r[:, None], f[:, None])
