"""What a conditional critic is told, or has to guess, each by hand; and that generators come to obey."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latentry.models.contract import Batch
from latentry.models.critic import Critic, doubt_loss, guess_loss
from latentry.models.gan import GANMethod
from latentry.nn import Features
from latentry.nn.conditioning import Stages
from latentry.settings.gan import CriticCondition
from latentry.settings.specs import ConditionSpec
from tests.models.small_gans import IMAGE, made, method_of, pictures, rng, small

CLASSES = ConditionSpec("class", ("red", "green", "blue"))
CONDITIONS: dict[str, tuple[ConditionSpec, Tensor]] = {
    "class": (CLASSES, torch.tensor([[0.0, 1, 0], [1, 0, 0]])),
    "attributes": (ConditionSpec("attributes", ("hat", "smile")), torch.tensor([[1.0, -1], [-1, -1]])),
    "numbers": (ConditionSpec("numbers", ("age", "tilt"), (0, 0), (1, 1)), torch.tensor([[0.5, -1], [2, 0]])),
}


def plain_critic(how: CriticCondition, condition: ConditionSpec) -> Critic:
    """Of three numbers a picture, which are its features; weights from a seed."""
    critic = Critic(Features(Stages(nn.Flatten()), (3,), 1.0), condition, how)
    for weight in critic.parameters():
        nn.init.normal_(weight, generator=rng(9))
    return critic


@pytest.mark.parametrize("how", ["projection", "projection-auxiliary"])
def test_projection_adds_the_product_of_features_and_the_conditions_row(how: CriticCondition) -> None:
    critic = plain_critic(how, CLASSES)
    x = torch.tensor([[0.3, -1.0, 0.7], [1.0, 0.5, -0.2]]).view(2, 3, 1, 1)
    told = torch.tensor([[0.0, 1, 0], [0, 0, 1]])
    assert critic.embed is not None
    for i, k in enumerate((1, 2)):
        features, row = x[i].flatten(), critic.embed.weight[:, k]
        expected = critic.score(features.view(1, 3)).squeeze() + torch.dot(row, features)
        torch.testing.assert_close(critic(x, told).score[i], expected)
    assert (critic(x, told).guess is None) == (how == "projection")


@pytest.mark.parametrize("kind", CONDITIONS)
def test_auxiliary_critic_is_not_told_and_pays_for_its_guess(kind: str) -> None:
    """Cross-entropy of a class, of each attribute, or half the squared distance of numbers, each by hand."""
    condition, told = CONDITIONS[kind]
    critic = plain_critic("auxiliary", condition)
    x = pictures(2)[:, :, :1, :1]
    judged = critic(x, told)
    assert torch.equal(judged.score, critic(x, -told).score)
    guess = torch.tensor([[1.0, -0.5, 0.2], [0.1, 2.0, -1.0]])[:, : condition.size]
    match kind:
        case "class":
            expected = -guess.log_softmax(dim=1)[[0, 1], [1, 0]]
        case "attributes":
            yes = guess.sigmoid()
            right = torch.where(told > 0, yes, 1 - yes)
            expected = -right.log().sum(dim=1)
        case _:
            expected = 0.5 * ((guess - told) ** 2).sum(dim=1)
    torch.testing.assert_close(guess_loss(guess, told, condition), expected)


def test_doubt_is_the_probability_of_anything_else() -> None:
    guess = torch.tensor([[1.0, -0.5, 0.2], [0.1, 2.0, -1.0]])
    told = torch.tensor([[0.0, 1, 0], [1, 0, 0]])
    other = 1 - guess.softmax(dim=1)[[0, 1], [1, 0]]
    torch.testing.assert_close(doubt_loss(guess, told, CLASSES), -other.log())
    signs = torch.tensor([[1.0, -1], [-1, -1]])
    yes = guess[:, :2].sigmoid()
    not_so = torch.where(signs > 0, 1 - yes, yes)
    attributes = CONDITIONS["attributes"][0]
    torch.testing.assert_close(doubt_loss(guess[:, :2], signs, attributes), -not_so.log().sum(dim=1))
    assert doubt_loss(guess[:, :2], signs, CONDITIONS["numbers"][0]).tolist() == [0, 0]


def generator_gradients(method: GANMethod, real: Batch) -> list[Tensor]:
    """What a step of the generator follows."""
    x_fake = method._generate(real, rng(1))
    method._generator_step(real, lambda _: x_fake, rng())
    return [weight.grad for weight in method.model.parameters() if weight.grad is not None]


def test_generated_pictures_are_doubted_in_the_critics_loss_alone() -> None:
    """By as much as is asked; the generator still wants its pictures taken for what they should be."""
    told = torch.eye(3)[torch.arange(8) % 3]
    found, wanted = {}, {}
    for doubt in (0.0, 0.5):
        settings = {"auxiliary": 2.0, "guess_from": "real", "critic_norm": "none", "norm": "none", "doubt": doubt}
        method = method_of(small("acgan", **settings), CLASSES)
        real, x_fake = Batch(pictures(8), told), made(method, told)
        guess = method.critic(x_fake, told).guess
        wanted[doubt] = generator_gradients(method, real)
        terms = method._critic_step(real, x_fake, rng(), 0.0)
        assert guess is not None
        found[doubt] = terms["loss_critic"].item(), doubt_loss(guess, told, CLASSES).mean().item()
    assert found[0.5][0] - found[0.0][0] == pytest.approx(2 * 0.5 * found[0.0][1], rel=1e-4)
    assert wanted[0.0]
    torch.testing.assert_close(wanted[0.5], wanted[0.0], rtol=0, atol=0)


@pytest.mark.parametrize("guess_from", ["all", "real"])
def test_auxiliary_guess_is_weighed_in_the_critics_loss(guess_from: str) -> None:
    losses = {}
    for weight in (0.0, 3.0):
        settings = {"auxiliary": weight, "guess_from": guess_from, "critic_norm": "none", "norm": "none"}
        method = method_of(small("acgan", **settings), CLASSES)
        told = torch.eye(3)[torch.arange(8) % 3]
        before = method.critic(pictures(8), told)
        terms = method._critic_step(Batch(pictures(8), told), made(method, told), rng(), 0.0)
        assert before.guess is not None
        by_hand = -(before.guess.log_softmax(dim=1) * told).sum(dim=1).mean()
        torch.testing.assert_close(terms["guess_real"], by_hand)
        losses[weight] = terms["loss_critic"].item(), terms["guess_real"].item()
    fake_share = (losses[3.0][0] - losses[0.0][0]) / 3 - losses[0.0][1]
    if guess_from == "real":
        assert fake_share == pytest.approx(0.0, abs=1e-5)
    else:
        assert 0.5 < fake_share < 2.5  # the guess of a generated picture's class, near ln 3 at the start


@pytest.mark.parametrize("how", ["concatenation", "projection", "projection-auxiliary"])
def test_a_told_critic_judges_the_same_picture_by_what_it_is_told(how: str) -> None:
    method = method_of(small("cgan", critic_condition=how, critic_norm="none"), CLASSES)
    x = pictures(1).expand(3, -1, -1, -1)
    scores = method.critic(x, torch.eye(3)).score
    assert len({round(score, 5) for score in scores.tolist()}) == 3


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("cgan", {}),
        ("cgan", {"critic_condition": "projection"}),
        ("cgan", {"condition_by": "norm", "critic_condition": "projection"}),
        ("cgan", {"critic_condition": "projection-auxiliary", "guess_from": "real"}),
        ("acgan", {}),
        ("acgan", {"guess_from": "real", "doubt": 0.3}),
    ],
)
def test_generator_obeys_after_training_on_two_shades(recipe: str, settings: dict[str, Any]) -> None:
    """Every picture of a class is on its side of the middle, whatever the latent."""
    network = {"backbone": "mlp", "hidden": (32,), "norm": "batch", "critic_norm": "none", "critic_hidden": (64, 64)}
    rates = {"lr": 1e-3, "adam_beta1": 0.0, "adam_beta2": 0.9, "init_std": 0.02, "constraint": "r1", "penalty": 0.1}
    method = method_of(small(recipe, **network, **rates, **settings), ConditionSpec("class", ("dark", "bright")))
    source = rng(7)
    for _ in range(300):
        which = torch.randint(2, (32,), generator=source)
        shade = (1.2 * which - 0.6).view(-1, 1, 1, 1)
        x = shade + 0.05 * torch.randn((32, *IMAGE.shape), generator=source)
        method.step(Batch(x, torch.eye(2)[which]), source, 0.0)
    model = method.model.eval()
    z = model.own_prior(50, rng=rng(8))
    dark, bright = (model.decode(z, torch.eye(2)[[k]].expand(50, 2)).mean(dim=(1, 2, 3)) for k in (0, 1))
    assert dark.max() < -0.2 and bright.min() > 0.2
