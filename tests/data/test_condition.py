"""From labels to condition vectors: by hand, and every refusal."""

import numpy as np
import pytest

from latentry.data.condition import condition_spec, condition_vectors
from latentry.data.labels import AttributeLabels, ClassLabels, ContinuousLabels, Labels
from latentry.errors import InputError
from latentry.settings.condition import ConditionSettings
from latentry.settings.specs import ConditionSpec

CLASSES = Labels(classes=ClassLabels(np.array([2, 0, 2, 0, 2]), ("cat", "dog", "hen")))
ATTRIBUTES = Labels(
    attributes=AttributeLabels(np.array([[1, 0, 1], [0, 0, 1], [1, 1, 1]], np.uint8), ("hat", "smiling", "alive"))
)
NUMBERS = Labels(
    numbers=ContinuousLabels(np.array([[1, 10], [2, 10], [3, 40], [6, 40]], np.float32), ("age", "weight"))
)


def spec_of(labels: Labels | None, kind: str, *on: str) -> ConditionSpec:
    settings = ConditionSettings(condition=kind, condition_on=on)  # type: ignore[arg-type]
    spec = condition_spec(labels, settings, "mine")
    assert spec is not None
    return spec


def test_classes_are_one_hot_over_those_that_occur() -> None:
    """No picture is a dog: the model is not told of dogs."""
    spec = spec_of(CLASSES, "class")
    assert (spec.kind, spec.names) == ("class", ("cat", "hen"))
    assert condition_vectors(CLASSES, spec).tolist() == [[0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]


def test_attributes_are_plus_and_minus_one_in_the_order_asked_for() -> None:
    spec = spec_of(ATTRIBUTES, "attributes", "smiling", "hat")
    assert condition_vectors(ATTRIBUTES, spec).tolist() == [[-1, 1], [-1, -1], [1, 1]]


def test_numbers_are_in_units_of_their_spread() -> None:
    """Weights 10, 10, 40, 40: mean 25, standard deviation 15. Ages 1, 2, 3, 6: mean 3, deviation sqrt(3.5)."""
    spec = spec_of(NUMBERS, "numbers")
    assert spec.centre == pytest.approx((3, 25)) and spec.spread == pytest.approx((3.5**0.5, 15))
    vectors = condition_vectors(NUMBERS, spec)
    assert vectors[:, 1].tolist() == [-1, -1, 1, 1]
    np.testing.assert_allclose(vectors[:, 0], np.array([-2, -1, 0, 3]) / 3.5**0.5, rtol=1e-6)


def test_other_pictures_are_told_in_the_units_of_the_training_data() -> None:
    """Classes are matched by name, whatever numbers they have; numbers keep the first set's centre and spread."""
    others = Labels(classes=ClassLabels(np.array([0, 1]), ("hen", "cat")))
    assert condition_vectors(others, spec_of(CLASSES, "class")).tolist() == [[0, 1], [1, 0]]
    shifted = Labels(numbers=ContinuousLabels(np.array([[55.0, 0]], np.float32), ("weight", "height")))
    assert condition_vectors(shifted, spec_of(NUMBERS, "numbers", "weight")).tolist() == [[2.0]]


def test_nothing_is_told_unless_asked_for() -> None:
    assert condition_spec(CLASSES, ConditionSettings(), "mine") is None
    assert condition_spec(None, ConditionSettings(), "mine") is None


@pytest.mark.parametrize(
    ("labels", "kind", "on", "words"),
    [
        (None, "class", (), ["condition=class", "mine has no labels", "condition=none"]),
        (CLASSES, "attributes", (), ["yes/no columns", "mine has classes;", "use condition=class or condition=none"]),
        (ATTRIBUTES, "numbers", (), ["number columns", "mine has attributes"]),
        (ATTRIBUTES, "attributes", ("smilling",), ["'smilling'", "did you mean smiling"]),
        (NUMBERS, "numbers", ("wieght",), ["'wieght'", "did you mean weight"]),
        (ATTRIBUTES, "attributes", (), ["alive is the same for every picture", "condition-on"]),
        (CLASSES.take(np.array([0, 2, 4])), "class", (), ["at least two classes", "only 'hen'"]),
        (CLASSES.take(np.array([0, 1, 2])), "class", (), ["'cat' of mine has a single picture", "0 others"]),
    ],
)
def test_labels_that_cannot_be_told_are_refused(
    labels: Labels | None, kind: str, on: tuple[str, ...], words: list[str]
) -> None:
    with pytest.raises(InputError) as refusal:
        spec_of(labels, kind, *on)
    assert all(word in str(refusal.value) for word in words) and "\n" not in str(refusal.value), refusal.value


def test_pictures_without_what_the_model_is_told_are_refused() -> None:
    with pytest.raises(InputError, match=r"no class labels for cat, hen"):
        condition_vectors(None, spec_of(CLASSES, "class"))
    with pytest.raises(InputError, match=r"unknown class of this model 'dog'"):
        condition_vectors(Labels(classes=ClassLabels(np.array([1]), ("cat", "dog"))), spec_of(CLASSES, "class"))
    only_hats = Labels(attributes=AttributeLabels(np.array([[1]], np.uint8), ("hat",)))
    with pytest.raises(InputError, match=r"no attributes labels for smiling"):
        condition_vectors(only_hats, spec_of(ATTRIBUTES, "attributes", "hat", "smiling"))


def test_names_need_a_kind_that_has_them_and_may_not_repeat() -> None:
    with pytest.raises(InputError, match=r"condition-on \(hat\).*not class"):
        ConditionSettings(condition="class", condition_on=("hat",))
    with pytest.raises(InputError, match=r"names something twice"):
        ConditionSettings(condition="attributes", condition_on=("hat", "hat"))
