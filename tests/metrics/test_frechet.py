"""The Frechet distance against closed forms, and its accumulator against the whole (known answer 12)."""

import math

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics.frechet import (
    expected_bias,
    frechet_distance,
    frechet_estimate,
    frechet_infinity,
    nuclear_norm,
)
from latentry.metrics.gaussian import GaussianStatistics


def features(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Correlated vectors away from the origin."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def distance(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(GaussianStatistics.of(x), GaussianStatistics.of(y))


def by_roots(x: np.ndarray, y: np.ndarray) -> float:
    """The formula as it is written, with the symmetric root of S1^(1/2) S2 S1^(1/2)."""

    def root(s: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(s)
        return vectors * np.sqrt(values.clip(0)) @ vectors.T

    s1, s2 = np.cov(x.T), np.cov(y.T)
    cross = root(root(s1) @ s2 @ root(s1))
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * cross))


@pytest.mark.parametrize(("n", "d"), [(400, 16), (12, 40)])
def test_identity_shift_and_scale(n: int, d: int) -> None:
    """Also with fewer samples than dimensions, where the covariance is singular."""
    x, a = features(n, d), np.linspace(-1, 2, d)
    size = np.trace(np.cov(x.T)) + (x.mean(0) ** 2).sum()
    assert distance(x, x) == pytest.approx(0, abs=1e-12 * size)
    assert distance(x, x + a) == pytest.approx((a**2).sum(), rel=1e-10)
    assert distance(x, 3 * x) == pytest.approx(4 * size, rel=1e-10)  # (c - 1)^2 (tr S + |mu|^2)


def test_diagonal_gaussians_are_known_exactly() -> None:
    """Sum of (m1 - m2)^2 + (s1 - s2)^2, with a direction in which one of the two has no spread at all."""
    real = GaussianStatistics.known(np.zeros(3), np.diag([1.0, 4.0, 9.0]))
    fake = GaussianStatistics.known(np.array([1.0, 0, 0]), np.diag([4.0, 4.0, 0.0]))
    assert frechet_distance(real, fake) == pytest.approx(1 + 1 + 0 + 9, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 8), (9, 14, 30), (9, 200, 30)])
def test_agrees_with_the_formula_as_written(n: int, m: int, d: int) -> None:
    """Full rank, low rank on both sides, and one of each; rows instead of covariances change nothing."""
    x, y = features(n, d), features(m, d, seed=1)
    assert distance(x, y) == pytest.approx(by_roots(x, y), rel=1e-6)
    full = [GaussianStatistics.known(z.mean(0), np.cov(z.T), len(z)) for z in (x, y)]
    assert distance(x, y) == pytest.approx(frechet_distance(*full), rel=1e-9)
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(500, 7), (20, 30), (45, 30)])
def test_streaming_and_merging_are_the_whole(n: int, d: int) -> None:
    """Across the size at which rows give way to a covariance; a mean of a million loses no digits that matter."""
    x = features(n, d) + 1e6
    whole, streamed, merged = GaussianStatistics.of(x), GaussianStatistics(), GaussianStatistics.of(x[:11])
    for start in range(0, n, 13):
        streamed.update(torch.from_numpy(x[start : start + 13]))
    merged.merge(GaussianStatistics.of(x[11:]))
    merged.merge(GaussianStatistics())
    for statistics in (whole, streamed, merged):
        assert statistics.n == n
        np.testing.assert_allclose(statistics.mean, x.mean(0), rtol=1e-13)
        np.testing.assert_allclose(statistics.covariance, np.cov(x.T), rtol=1e-6, atol=1e-7)


def test_files_are_those_of_pytorch_fid(tmp_path) -> None:
    x = features(50, 6)
    np.savez(tmp_path / "theirs.npz", mu=x.mean(0), sigma=np.cov(x, rowvar=False))
    ours = GaussianStatistics.of(x)
    ours.save(tmp_path / "ours.npz")
    theirs = GaussianStatistics.load(tmp_path / "theirs.npz")
    again = GaussianStatistics.load(tmp_path / "ours.npz")
    assert (theirs.n, again.n) == (None, 50)
    assert frechet_distance(theirs, ours) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(again, ours) == pytest.approx(0, abs=1e-12)
    assert math.isnan(frechet_estimate(theirs, ours).error)  # no counts, no interval
    with np.load(tmp_path / "ours.npz") as stored:
        np.testing.assert_allclose(stored["sigma"], np.cov(x, rowvar=False), rtol=1e-12)
    with pytest.raises(InputError, match="without their count"):
        theirs.merge(ours)
    (tmp_path / "other.npz").write_bytes(b"no archive")
    for path in ("other.npz", "absent.npz"):
        with pytest.raises(InputError, match=path):
            GaussianStatistics.load(tmp_path / path)


