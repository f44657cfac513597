"""The inception score against closed forms (known answer 15)."""

import math

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics.inception_score import inception_score


def test_even_and_sure_is_the_number_of_classes() -> None:
    """Also in every split, with as many pictures of each class."""
    found = inception_score(np.tile(np.eye(7), (30, 1)), n_splits=10)
    assert found.whole.value == pytest.approx(7, rel=1e-12)
    assert found.mean == pytest.approx(7, rel=1e-12)
    assert found.spread == pytest.approx(0, abs=1e-12)
    assert found.whole.high == pytest.approx(7)


def test_a_constant_prediction_is_one() -> None:
    found = inception_score(np.tile([0.7, 0.2, 0.1], (50, 1)))
    assert found.whole.value == pytest.approx(1)
    assert found.mean == pytest.approx(1)
    assert inception_score(np.tile([0.0, 1.0], (50, 1))).whole.value == pytest.approx(
        1
    )  # also of one class for certain


def test_by_hand() -> None:
    """Half (3/4, 1/4), half (1/4, 3/4): the marginal is even, the divergence 3/4 ln 3/2 - 1/4 ln 2."""
    found = inception_score(torch.tensor([[0.75, 0.25], [0.25, 0.75]]), n_splits=1)
    assert found.whole.value == pytest.approx(math.exp(0.75 * math.log(1.5) - 0.25 * math.log(2)), rel=1e-7)
    assert math.isnan(found.spread)
    assert found.mean == found.whole.value


def test_one_picture_has_no_interval_and_two_have_the_one_of_their_logarithm() -> None:
    """One used to be given the interval of all that is possible, 1 to K, beside an error of NaN."""
    alone = inception_score(np.array([[0.25, 0.75]]), n_splits=1).whole
    assert alone.value == pytest.approx(1)
    assert math.isnan(alone.error) and math.isnan(alone.low) and math.isnan(alone.high)
    two = inception_score(np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]), n_splits=1).whole
    # Divergences ln 2 and ln 2: no spread, so the interval is the score itself.
    assert (two.low, two.value, two.high) == pytest.approx((2, 2, 2))


def test_duplicates_change_nothing() -> None:
    """The score cannot see that a generator repeats itself."""
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=40)
    assert inception_score(np.tile(p, (3, 1))).whole.value == pytest.approx(inception_score(p).whole.value, rel=1e-12)


def test_few_pictures_score_less_and_by_how_much() -> None:
    """One-hot, ten classes: the marginal's entropy lacks (K - 1) / (2 N) nats, to first order."""
    rng = np.random.default_rng(0)
    scores = [math.log(inception_score(np.eye(10)[rng.integers(10, size=200)], 1).whole.value) for _ in range(300)]
    assert np.mean(scores) == pytest.approx(math.log(10) - 9 / 400, abs=0.002)


def test_the_error_is_the_spread_over_samples() -> None:
    rng = np.random.default_rng(0)
    found = [inception_score(rng.dirichlet(np.full(10, 0.1), size=500)).whole for _ in range(60)]
    spread = np.std([each.value for each in found], ddof=1)
    assert 0.75 < np.mean([each.error for each in found]) / spread < 1.3


def test_refuses_logits_and_too_many_splits() -> None:
    with pytest.raises(InputError, match="not its logits"):
        inception_score(np.random.default_rng(0).normal(size=(20, 5)))
    with pytest.raises(InputError, match=r"n_splits \(=10\) must be from 1 to 4"):
        inception_score(np.full((4, 2), 0.5))
