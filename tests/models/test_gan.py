"""The adversarial trainer: the rules of WGAN-GP by construction, who is updated by what, what the critic is shown."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from latentry.models.build import build_critic
from latentry.models.contract import Batch
from latentry.models.gan import GANMethod, pack
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec
from latentry.training.schedule import set_pace
from tests.models.small_gans import IMAGE, critic_of, made, method_of, pictures, rng, small, weights

CLASSES = ConditionSpec("class", ("red", "green", "blue"))


def count_updates(method: GANMethod) -> dict[str, int]:
    """How often each optimiser moves its weights, counted from now on."""
    counts = dict.fromkeys(method.optimisers, 0)

    def count(name: str) -> Any:
        def hook(*_: object) -> None:
            counts[name] += 1

        return hook

    for name, optimiser in method.optimisers.items():
        optimiser.register_step_post_hook(count(name))
    return counts


# The six rules of WGAN-GP.


def test_the_recipe_is_the_papers_with_three_critic_steps() -> None:
    config = find_recipe("wgan-gp").config
    game = config.model
    assert isinstance(game, GANSettings)
    assert (game.loss, game.constraint, game.penalty, game.critic_steps) == ("wasserstein", "gradient-penalty", 10, 3)
    assert config.critic.critic_norm == "none"
    assert (config.training.optimiser, config.training.adam_beta1, config.training.adam_beta2) == ("adam", 0, 0.9)


@pytest.mark.parametrize("recipe", ["wgan-gp", "wgan", "gan", "lsgan", "sngan", "cgan"])
def test_scores_are_not_squashed(recipe: str) -> None:
    """The last layer's bias is the score, far above 1 and far below 0: a sigmoid would end at 1 and 0."""
    config = small(recipe, norm="none", critic_norm="none")
    condition = None if config.condition.condition == "none" else CLASSES
    critic = build_critic(config, IMAGE, condition)  # all weights zero
    told = None if condition is None else torch.eye(3)
    assert critic.score.bias is not None
    for score in (40.0, -40.0):
        with torch.no_grad():
            critic.score.bias.fill_(score)
        assert critic(pictures(3), told).score.tolist() == [score] * 3


def test_labels_are_plus_one_real_and_minus_one_generated() -> None:
    """-mean(y p) with y = +1, -1: the critic pulls real scores up, the generator pulls generated ones up."""
    config = small("wgan-gp", penalty=0.0, critic_steps=1, optimiser="sgd", lr=1e-2)
    method = method_of(config)
    real = pictures(8)
    terms = method.step(Batch(real), rng(), 0.0)
    by_hand = -(torch.tensor([1.0, -1.0]) * torch.stack([terms["score_real"], terms["score_fake"]])).sum()
    torch.testing.assert_close(terms["loss_critic"], by_hand)
    after = method.step(Batch(real), rng(), 0.0)
    assert after["score_real"] - after["score_fake"] > terms["score_real"] - terms["score_fake"]
    z = method.model.own_prior(8, rng=rng(4))
    before = method.critic(method.model.decode(z)).score
    loss = method._generator_step(Batch(real), lambda _: method.model.decode(z), rng(4))["loss_generator"]
    assert loss.item() == pytest.approx(-before.mean().item())
    assert method.critic(method.model.decode(z)).score.mean() > before.mean()


def test_penalty_moves_the_critic_only() -> None:
    """With the critic held still, the generator ends at the same weights whatever the penalty's factor."""
    generators: list[Tensor] = []
    critics: list[Tensor] = []
    for factor in (0.0, 1000.0):
        for held in (True, False):
            method = method_of(small("wgan-gp", penalty=factor, optimiser="sgd", critic_steps=1))
            if held:
                method.optimisers["critic"].param_groups[0]["lr"] = 0.0
            method.step(Batch(pictures(8)), rng(), 0.0)
            (generators if held else critics).append(weights(method.model if held else method.critic))
    assert torch.equal(*generators)
    assert not torch.allclose(critics[0], critics[1])


