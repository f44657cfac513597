"""Obedience of pictures whose obedience is known: the real ones, and the real ones asked for at random."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from latentry.data import ImageSet, condition_vectors, open_images
from latentry.data.digits import NAMES, digits
from latentry.errors import InputError
from latentry.metrics.obedience import Obedience, judge, obedience
from latentry.metrics.probe import Probe, ProbeFacts, _split, agreement, train_probe
from latentry.settings.specs import ConditionKind, ConditionSpec

CLASSES = ConditionSpec("class", NAMES)


@pytest.fixture(scope="module")
def probe() -> Probe:
    pictures, labels = digits()
    return train_probe(pictures, condition_vectors(labels, CLASSES), "class", NAMES, epochs=4, seed=0)


@pytest.fixture(scope="module")
def told() -> np.ndarray:
    return condition_vectors(digits()[1], CLASSES)


class Sees(Probe):
    """A probe that sees what it is given."""

    def __init__(self, kind: ConditionKind, names: tuple[str, ...], sees: np.ndarray) -> None:
        accuracy = (0.9,) * len(names)
        self.facts = ProbeFacts(kind, names, (1, 1, 1), accuracy, 0.9, 10, 1, 1, 0)
        self.sees = sees

    def predict(self, images: np.ndarray) -> np.ndarray:
        return self.sees


def seen(kind: ConditionKind, sees: np.ndarray, asked: np.ndarray) -> Obedience:
    names = tuple("abcdefgh"[: asked.shape[1]])
    return obedience(Sees(kind, names, sees), np.zeros((len(asked), 1, 1, 1), np.uint8), asked)


def test_real_pictures_obey_as_often_as_the_probe_is_right(probe: Probe, told: np.ndarray) -> None:
    """On the held-out ones that is the ceiling itself."""
    pictures = digits()[0]
    _, held_out = _split(pictures, 0)
    result = obedience(probe, pictures[held_out], told[held_out])
    assert result.overall == result.ceiling_overall == probe.facts.overall > 0.9
    assert result.ceiling == probe.facts.accuracy and result.share == pytest.approx(result.ceiling)
    assert result.n == len(held_out) == probe.facts.n_held_out
    everything = obedience(probe, pictures, told)
    assert everything.overall == agreement(probe.predict(pictures), told, "class")[1]


def test_pictures_that_were_asked_for_at_random_obey_by_chance(probe: Probe, told: np.ndarray) -> None:
    """Shuffled conditions: 1 in 10, within 3 standard errors."""
    result = obedience(probe, digits()[0], np.random.default_rng(0).permutation(told))
    assert result.overall == pytest.approx(0.1, abs=3 * math.sqrt(0.1 * 0.9 / len(told)))
    for share, error in zip(result.share, result.error, strict=True):
        assert share == pytest.approx(0.1, abs=4 * error)


def test_standard_errors_are_binomial() -> None:
    """30 of 40 asked for as a, 5 of 10 as b: sqrt(p (1 - p) / n), but for Wilson's terms in 1 / n."""
    asked = np.eye(2)[[0] * 4000 + [1] * 1000]
    sees = np.eye(2)[[0] * 3000 + [1] * 1000 + [1] * 500 + [0] * 500]
    result = seen("class", sees, asked)
    assert (result.share, result.overall) == ((0.75, 0.5), 0.7)
    assert result.error == pytest.approx((math.sqrt(0.75 * 0.25 / 4000), math.sqrt(0.25 / 1000)), rel=2e-3)
    attributes = seen("attributes", np.array([[0.9]] * 300 + [[0.1]] * 700), np.ones((1000, 1)))
    assert attributes.error == pytest.approx((math.sqrt(0.3 * 0.7 / 1000),), rel=2e-3)


def test_a_share_of_one_still_has_an_error() -> None:
    """Wilson's at p = 1: sqrt(1 / (4 n^2)) / (1 + 1 / n) = 1 / (2 n + 2)."""
    result = seen("class", np.eye(2)[[0] * 9], np.eye(2)[[0] * 9])
    assert result.share[0] == 1 and result.error[0] == pytest.approx(1 / 20)
    assert math.isnan(result.share[1]) and math.isnan(result.error[1])  # none was asked for


def test_numbers_have_a_share_of_variance_and_no_error() -> None:
    asked = np.array([[2.0], [-2], [2], [-2]])
    result = seen("numbers", asked + np.array([[1.0], [-1], [1], [-1]]), asked)
    assert (result.share, result.overall) == ((0.75,), 0.75) and math.isnan(result.error[0])
    first, only = result.lines()
    assert "mean R^2 of 0.75 over 4 samples" in first and "with 0.90" in first
    assert "a: R^2 0.75" in only and "%" not in first + only  # no share of anything is right


def test_lines_name_what_obeys_least_beside_the_probes_own_accuracy() -> None:
    asked = np.eye(3)[[0] * 4 + [1] * 4]
    result = seen("class", np.eye(3)[[0, 0, 0, 0, 1, 2, 2, 2]], asked)
    first, *rest = result.lines()
    assert "the class asked for in 62.5% of 8 samples" in first and "90.0% of held-out real pictures" in first
    assert [line.split(":")[0].strip() for line in rest] == ["b", "a"]  # c was not asked for
    assert "25.0% +- 20.0%" in rest[0]  # sqrt(3 / 64 + 1 / 64) / (1 + 1 / 4), Wilson's
    record = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert record["share"] == [1, 0.25, None] and record["said"] == result.lines()


class Parrot:
    """A model that answers each wish with a real picture of it, or, if disobedient, of the next class."""

    def __init__(self, images: ImageSet, off: int) -> None:
        self.images, self.off = images, off
        self.network = SimpleNamespace(condition=CLASSES)
        assert images.labels is not None and images.labels.classes is not None
        self.rows = [np.flatnonzero(images.labels.classes.values == k) for k in range(10)]

    def conditions(self, seeds: range) -> np.ndarray:
        return np.eye(10, dtype=np.float32)[np.random.default_rng(0).integers(0, 10, len(seeds))]

    def latents(self, seeds: range, *, conditions: np.ndarray) -> np.ndarray:
        return np.array(seeds)

    def decode(self, z: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        asked = (conditions.argmax(axis=1) + self.off) % 10
        return self.images.images[[self.rows[k][seed % len(self.rows[k])] for k, seed in zip(asked, z, strict=True)]]


def test_judge_tells_a_model_that_obeys_from_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("LATENTRY_CACHE", str(tmp_path_factory.mktemp("cache")))
    images = open_images("digits")
    good, bad = (judge(Parrot(images, off), images, n=300, n_shown=7200) for off in (0, 1))  # type: ignore[arg-type]
    assert good.overall > 0.93 and bad.overall < 0.05
    assert good.n == 300 and good.ceiling == bad.ceiling


def test_a_model_that_is_told_nothing_is_not_judged() -> None:
    model = SimpleNamespace(network=SimpleNamespace(condition=None))
    with pytest.raises(InputError, match="told nothing"):
        judge(model, open_images("digits"))  # type: ignore[arg-type]
