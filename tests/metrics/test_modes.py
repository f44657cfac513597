"""Mode metrics against their closed forms."""

import math

import numpy as np
import pytest
import torch

from latentry.data.points import WORLDS
from latentry.errors import InputError
from latentry.metrics.modes import (
    PERFECT_HIGH_QUALITY,
    perfect_class_score,
    perfect_mode_score,
    reverse_kl_to_uniform,
    score_classes,
    score_modes,
)

RING, GRID = WORLDS["ring"], WORLDS["grid"]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("found", "kl"), [(8, 0.0), (4, 0.693147), (2, 1.386294), (1, 2.079442)])
def test_m_of_n_modes_evenly_is_the_log_of_their_ratio(found: int, kl: float) -> None:
    score = score_modes(np.tile(RING.centres[:found], (5, 1)), RING.centres, RING.std)
    assert (score.modes, score.n_modes, score.high_quality, score.n_samples) == (found, 8, 1.0, 5 * found)
    assert score.reverse_kl == pytest.approx(kl, abs=1e-6) and score.reverse_kl is not None and score.reverse_kl >= 0


def test_twenty_of_twenty_five() -> None:
    assert score_modes(GRID.centres[:20], GRID.centres, GRID.std).reverse_kl == pytest.approx(math.log(25 / 20))