@pytest.mark.parametrize("steps", [1, 5])
def test_critic_is_updated_several_times_on_pictures_of_its_own(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    method = method_of(small("wgan-gp", critic_steps=steps))
    assert method.batches == steps
    seen: list[Tensor] = []
    judge = method._critic_step

    def watch(real: Batch, *others: Any) -> dict[str, Tensor]:
        seen.append(real.x)
        return judge(real, *others)

    monkeypatch.setattr(method, "_critic_step", watch)
    counts = count_updates(method)
    real = pictures(8 * steps)
    method.step(Batch(real), rng(), 0.0)
    assert counts == {"critic": steps, "generator": 1}
    assert torch.equal(torch.cat(seen), real)


@pytest.mark.parametrize("recipe", ["wgan-gp", "sngan", "r3gan"])
def test_each_score_depends_on_its_own_picture_alone(recipe: str) -> None:
    assert coupling(small(recipe)) == 0


def test_batch_normalisation_would_couple_the_scores() -> None:
    """What the rule against it is about, and that `coupling` would notice."""
    assert coupling(small("gan", critic_norm="batch")) > 1e-4


def coupling(config: Config) -> float:
    """Largest |d score_i / d x_j| for j other than i, with weights that are all at work."""
    critic = method_of(config).critic
    with torch.no_grad():
        for weight in critic.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=rng(3)))
    jacobian = torch.autograd.functional.jacobian(lambda x: critic(x).score, pictures(4))
    size = jacobian.flatten(2).abs().amax(dim=2)
    assert size.diagonal().min() > 1e-6
    return (size * (1 - torch.eye(4))).max().item()


# Who is updated by what.


def test_each_update_leaves_the_other_network_alone() -> None:
    method = method_of(small("gan"))
    generator, critic = weights(method.model), weights(method.critic)
    method._critic_step(Batch(pictures(8)), made(method), rng(), 0.0)
    assert torch.equal(weights(method.model), generator) and not torch.equal(weights(method.critic), critic)
    critic = weights(method.critic)
    method._generator_step(Batch(pictures(8)), lambda _: made(method), rng())
    assert torch.equal(weights(method.critic), critic) and not torch.equal(weights(method.model), generator)


