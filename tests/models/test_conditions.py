"""What is asked for becomes the vector that the network is told, in the data's own names and units."""

from collections import Counter

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.models.build import build_model, initialise_model
from latentry.models.conditions import tell
from latentry.models.contract import Batch
from latentry.models.wish import Wish
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec, ImageSpec

CLASSES = ConditionSpec("class", ("red", "green", "blue"))
ATTRIBUTES = ConditionSpec("attributes", ("hat", "smiling", "glasses"))
NUMBERS = ConditionSpec("numbers", ("age", "tilt"), centre=(40.0, -0.1), spread=(12.0, 0.2))


def told(spec: ConditionSpec, wish: Wish, drawn: list[float]) -> list[float]:
    """The vector for a wish, where the data would have given `drawn`."""
    [row] = wish.apply(np.array([drawn], np.float32), spec).tolist()
    return list(row)


def test_a_class_replaces_the_whole_vector() -> None:
    assert told(CLASSES, Wish("green"), [0, 0, 1]) == [0, 1, 0]


def test_attributes_are_plus_and_minus_one_and_the_rest_stays_as_drawn() -> None:
    assert told(ATTRIBUTES, Wish(attributes={"glasses": 0, "hat": 1}), [-1, 1, 1]) == [1, 1, -1]
    assert told(ATTRIBUTES, Wish(attributes={"smiling": 0.75}), [-1, 1, 1]) == [-1, 0.5, 1]


def test_numbers_are_told_in_their_own_units() -> None:
    """Age 64 is (64 - 40) / 12 = 2 spreads above the mean, tilt -0.4 is (-0.4 + 0.1) / 0.2 = 1.5 below."""
    assert told(NUMBERS, Wish(numbers={"age": 64}), [0.3, 0.7]) == pytest.approx([2, 0.7])
    assert told(NUMBERS, Wish(numbers={"tilt": -0.4}), [0.3, 0.7]) == pytest.approx([0.3, -1.5])


def test_a_wish_does_not_change_what_was_drawn() -> None:
    drawn = np.array([[0, 0, 1], [1, 0, 0]], np.float32)
    assert Wish("green").apply(drawn, CLASSES).tolist() == [[0, 1, 0], [0, 1, 0]]
    assert np.array_equal(Wish().apply(drawn, CLASSES), drawn)
    assert drawn.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("spec", "wish", "words"),
    [
        (CLASSES, Wish("gren"), ["class", "'gren'", "did you mean green"]),
        (ATTRIBUTES, Wish(attributes={"smilling": 1}), ["attribute", "'smilling'", "did you mean smiling"]),
        (NUMBERS, Wish(numbers={"tlit": 1}), ["number", "'tlit'", "did you mean tilt"]),
        (CLASSES, Wish(attributes={"red": 1}), ["attributes", "class: red, green, blue"]),
        (ATTRIBUTES, Wish("hat"), ["class was asked for", "attributes: hat, smiling, glasses"]),
        (NUMBERS, Wish(attributes={"age": 1}), ["attributes was asked for", "numbers: age, tilt"]),
        (ATTRIBUTES, Wish(attributes={"hat": 1}, numbers={"age": 3}), ["numbers was asked for"]),
        (None, Wish("red"), ["class", "nothing"]),
        (ATTRIBUTES, Wish(attributes={"hat": 2}), ["hat (=2)", "from 0 (no) to 1 (yes)"]),
        (ATTRIBUTES, Wish(attributes={"hat": float("nan")}), ["hat (=nan)", "from 0 (no) to 1 (yes)"]),
        (NUMBERS, Wish(numbers={"age": float("inf")}), ["age (=inf)", "finite"]),
        (ConditionSpec("class", tuple("abcdefghijk")), Wish(numbers={"x": 1}), ["a, b, c, d, e, f, g, h and 3 more"]),
    ],
)
def test_what_a_model_does_not_know_is_refused_in_one_line(
    spec: ConditionSpec | None, wish: Wish, words: list[str]
) -> None:
    with pytest.raises(InputError) as refusal:
        wish.against(spec)
    assert all(word in str(refusal.value) for word in words) and "\n" not in str(refusal.value), refusal.value


def test_what_is_not_said_of_pictures_stays_unknown() -> None:
    told = Wish(attributes={"hat": 1}).told(2, ATTRIBUTES)
    assert told is not None and told.dtype == np.float32 and told.tolist() == [[1, 0, 0], [1, 0, 0]]
    told = Wish(numbers={"age": 64}).told(1, NUMBERS)
    assert told is not None and told.tolist() == [[2, 0]]
    assert Wish().told(3, None) is None
    with pytest.raises(InputError, match=r"told the class, .* say which they show \(--class\): red, green, blue"):
        Wish().told(1, CLASSES)


def test_no_wish_is_no_wish() -> None:
    assert not Wish() and not Wish(attributes={}) and Wish().against(None) == ([], [])
    assert Wish("") and Wish(numbers={"age": 0})  # a class with an empty name, and the number 0, are asked for


def test_conditions_are_drawn_as_often_as_the_data_have_them() -> None:
    """Two of ten pictures are red: within 4 standard errors of the examples kept, and of those drawn from them."""
    config = Config("x", GANSettings(latent=2), network=NetworkSettings(backbone="mlp", hidden=(4,)))
    model = build_model(config, ImageSpec(1, 2, 2), CLASSES)
    given = torch.eye(3)[[0, 0, 1, 1, 1, 1, 1, 2, 2, 2]]
    initialise_model(model, Batch(torch.zeros(10, 1, 2, 2), given), torch.Generator().manual_seed(0))
    assert model.conditions is not None
    shares = model.conditions.examples.mean(dim=0)
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.5, 0.3]), atol=4 * (0.25 / 1000) ** 0.5, rtol=0)
    drawn = model.conditions.draw(4000, rng=torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(dim=0), shares, atol=4 * (0.25 / 4000) ** 0.5, rtol=0)
    assert Counter(drawn.sum(dim=1).tolist()) == {1.0: 4000}


def test_a_network_is_given_the_condition_only_where_there_is_one() -> None:
    x, condition = torch.ones(1, 2), torch.full((1, 2), 3.0)
    assert tell(torch.nn.Identity(), x, None).tolist() == [[1, 1]]
    assert tell(Sum(), x, condition).tolist() == [[4, 4]]


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return x + condition