def test_uneven_coverage_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4, 0 of four: KL = 1/2 ln 2 + 1/4 ln 1 + 1/4 ln 1; the other direction would be infinite."""
    assert reverse_kl_to_uniform(np.array([2, 1, 1, 0])) == pytest.approx(0.5 * math.log(2), abs=1e-15)


def test_high_quality_ends_at_three_standard_deviations() -> None:
    """A Mahalanobis radius, not three in each coordinate: (2.2, 2.2) lies at 3.11."""
    away = np.array([[2.99, 0], [0, -2.99], [3.01, 0], [2.2, 2.2], [2.1, 2.1]]) * GRID.std
    for centre in (GRID.centres[0], GRID.centres[13]):
        score = score_modes(centre + away, GRID.centres, GRID.std)
        assert score.high_quality == pytest.approx(3 / 5) and score.modes == 1
        assert score.reverse_kl == pytest.approx(math.log(25))


def test_points_between_modes_count_for_none() -> None:
    near = GRID.centres[[0, 0, 1]]
    between = np.full((7, 2), 1.0)
    score = score_modes(np.concatenate([near, between]), GRID.centres, GRID.std)
    assert (score.modes, score.high_quality) == (2, 0.3)
    assert score.reverse_kl == score_modes(near, GRID.centres, GRID.std).reverse_kl
    lost = score_modes(between, GRID.centres, GRID.std)
    assert (lost.modes, lost.high_quality, lost.reverse_kl) == (0, 0.0, None)


def test_points_that_are_not_finite_are_of_no_mode() -> None:
    bad = np.array([[np.nan, 1], [np.inf, 0], [-np.inf, np.inf], [1, 0]])
    score = score_modes(bad, RING.centres, RING.std)
    assert (score.modes, score.high_quality) == (1, 0.25)


def test_duplicated_points_and_their_order_and_type_change_nothing() -> None:
    points = GRID.draw(500)[0].reshape(-1, 2)
    once = score_modes(points, GRID.centres, GRID.std)
    twice = score_modes(torch.from_numpy(np.concatenate([points, points[::-1]])), GRID.centres, GRID.std)
    assert (once.modes, once.high_quality) == (twice.modes, twice.high_quality)
    assert once.reverse_kl == pytest.approx(twice.reverse_kl, abs=1e-14)


@pytest.mark.parametrize("world", [RING, GRID])
def test_the_worlds_own_points_score_as_a_perfect_sampler(world) -> None:
    """98.89 % within three standard deviations, and a KL of about (m - 1) / 2n."""
    assert pytest.approx(0.98889, abs=5e-6) == PERFECT_HIGH_QUALITY
    m, n = len(world.centres), 2500
    perfect = perfect_mode_score(n, world.centres, world.std, rng=rng())
    assert perfect.modes == m and perfect.high_quality == PERFECT_HIGH_QUALITY
    std = math.sqrt(PERFECT_HIGH_QUALITY * (1 - PERFECT_HIGH_QUALITY) / n)  # binomial: 0.21 %
    assert perfect.high_quality_std == pytest.approx(std, rel=0.3)
    assert perfect.high_quality_simulated == pytest.approx(PERFECT_HIGH_QUALITY, abs=4 * std / 10)
    floor = (m - 1) / (2 * n * PERFECT_HIGH_QUALITY)
    assert perfect.reverse_kl == pytest.approx(floor, abs=4 * perfect.reverse_kl_std / 10)
    score = score_modes(world.draw(n)[0].reshape(-1, 2), world.centres, world.std)
    assert score.modes == m and score.high_quality == pytest.approx(PERFECT_HIGH_QUALITY, abs=4 * std)
    assert score.reverse_kl == pytest.approx(perfect.reverse_kl, abs=4 * perfect.reverse_kl_std)


def test_the_floor_of_stacked_mnist() -> None:
    """999 / 52000 = 0.0192 and K^2 / 12 N^2 = 0.0001 for 26,000 perfect samples of 1,000 classes; sd 0.0009."""
    perfect = perfect_class_score(26_000, 1000, rng=rng())
    assert perfect.reverse_kl == pytest.approx(0.0192 + 0.0001, abs=4 * 0.00009)
    assert perfect.reverse_kl_std == pytest.approx(0.00086, rel=0.3)
    assert (perfect.modes, perfect.high_quality, perfect.high_quality_simulated) == (1000, None, None)


def test_the_floor_lies_higher_where_the_classes_are_not_equally_likely() -> None:
    """By the KL of the data themselves: shares 1/2, 1/4, 1/4 of three."""
    shares = np.array([2.0, 1, 1])
    own = math.log(3) - 1.5 * math.log(2)
    perfect = perfect_class_score(10_000, 3, rng=rng(), shares=shares)
    assert perfect.reverse_kl == pytest.approx(own + 2 / 20_000, abs=4 * perfect.reverse_kl_std / 10)
    certain = perfect_class_score(100, 3, rng=rng(), shares=np.array([0.0, 1, 0]))
    assert certain.modes == 1 and certain.reverse_kl == pytest.approx(math.log(3))
    assert certain.reverse_kl_std < 1e-12


def test_classes_are_counted() -> None:
    score = score_classes(torch.tensor([0, 0, 5, 5, 9, 9]), 10)
    assert (score.modes, score.n_modes, score.high_quality, score.n_samples) == (3, 10, None, 6)
    assert score.reverse_kl == pytest.approx(math.log(10 / 3))
    assert score_classes(np.arange(1000, dtype=np.uint16), 1000).reverse_kl == pytest.approx(0, abs=1e-12)


def test_a_seed_decides_the_simulation() -> None:
    one, two = (perfect_mode_score(50, RING.centres, RING.std, rng=rng(), n_simulations=3) for _ in range(2))
    assert one == two != perfect_mode_score(50, RING.centres, RING.std, rng=rng().manual_seed(1), n_simulations=3)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((3, 3)), np.zeros((3, 2, 1, 1))])
def test_other_shapes_are_refused(points: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"points have the shape .* as \[n, 2\]"):
        score_modes(points, RING.centres, RING.std)


def test_labels_that_are_no_classes_are_refused() -> None:
    with pytest.raises(InputError, match="labels go from 0 to 10; classes are 0 to 9"):
        score_classes(np.array([0, 10]), 10)
    with pytest.raises(InputError, match="at least one whole number"):
        score_classes(np.array([0.5]), 10)
    with pytest.raises(InputError, match="shares are of 2 classes"):
        perfect_class_score(10, 3, rng=rng(), shares=np.ones(2))
    with pytest.raises(InputError, match="std"):
        score_modes(RING.centres, RING.centres, 0.0)