def test_batch_statistics_are_of_real_or_of_generated_pictures() -> None:
    """Real and generated ones together would be told apart from their common mean alone."""
    for norm, passes in (("batch", 2), ("none", 1)):
        method = method_of(small("gan", critic_norm=norm))
        sizes: list[int] = []
        method.critic.register_forward_pre_hook(lambda _, inputs, sizes=sizes: sizes.append(len(inputs[0])))
        method._critic_step(Batch(pictures(8)), made(method), rng(), 0.0)
        assert sizes == [16 // passes] * passes


@pytest.mark.parametrize("constraint", ["r1", "r2", "r1-r2"])
def test_slopes_of_a_critic_with_batch_statistics_are_taken_apart_too(constraint: str) -> None:
    """Such a critic is the caller's own; R1 and R2 of two passes are those of one, where nothing reads the batch."""
    method = method_of(small("r3gan", constraint=constraint))
    x, sizes = pictures(8), list[int]()
    method.critic.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    whole = method._judge_with_slope(torch.cat([x, made(method)]), None)
    method.together = False
    parts = method._judge_with_slope(torch.cat([x, made(method)]), None)
    assert sizes == [16, 8, 8]
    for one, two in zip(whole[:2], parts[:2], strict=True):
        torch.testing.assert_close(one.score, two.score)
    torch.testing.assert_close(whole[2], parts[2])


def test_critic_has_its_own_rate_and_schedule() -> None:
    config = small("gan", lr=1e-3, critic_lr=4e-3, schedule="cosine", critic_schedule="constant", warmup=0.0)
    method = method_of(config)
    for progress, rates in ((0.0, (1e-3, 4e-3)), (0.5, (5e-4, 4e-3)), (1.0, (0.0, 4e-3))):
        set_pace(method.optimisers, config.training, progress)
        found = [method.optimisers[name].param_groups[0]["lr"] for name in ("generator", "critic")]
        assert found == pytest.approx(rates)
    config = config.with_settings(critic_lr=None, critic_schedule=None)
    set_pace((method := method_of(config)).optimisers, config.training, 0.5)
    assert [each.param_groups[0]["lr"] for each in method.optimisers.values()] == pytest.approx([5e-4, 5e-4])


def test_penalty_falls_along_a_cosine() -> None:
    method = method_of(small("wgan-gp", penalty=10.0, penalty_end=2.0))
    assert [method._factor(at) for at in (0.0, 0.5, 1.0)] == pytest.approx([10, 6, 2])
    assert method_of(small("wgan-gp", penalty=10.0))._factor(1.0) == 10


# What the critic is told and shown.


def test_flipped_labels_are_as_many_as_asked() -> None:
    method = method_of(small("gan", label_noise=0.1, smoothing=0.2, smooth_both=True))
    real, fake = method._targets(torch.zeros(20_000), rng())
    for targets, flipped in ((real, 0.2), (fake, 0.8)):
        share = (targets - flipped).abs().lt(1e-6).float().mean().item()
        assert share == pytest.approx(0.1, abs=3 * math.sqrt(0.1 * 0.9 / 20_000))
    assert sorted(set(real.tolist())) == pytest.approx([0.2, 0.8])
    plain = method_of(small("gan", smoothing=0.2))._targets(torch.zeros(2), rng())
    assert [each.tolist() for each in plain] == [pytest.approx([0.8, 0.8]), [0, 0]]


def test_a_pack_shares_a_score_and_holds_neighbours() -> None:
    x = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 8, 8)
    assert pack(x, 2)[:, ::3, 0, 0].tolist() == [[0, 1], [2, 3], [4, 5]]
    method = method_of(small("pacgan", critic_norm="none"))
    method.step(Batch(pictures(8)), rng(), 0.0)
    scores = method.score(method.model, Batch(pictures(7)), rng())  # one is left over
    assert {name: len(score) for name, score in scores.items()} == {
        "score_real": 3,
        "score_fake": 3,
        "score_trained": 4,
    }
    jacobian = torch.autograd.functional.jacobian(lambda x: method.critic(pack(x, 2)).score, pictures(4))
    assert (jacobian.flatten(2).abs().amax(dim=2) > 0).tolist() == [
        [True, True, False, False],
        [False, False, True, True],
    ]


def test_adaptive_augmentation_follows_the_critic() -> None:
    """p rises for a critic that is sure of the real pictures, and falls again when it errs; 0.5 is the LSGAN's zero."""
    for recipe, middle in (("gan", 0.0), ("lsgan", 0.5)):
        method = method_of(small(recipe, augment="adaptive", critic_norm="none"))
        assert method.adaptive is not None
        method.optimisers["critic"].param_groups[0]["lr"] = 0.0
        found = []
        for score in (middle + 0.2, middle - 0.2):
            with torch.no_grad():
                weight, bias = critic_of(method).score.parameters()
                weight.zero_()
                bias.fill_(score)
            for _ in range(method.adaptive.every):
                terms = method._critic_step(Batch(pictures(8)), made(method), rng(), 0.0)
            found.append(terms["augment_p"].item())
        assert found[0] == pytest.approx(32 / 500_000) and found[1] == 0


def test_real_and_generated_pictures_are_augmented_and_the_generator_learns_through_it() -> None:
    method = method_of(small("gan", augment="fixed", augment_policies=("cutout",), critic_norm="none"))
    seen: list[Tensor] = []
    method.critic.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    with torch.no_grad():
        list(method.model.decoder.parameters())[-1].fill_(1.0)  # no pixel of a picture is 0
    before = weights(method.model)
    method._critic_step(Batch(pictures(8)), made(method), rng(), 0.0)
    method._generator_step(Batch(pictures(8)), lambda _: made(method), rng(1))
    assert [len(x) for x in seen] == [16, 8]
    cut = torch.cat(seen).eq(0).all(dim=1).flatten(1).any(dim=1)
    assert cut.all()
    assert not torch.equal(weights(method.model), before)


def test_an_unconditional_model_is_called_without_a_condition() -> None:
    method = method_of(small("gan"))
    assert method.model.conditions is None and "loss_critic" in method.step(Batch(pictures(8)), rng(), 0.0)
