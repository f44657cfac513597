"""Games on a line whose end is known, played by the ordinary trainer with networks of one or two weights.

The generator's pictures are a fixed list of points, the quantiles of a distribution, so that nothing is left to chance.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latentry.models.contract import Batch
from latentry.models.critic import Judgement
from latentry.models.gan import GAN, GANMethod
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.specs import ImageSpec
from latentry.settings.training import TrainingSettings
from latentry.training.schedule import set_pace

P = torch.tensor([0.7, 0.3])  # of the two points 0 and 1
Q = torch.tensor([0.2, 0.8])
QUANTILES = math.sqrt(2) * torch.erfinv((2 * torch.arange(2000) + 1) / 2000 - 1)  # of N(0, 1)


class Points(nn.Module):
    """A generator of the same points in each step, moved by a weight."""

    def __init__(self, points: Tensor, shift: float = 0.0) -> None:
        super().__init__()
        self.points, self.shift = points, nn.Parameter(torch.tensor(shift))

    def forward(self, z: Tensor) -> Tensor:
        return self.points + self.shift


class Line(nn.Module):
    """Scores w x, plus b where there is one."""

    def __init__(self, w: float, b: float | None = None) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.tensor(w)), None if b is None else nn.Parameter(torch.tensor(b))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        score = self.w * x.flatten(1).squeeze(1)
        return Judgement(score if self.b is None else score + self.b, None)


class Table(nn.Module):
    """A score of its own for each of the points 0 and 1, and no slope."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        return Judgement(self.scores[x.flatten().long()] + 0 * x.flatten(), None)


class Game:
    """`GANMethod` between points and a critic; the generator hardly moves unless it is given a rate."""

    def __init__(
        self, real: Tensor, fake: nn.Module, critic: nn.Module, *, lr: float = 1e-12, critic_lr: float, **game: Any
    ) -> None:
        self.real = real.view(-1, 1, 1, 1)
        settings = GANSettings(latent=1, output="linear", **game)
        self.training = TrainingSettings(
            optimiser="sgd", lr=lr, schedule="constant", warmup=0.0, batch=settings.critic_steps * len(real)
        )
        config = Config("game", settings, training=self.training)
        self.method = GANMethod(GAN(fake, ImageSpec(1, 1, 1), settings, None), critic, config)
        for group in self.method.optimisers["critic"].param_groups:
            group["lr_scale"] = critic_lr / lr

    def play(self, steps: int) -> dict[str, float]:
        """The terms of the last step."""
        rng, terms = torch.Generator().manual_seed(0), {}
        set_pace(self.method.optimisers, self.training, 0.0)
        for _ in range(steps):
            terms = self.method.step(Batch(self.real.repeat(self.method.batches, 1, 1, 1)), rng, 0.0)
        return {name: term.item() for name, term in terms.items()}