def test_bias_of_few_samples_is_what_theory_says() -> None:
    """2 d / N + (d^2 + d) / (2 (N - 1)) = .0840 for d = 16, N = 2000 a side; and for an uneven spectrum."""
    unit = GaussianStatistics.known(np.zeros(16), np.eye(16))
    assert expected_bias(unit, 2000, 2000) == pytest.approx(0.0840, abs=1e-4)
    rng = np.random.default_rng(0)
    for scales in (np.ones(16), np.linspace(0.1, 2, 16)):
        spread = GaussianStatistics.known(np.zeros(16), np.diag(scales**2))
        scores = [distance(*(scales * rng.normal(size=(2, 2000, 16)))) for _ in range(60)]
        error = float(np.std(scores, ddof=1)) / math.sqrt(len(scores))
        assert np.mean(scores) == pytest.approx(expected_bias(spread, 2000, 2000), abs=3 * error)


def test_infinity_is_nought_where_the_truth_is_known_and_half_the_bias_where_it_is_not() -> None:
    """Only the generated side is extrapolated; over 20 draws the claimed error is the spread, or more."""
    rng, source = np.random.default_rng(1), torch.Generator().manual_seed(0)
    truth = GaussianStatistics.known(np.zeros(16), np.eye(16))
    found = [frechet_infinity(truth, rng.normal(size=(2000, 16)), rng=source) for _ in range(20)]
    assert sum(abs(each.value) <= 2 * each.error for each in found) >= 17  # 95 % of 20
    spread = float(np.std([each.value for each in found], ddof=1))
    assert abs(np.mean([each.value for each in found])) < 3 * spread / math.sqrt(20) + 0.001
    assert spread < 1.3 * np.mean([each.error for each in found]) < 4 * spread
    sample = [
        frechet_infinity(GaussianStatistics.of(rng.normal(size=(2000, 16))), rng.normal(size=(2000, 16)), rng=source)
        for _ in range(20)
    ]
    assert np.mean([each.value for each in sample]) == pytest.approx(0.042, abs=0.006)
    assert "leave a bias of about 0.04" in sample[0].said[0]


def test_the_intervals_hold_between_different_gaussians() -> None:
    """28 of 30 are expected to; far fewer would mean that the error is too small, and it is held to the spread too."""
    rng, source = np.random.default_rng(2), torch.Generator().manual_seed(0)
    scales, shift = np.linspace(0.5, 1.5, 6), np.full(6, 0.2)
    true = float((shift**2).sum() + ((1 - scales) ** 2).sum())
    truth = GaussianStatistics.known(np.zeros(6), np.eye(6))
    plain, infinite = [], []
    for _ in range(30):
        x, y = rng.normal(size=(1500, 6)), rng.normal(size=(1500, 6)) * scales + shift
        plain.append(frechet_estimate(GaussianStatistics.of(x), GaussianStatistics.of(y)))
        infinite.append(frechet_infinity(truth, y, rng=source))
    assert sum(each.low <= true <= each.high for each in infinite) >= 26
    for found in (plain, infinite):
        spread = np.std([each.value for each in found], ddof=1)
        assert 0.7 < np.mean([each.error for each in found]) / spread < 1.6


def test_says_when_samples_are_fewer_than_dimensions() -> None:
    x, y = features(20, 40), features(30, 40, seed=1)
    said = frechet_estimate(GaussianStatistics.of(x), GaussianStatistics.of(y)).said
    assert "20 samples are fewer than make a covariance of 40 dimensions (41)" in said[0]
    enough = [GaussianStatistics.of(features(50, 40, seed)) for seed in (0, 1)]
    assert len(frechet_estimate(*enough).said) == 1  # only what perfect samples would score


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (features(20, 4), features(20, 5), "4 dimensions and generated ones 5"),
        (features(20, 4), features(1, 4), "one vector"),
        (np.full((3, 2), np.nan), features(5, 2), "3 of 3 features are not finite"),
        (np.zeros(3), features(5, 2), "shape"),
    ],
)
def test_refuses_what_has_no_distance(real: np.ndarray, fake: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        distance(real, fake)


@pytest.mark.parametrize("smallest", [1e-3, 1e-9, 0.0])
def test_a_nuclear_norm_is_right_to_the_smallest_singular_value(smallest: float) -> None:
    """Squares lose what lies below 1e-8 of the largest value: of a hundred such values the sum must still be right."""
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(120, 120, generator=rng, dtype=torch.float64))[0] for _ in range(2))
    values = torch.cat([torch.linspace(0.5, 1.0, 20), torch.full((100,), smallest)]).double()
    matrix = (left * values) @ right.T
    assert float(nuclear_norm(matrix)) == pytest.approx(float(values.sum()), rel=1e-13)
    assert float(nuclear_norm(matrix[:, :60])) == pytest.approx(
        float(torch.linalg.svdvals(matrix[:, :60]).sum()), rel=1e-9
    )
