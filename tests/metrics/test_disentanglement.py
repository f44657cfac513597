"""Disentanglement scores of codes whose scores are known: perfect, mixed, split, blind."""

import math

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics.disentanglement import dci, factor_vae_score, mutual_information_gap, sap


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def grid(*sizes: int, repeats: int = 1) -> np.ndarray:
    """Every combination of factors with so many values each."""
    return np.tile(
        np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(sizes)), (repeats, 1)
    )


def test_ceiling_of_dsprites_with_twenty_bins() -> None:
    """Shape 3, scale 6, orientation 40, place 32 x 32: (1 + 1 + ln 20 / ln 40 + 2 ln 20 / ln 32) / 5 = .908."""
    source = np.random.default_rng(0)
    n = 960 * 32
    factors = np.stack([source.permutation(np.arange(n) % size) for size in (3, 6, 40, 32, 32)], axis=1)
    found = mutual_information_gap(factors.astype(float), factors, bins=20)
    assert found.ceiling == pytest.approx(0.908, abs=5e-4)
    assert found.value <= found.ceiling
    assert found.gaps[:2] == pytest.approx(1, abs=0.01)
    assert "20 bins of equal width" in found.estimator
    assert "ceiling 0.908" in found.estimator


def test_a_code_that_is_the_factors_has_every_score() -> None:
    factors = grid(3, 4, 5, repeats=5)
    codes = np.concatenate([2.0 * factors - 1, np.zeros((len(factors), 1))], axis=1)  # and one collapsed dimension
    found = mutual_information_gap(codes, factors)
    assert found.value == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(np.diag(found.information), np.log([3, 4, 5]), rtol=1e-12)
    assert factor_vae_score(codes, factors, rng=rng(), n_votes=500, n_asked=300) == 1.0
    # One dimension tells the order exactly, the next best nothing; thresholds likewise, and .5 by guessing.
    assert sap(codes, factors, ordered=[True] * 3) == pytest.approx(1, abs=1e-12)
    assert sap(codes, factors, ordered=[False] * 3) == pytest.approx(0.5, abs=1e-12)
    three = dci(codes, factors, seed=0)
    assert three.disentanglement == pytest.approx(1, abs=0.01)
    assert three.completeness == pytest.approx(1, abs=0.01)
    assert three.informativeness == pytest.approx(1, abs=0.01)
    assert three.chance == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3, abs=0.05)


def test_a_factor_in_two_dimensions_is_disentangled_and_not_complete() -> None:
    """A copy takes the gap of its factor to 0, and half of its completeness: ln 2 of ln 3."""
    factors = grid(4, 4, repeats=40)
    codes = np.concatenate([factors, factors[:, :1]], axis=1).astype(float)
    found = mutual_information_gap(codes, factors)
    np.testing.assert_allclose(found.gaps, [0, 1], atol=1e-12)
    assert sap(codes, factors, ordered=[True, True]) == pytest.approx(0.5, abs=1e-12)
    three = dci(codes, factors, seed=0)
    assert three.disentanglement == pytest.approx(1, abs=0.02)
    assert three.completeness == pytest.approx((1 + 1 - math.log(2) / math.log(3)) / 2, abs=0.05)


def test_a_rotated_code_is_informative_and_not_disentangled() -> None:
    """45 degrees: both dimensions tell as much of both factors, so every gap is small and reading still works."""
    factors = grid(8, 8, repeats=20)
    codes = (factors - 3.5) @ np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    assert mutual_information_gap(codes, factors).value < 0.05
    assert sap(codes, factors, ordered=[True, True]) < 0.01
    three = dci(codes, factors, seed=0)
    assert three.disentanglement < 0.1
    assert three.completeness < 0.1
    assert three.informativeness > 0.95


def test_a_blind_code_has_no_score() -> None:
    factors = grid(4, 4, repeats=60)
    codes = np.random.default_rng(0).normal(size=(len(factors), 3))
    found = mutual_information_gap(codes, factors)
    assert found.value < 0.03
    bias = 19 * 3 / (2 * len(factors))  # of the information itself, at most: outer bins are nearly empty
    assert 0 < found.information.mean() < 1.2 * bias
    assert factor_vae_score(codes, factors, rng=rng(), n_votes=1000, n_asked=1000) == pytest.approx(0.5, abs=0.08)
    assert sap(codes, factors, ordered=[True, False]) < 0.05
    assert dci(codes, factors, seed=0).informativeness == pytest.approx(0.25, abs=0.08)


def test_collapsed_dimensions_take_no_part_in_votes() -> None:
    """Unscaled, the smallest dimension would always win the vote."""
    factors = grid(4, 4, repeats=20)
    noise = np.random.default_rng(0).normal(size=(len(factors), 1)) * 1e-3
    codes = np.concatenate([noise, factors], axis=1)
    assert factor_vae_score(codes, factors, rng=rng(), n_votes=300, n_asked=200) == 1.0
    assert factor_vae_score(noise, factors, rng=rng()) == 0.0


def test_information_by_hand() -> None:
    """Code 0, 0, 1, 1 against factor 0, 1, 1, 1: H = ln 2 + (.75 ln 4/3 + .25 ln 4) - 1.5 ln 2."""
    found = mutual_information_gap(np.array([[0.0, 0], [0, 0], [1, 0], [1, 0]]), np.array([[5], [7], [7], [7]]), bins=2)
    entropy = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert found.information[0, 0] == pytest.approx(math.log(2) + entropy - 1.5 * math.log(2))
    assert found.value == pytest.approx((entropy - 0.5 * math.log(2)) / entropy)


def test_thresholds_by_hand() -> None:
    """The middle value needs two thresholds: true positives 2 of 2, false ones 1 of 4 between; the others one."""
    code = np.array([[0.0], [1], [2], [3], [4], [5]])
    factor = np.array([[0], [0], [1], [0], [1], [2]])
    # 0: codes to 1: 2/3 - 0; or to 3: 1 - 1/3. 1: codes 2 to 4: 1 - 1/4. 2: code 5: 1.
    expected = np.mean([0.5 + 1 / 3, 0.5 + 3 / 8, 1.0])
    flat = np.zeros_like(code)
    assert sap(np.concatenate([code, flat], axis=1), factor, ordered=[False]) == pytest.approx(expected)


def test_the_same_seed_gives_the_same_score() -> None:
    factors = grid(4, 4, repeats=10)
    codes = factors + np.random.default_rng(0).normal(size=factors.shape)
    assert dci(codes, factors, seed=1).disentanglement == dci(codes, factors, seed=1).disentanglement
    scores = {factor_vae_score(codes, factors, rng=rng(), n_votes=50, n_asked=50) for _ in range(3)}
    assert len(scores) == 1


def test_refuses_what_has_no_score() -> None:
    codes = np.zeros((4, 2))
    for factors, message in (
        (np.array([[0, 1], [1, 1], [0, 1], [1, 1]]), "factor 1 .* has one value"),
        (np.zeros((4, 1)), "whole numbers"),
        (np.zeros((3, 1), int), "for 4 codes"),
    ):
        with pytest.raises(InputError, match=message):
            mutual_information_gap(codes, factors)
    with pytest.raises(InputError, match="a gap between two"):
        mutual_information_gap(codes[:, :1], np.arange(4)[:, None])
    with pytest.raises(InputError, match="ordered names 1 factors and there are 2"):
        sap(codes, grid(2, 2), ordered=[True])