def all_pairs(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Points 0 and 1, 100 pairs, real as often as p says and generated as often as q says, independently."""
    real, fake = (torch.repeat_interleave(torch.arange(2.0), (10 * share).round().long()) for share in (p, q))
    return real.repeat_interleave(10), fake.repeat(10)


def trained_table(steps: int = 400, p: Tensor = P, q: Tensor = Q, **game: Any) -> tuple[Tensor, float]:
    """The scores of the points 0 and 1 and the critic's loss at the end of training."""
    real, fake = all_pairs(p, q)
    critic = Table()
    terms = Game(real, Points(fake), critic, critic_lr=1.0, **game).play(steps)
    return critic.scores.detach(), terms["loss_critic"]


@pytest.mark.parametrize("loss", ["minimax", "non-saturating"])
def test_critic_of_two_gaussians_reaches_the_log_ratio_and_the_divergence(loss: str) -> None:
    """N(-1, 1) against N(1, 1): logit -2 x, and a loss of 2 ln 2 - 2 JSD with JSD = 0.33683 nat."""
    critic = Line(0.0, 0.3)
    terms = Game(QUANTILES - 1, Points(QUANTILES + 1), critic, critic_lr=1.0, loss=loss).play(400)
    assert critic.b is not None
    assert critic.w.item() == pytest.approx(-2, abs=0.01) and critic.b.item() == pytest.approx(0, abs=1e-4)
    assert terms["loss_critic"] == pytest.approx(2 * math.log(2) - 2 * 0.33683, abs=5e-4)


def cross_entropy_optimum(p: Tensor, q: Tensor) -> tuple[Tensor, float]:
    """Log p / q, and 2 ln 2 - 2 JSD."""
    share = p / (p + q)
    return (p / q).log(), -(p * share.log() + q * (1 - share).log()).sum().item()


def least_squares_optimum(p: Tensor, q: Tensor) -> tuple[Tensor, float]:
    """p / (p + q), and half the mean of p q / (p + q)."""
    return p / (p + q), (0.5 * p * q / (p + q)).sum().item()


def hinge_optimum(p: Tensor, q: Tensor) -> tuple[Tensor, float]:
    """The sign of p - q, and twice the common mass."""
    return (p - q).sign(), 2 * torch.minimum(p, q).sum().item()


@pytest.mark.parametrize(
    ("loss", "optimum"),
    [
        ("minimax", cross_entropy_optimum),
        ("non-saturating", cross_entropy_optimum),
        ("least-squares", least_squares_optimum),
        ("hinge", hinge_optimum),
    ],
)
def test_critic_of_two_points_reaches_the_optimum(
    loss: str, optimum: Callable[[Tensor, Tensor], tuple[Tensor, float]]
) -> None:
    scores, value = trained_table(loss=loss)
    expected, least = optimum(P, Q)
    # The hinge's slope does not shrink near its optimum: descent ends within one step of it.
    torch.testing.assert_close(scores, expected, atol=0.55 if loss == "hinge" else 2e-3, rtol=0)
    assert value == pytest.approx(least, abs=0.3 if loss == "hinge" else 1e-4)
    if loss == "hinge":
        assert scores.sign().tolist() == [1, -1]


def test_relativistic_critic_compares_points_and_says_nothing_where_all_are_alike() -> None:
    """The difference of two scores is that of their log ratios; at p = q it is 0 and the loss ln 2."""
    scores, _ = trained_table(loss="relativistic")
    ratio = (P / Q).log()
    assert (scores[0] - scores[1]).item() == pytest.approx((ratio[0] - ratio[1]).item(), abs=2e-3)
    scores, value = trained_table(q=P, loss="relativistic")
    assert (scores[0] - scores[1]).item() == pytest.approx(0, abs=1e-6)
    assert value == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("loss", ["non-saturating", "least-squares"])
def test_smoothed_labels_move_the_critic_as_calculated(loss: str, both: bool) -> None:
    """Labels 0.8 and 0 (or 0.2): D = (0.8 p + 0 q) / (p + q), from the derivative of either loss."""
    scores, _ = trained_table(loss=loss, smoothing=0.2, smooth_both=both)
    expected = (0.8 * P + (0.2 if both else 0.0) * Q) / (P + Q)
    told = scores.sigmoid() if loss == "non-saturating" else scores
    torch.testing.assert_close(told, expected, atol=2e-3, rtol=0)


def test_noisy_labels_move_the_critic_on_average() -> None:
    """Each label flipped with probability 0.3: D = (0.7 p + 0.3 q) / (p + q), as far as the last flips let it."""
    real, fake = all_pairs(P, Q)
    critic = Table()
    Game(real.repeat(100), Points(fake.repeat(100)), critic, critic_lr=1.0, loss="least-squares", label_noise=0.3).play(
        60
    )
    torch.testing.assert_close(critic.scores.detach(), (0.7 * P + 0.3 * Q) / (P + Q), atol=0.02, rtol=0)


@pytest.mark.parametrize("limit", [1.0, 0.01])
def test_clipped_critic_reports_the_limit_times_the_distance(limit: float) -> None:
    """With slopes of at most 1 that is the Wasserstein-1 distance itself: 2 between N(-1, 1) and N(1, 1)."""
    critic = Line(0.0)
    game: dict[str, Any] = {"loss": "wasserstein", "constraint": "clip", "clip_weights": limit}
    terms = Game(QUANTILES - 1, Points(QUANTILES + 1), critic, critic_lr=0.1, critic_steps=5, **game).play(20)
    assert critic.w.item() == pytest.approx(-limit)
    assert terms["loss_critic"] == pytest.approx(-2 * limit, rel=1e-5)


@pytest.mark.parametrize(("t", "factor", "slope"), [(1.0, 10.0, 1.05), (3.0, 10.0, 1.15), (-1.0, 2.5, 1.2)])
def test_gradient_penalty_overshoots_by_the_distance_over_two_lambda(t: float, factor: float, slope: float) -> None:
    """-|w| |t| + lambda (|w| - 1)^2 is least at |w| = 1 + |t| / (2 lambda); the wrong sign has a minimum of its own."""
    critic = Line(-math.copysign(0.1, t))
    game: dict[str, Any] = {"loss": "wasserstein", "constraint": "gradient-penalty", "penalty": factor}
    terms = Game(torch.zeros(8), Points(torch.full((8,), t)), critic, critic_lr=0.02, **game).play(200)
    assert critic.w.item() == pytest.approx(-math.copysign(slope, t), abs=1e-4)
    assert terms["penalty"] == pytest.approx((slope - 1) ** 2, abs=1e-5)


def alternating(h: float, gamma: float) -> Tensor:
    """One step of (theta, psi) near 0: psi' = (1 - gamma h) psi - h / 2 theta, then theta' = theta + h / 2 psi'."""
    return torch.tensor([[1 - h * h / 4, h / 2 * (1 - gamma * h)], [-h / 2, 1 - gamma * h]])


@pytest.mark.parametrize(("gamma", "h"), [(0.0, 0.2), (1.0, 0.2), (1.0, 0.05), (0.5, 0.2)])
def test_dirac_gan_follows_the_powers_of_its_matrix(gamma: float, h: float) -> None:
    """Mescheder et al. 2018, section 2: real pictures at 0, one generated point theta, critic psi x.

    Without a penalty the matrix has determinant one and eigenvalues on the unit circle: no end is ever reached. R1
    with gamma = 1 is the paper's best: both eigenvalues are near 1 - h / 2.
    """
    game: dict[str, Any] = {"loss": "non-saturating", "constraint": "r1" if gamma else "none", "penalty": gamma}
    generator, critic = Points(torch.zeros(4), 1e-3), Line(5e-4)
    played = Game(torch.zeros(4), generator, critic, lr=h, critic_lr=h, **game)
    start = torch.tensor([1e-3, 5e-4])
    for steps in (1, 9, 90):
        played.play(steps)
        start = torch.linalg.matrix_power(alternating(h, gamma), steps) @ start
        now = torch.stack([generator.shift.detach(), critic.w.detach()])
        torch.testing.assert_close(now, start, atol=2e-7, rtol=1e-3)
    sizes = torch.linalg.eigvals(alternating(h, gamma)).abs()
    assert sizes.prod().item() == pytest.approx(1 - gamma * h, abs=1e-6)
    assert sizes.max() < 1 if gamma else now.norm() > 5e-4


@pytest.mark.parametrize(
    ("loss", "constraint"),
    [
        *[(loss, "none") for loss in ("minimax", "non-saturating", "least-squares", "hinge", "relativistic")],
        *[("wasserstein", name) for name in ("gradient-penalty", "r1", "r2", "r1-r2", "dragan")],
    ],
)
def test_every_picture_twice_is_the_same_step(loss: str, constraint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means over pictures throughout: a sum in any loss or penalty would take a step twice as long."""
    drawn = torch.rand(6, 1, 1, 1, generator=torch.Generator().manual_seed(3))
    # Each copy of a pair is given the same noise.
    monkeypatch.setattr(torch, "rand", lambda shape, **_: drawn.repeat(shape[0] // 6, 1, 1, 1))
    real, fake = torch.linspace(-1, 1, 6), torch.tensor([0.3, -0.8, 1.7, 0.1, 0.9, -1.2])
    ends = []
    for copies in (1, 2):
        rng = torch.Generator().manual_seed(1)
        critic = nn.Sequential(nn.Flatten(), nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0))
        for weight in critic.parameters():
            nn.init.normal_(weight, generator=rng)
        game: dict[str, Any] = {"loss": loss, "constraint": constraint}
        generator = Points(fake.repeat(copies))
        played = Game(real.repeat(copies), generator, Judging(critic), lr=0.1, critic_lr=0.1, **game)
        terms = torch.tensor(list(played.play(3).values()))
        ends.append(torch.cat([terms, generator.shift.view(1), *[w.flatten() for w in critic.parameters()]]).detach())
    torch.testing.assert_close(ends[0], ends[1], atol=1e-5, rtol=1e-4)


class Judging(nn.Module):
    """A network of scores as a critic."""

    def __init__(self, scores: nn.Module) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        return Judgement(self.scores(x), None)


class Bowl(Line):
    """Scores w x^2 / 2, whose slope w x tells where it was taken."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        return Judgement(self.w * x.flatten(1).squeeze(1).square() / 2, None)


@pytest.mark.parametrize(("constraint", "expected"), [("r1", 0.5), ("r2", 1.125), ("r1-r2", 1.625)])
def test_zero_centred_penalties_are_on_real_on_generated_pictures_or_on_both(constraint: str, expected: float) -> None:
    """Slopes 1 at the real 2 and 1.5 at the generated 3, squared and halved, then times gamma in the loss."""
    game: dict[str, Any] = {"loss": "wasserstein", "constraint": constraint, "penalty": 4.0}
    terms = Game(torch.full((5,), 2.0), Points(torch.full((5,), 3.0)), Bowl(0.5), critic_lr=1e-9, **game).play(1)
    assert terms["penalty"] == pytest.approx(expected)
    assert terms["loss_critic"] == pytest.approx(0.25 * 9 - 0.25 * 4 + 4 * expected)
