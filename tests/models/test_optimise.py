"""One step down a loss."""

import pytest
import torch
from torch import Tensor, nn

from latentry.models.contract import Batch
from latentry.models.optimise import build_optimiser, descend, replayed, take_turns, turns_of
from latentry.settings.training import TrainingSettings
from tests.models.small_gans import method_of, pictures, rng, small, weights

SGD = TrainingSettings(optimiser="sgd", lr=1.0)


@pytest.mark.parametrize("size", [None, 1])
def test_a_step_goes_down_the_mean_and_returns_what_it_saw(size: int | None) -> None:
    """Loss (w - x)^2 of x = 1, 2, 6 at w = 0: slope 2 (w - mean x) = -6, so w = 6; in passes of one picture too."""
    w, x = nn.Parameter(torch.zeros(())), torch.tensor([1.0, 2.0, 6.0])

    def objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
        return (w - x[rows]) ** 2, {"x": x[rows]}

    settings = TrainingSettings(micro_batch=size)
    loss, terms = descend(torch.optim.SGD([w], lr=1.0), objective, 3, rng(), settings)
    assert w.item() == pytest.approx(6)
    assert loss.tolist() == [1, 4, 36] and terms["x"].tolist() == [1, 2, 6]


def test_the_sum_of_passes_is_clipped_and_not_each() -> None:
    """Slopes of 30 and -29 each, mean 0.5: within a norm of 1. Clipped one by one they would cancel."""
    w, slopes = nn.Parameter(torch.zeros(())), torch.tensor([30.0, -29.0])
    settings = TrainingSettings(micro_batch=1, clip=1.0)
    descend(torch.optim.SGD([w], lr=1.0), lambda rows: (w * slopes[rows], {}), 2, rng(), settings)
    assert w.item() == pytest.approx(-0.5)


def test_other_weights_get_no_gradient() -> None:
    w, other = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
    descend(torch.optim.SGD([w], lr=1.0), lambda _: ((w * other).expand(2), {}), 2, rng(), TrainingSettings())
    assert other.grad is None and w.item() == 0


def test_what_is_left_of_a_step_sees_the_new_weights_in_bfloat16() -> None:
    """Autocast keeps what it cast; a second critic update, and the generator's, would go by the old critic."""
    layer = nn.Linear(4, 4)
    x = torch.ones(1, 4)
    with torch.autocast("cpu", torch.bfloat16):
        descend(torch.optim.SGD(layer.parameters(), lr=1.0), lambda _: (layer(x).sum(dim=1), {}), 1, rng(), SGD)
        now = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(now, layer(x))


@pytest.mark.parametrize("size", [None, 4])
def test_a_generator_learns_in_bfloat16(size: int | None) -> None:
    """Though most of its pictures are made without a graph, by weights that autocast would keep without one."""
    method = method_of(small("wgan-gp", norm="none", critic_steps=3, optimiser="sgd", lr=0.1, micro_batch=size))
    plain = method_of(small("wgan-gp", norm="none", critic_steps=3, optimiser="sgd", lr=0.1))
    before = weights(method.model)
    with torch.autocast("cpu", torch.bfloat16):
        method.step(Batch(pictures(24)), rng(), 0.0)
    plain.step(Batch(pictures(24)), rng(), 0.0)
    moved, wanted = weights(method.model) - before, weights(plain.model) - before
    assert torch.nn.functional.cosine_similarity(moved, wanted, dim=0) > 0.98
    assert (moved.norm() / wanted.norm()).item() == pytest.approx(1, abs=0.1)


def test_turns_share_one_draw() -> None:
    """Four rows in turns of two: numbers drawn for all by row, and the source left where one draw leaves it."""
    settings, source = TrainingSettings(micro_batch=2), rng(3)
    whole = torch.randn(4, generator=rng(3))

    def draw(rows: slice) -> Tensor:
        return torch.randn(4, generator=source)[rows]

    assert turns_of(4, settings) == [slice(0, 2), slice(2, 4)] and turns_of(2, settings) == [slice(None)]
    assert torch.equal(torch.cat(take_turns(draw, 4, source, settings)), whole)
    after = rng(3)
    torch.randn(4, generator=after)
    assert torch.equal(source.get_state(), after.get_state())


def test_a_replay_draws_the_numbers_of_before_and_disturbs_nothing() -> None:
    source = rng(3)
    again = replayed(lambda _: torch.randn(2, generator=source), source)
    first, then = torch.randn(2, generator=source), torch.randn(2, generator=rng(5))
    source.manual_seed(5)
    assert torch.equal(again(slice(None)), first)
    assert torch.equal(torch.randn(2, generator=source), then)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_rmsprop_is_torchs(decay: float) -> None:
    """Adam without momentum and without correction: the same weights as RMSprop, from the first step on.

    Decay is AdamW's: a step first takes rate times decay of each weight, whatever its slopes.
    """
    settings = TrainingSettings(optimiser="rmsprop", lr=0.01, adam_beta2=0.9, weight_decay=decay)
    slopes = torch.randn(50, 4, generator=rng())
    ours, theirs = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
    optimisers = (
        build_optimiser([ours], settings),
        torch.optim.RMSprop([theirs], lr=0.01, alpha=0.9),
    )
    for slope in slopes:
        with torch.no_grad():
            theirs.mul_(1 - 0.01 * decay)
        for weight, optimiser in zip((ours, theirs), optimisers, strict=True):
            weight.grad = slope.clone()
            optimiser.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
