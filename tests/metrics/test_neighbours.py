"""Precision, recall, density and coverage against loops and distribution-free values (known answer 14)."""

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics import estimates
from latentry.metrics.neighbours import authenticity, neighbourhoods, perfect_coverage, realism

MEASURES = ("precision", "recall", "density", "coverage")


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def values(real, fake, k: int = 5, n_draws: int = 0) -> list[float]:
    found = neighbourhoods(real, fake, rng=rng(), k=k, n_draws=n_draws)
    return [getattr(found, name).value for name in MEASURES]


def by_loops(real: np.ndarray, fake: np.ndarray, k: int) -> list[float]:
    """The four as Naeem et al. write them, Eq. 1 to 4."""

    def radius(points: np.ndarray, i: int) -> float:
        return sorted(np.linalg.norm(points - points[i], axis=1))[k]  # the nearest is the point itself

    n, m = len(real), len(fake)
    r, f = [radius(real, i) for i in range(n)], [radius(fake, j) for j in range(m)]
    d = [[np.linalg.norm(a - b) for b in fake] for a in real]
    return [
        sum(any(d[i][j] < r[i] for i in range(n)) for j in range(m)) / m,
        sum(any(d[i][j] < f[j] for j in range(m)) for i in range(n)) / n,
        sum(d[i][j] < r[i] for i in range(n) for j in range(m)) / (k * m),
        sum(any(d[i][j] < r[i] for j in range(m)) for i in range(n)) / n,
    ]


@pytest.mark.parametrize("block", [2**26, 500])
@pytest.mark.parametrize("k", [1, 3])
def test_agrees_with_loops(k: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unequal counts and partial overlap, whole and in blocks; a common offset of a million changes nothing."""
    monkeypatch.setattr(estimates, "_BLOCK_BYTES", block)
    source = np.random.default_rng(0)
    real, fake = source.normal(size=(40, 2)), source.normal(size=(25, 2)) * 0.7 + [2.0, 0]
    expected = by_loops(real, fake, k)
    assert min(expected) > 0
    assert max(expected[0], expected[1], expected[3]) < 1
    assert values(real, fake, k) == pytest.approx(expected, abs=1e-12)
    assert values(real + 1e6, torch.from_numpy(fake + 1e6), k) == pytest.approx(expected, abs=1e-12)


def test_the_same_set_twice_is_one_exactly() -> None:
    """Density would be (k + 1) / k if a vector at the radius itself counted as within."""
    x = np.random.default_rng(0).normal(size=(300, 50)) + 10
    assert values(x, x) == [1.0, 1.0, 1.0, 1.0]


def test_far_apart_is_nought() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    assert values(x, x + 100) == [0.0, 0.0, 0.0, 0.0]


def test_perfect_samples_have_density_one_and_a_known_coverage() -> None:
    """Distribution-free: E[density] = 1, E[coverage] = 1 - prod (N - i) / (N + M - i); .96877 at 10,000 each."""
    assert perfect_coverage(10_000, 10_000, 5) == pytest.approx(0.96877, abs=1e-5)
    source = np.random.default_rng(0)
    for draw in (source.standard_normal, source.standard_cauchy):
        found = np.array([values(draw(size=(200, 3)), draw(size=(100, 3))) for _ in range(40)])
        error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        assert found[:, 2].mean() == pytest.approx(1, abs=3 * error[2])
        assert found[:, 3].mean() == pytest.approx(perfect_coverage(200, 100, 5), abs=3 * error[3])


def test_one_outlier_moves_precision_and_not_density() -> None:
    source = np.random.default_rng(0)
    real, fake = source.normal(size=(200, 2)), source.normal(size=(200, 2)) + np.array([8.0, 0])
    before = values(real, fake)
    after = values(np.concatenate([real, [[12.0, 0.0]]]), fake)
    assert before[0] < 0.02
    assert after[0] > 0.9  # its radius spans everything between
    assert after[2] - before[2] < 1 / 5 + 1e-9  # one radius among k


def test_dropping_two_of_ten_classes_shows_in_recall_and_coverage() -> None:
    source = np.random.default_rng(0)
    centres = source.normal(size=(10, 16)) * 8
    real = np.concatenate([centre + source.normal(size=(60, 16)) for centre in centres])
    whole = np.concatenate([centre + source.normal(size=(60, 16)) for centre in centres])
    dropped = np.concatenate([centre + source.normal(size=(75, 16)) for centre in centres[:8]])
    good, bad = (neighbourhoods(real, fake, rng=rng(), k=5) for fake in (whole, dropped))
    assert bad.precision.value == pytest.approx(good.precision.value, abs=0.05)
    for name in ("recall", "coverage"):
        high, low = getattr(good, name), getattr(bad, name)
        assert low.value == pytest.approx(0.8 * high.value, abs=0.06)
        assert low.high < high.low  # beyond both intervals


def test_the_error_is_the_spread_over_samples() -> None:
    source = np.random.default_rng(0)
    found = [
        neighbourhoods(source.normal(size=(300, 4)), source.normal(size=(300, 4)) * 0.8 + 0.3, rng=rng(), k=5)
        for _ in range(40)
    ]
    for name in MEASURES:
        spread = np.std([getattr(each, name).value for each in found], ddof=1)
        claimed = np.mean([getattr(each, name).error for each in found])
        assert 0.6 < claimed / spread < 1.6, name


def test_realism_by_hand() -> None:
    """Real at 0, 1, 3, 7 on a line: radii (k = 1) 1, 1, 2, 4; the median is 1, so those of 0 and 1 count."""
    found = realism(np.array([[0.0], [1], [3], [7]]), np.array([[1.5], [-4], [7], [1]]), k=1)
    np.testing.assert_allclose(found, [2, 0.25, 1 / 6, np.inf], rtol=1e-9)
    assert realism(np.array([[0.0], [0], [3]]), np.array([[0.0]]), k=1) == np.inf  # a copy of what is there twice


def test_authenticity_by_hand_and_of_copies() -> None:
    """Real at 0, 1, 4: their nearest neighbours are 1, 1 and 3 away."""
    real = np.array([[0.0], [1], [4]])
    assert authenticity(real, np.array([[-0.9], [-1.1], [6.9], [7.1], [4.0]])).value == pytest.approx(2 / 5)
    x = np.random.default_rng(0).normal(size=(100, 20)) + 5
    copies = authenticity(x, x)
    # Wilson's upper end at 0 of 100 is 1.96^2 / (100 + 1.96^2): that all of a hundred are copies proves no share of 0.
    assert (copies.value, copies.low, copies.high) == pytest.approx((0, 0, 3.841459 / 103.841459), abs=1e-6)
    assert authenticity(x, x + 100).value == 1


@pytest.mark.parametrize(("d", "mutual"), [(1, 2 / 3), (2, 0.62150), (3, 16 / 27)])
def test_authenticity_of_perfect_samples_is_the_share_of_neighbours_that_are_not_mutual(d: int, mutual: float) -> None:
    """Mutual nearest neighbours of random points: V / (volume of two unit balls whose centres are 1 apart)."""
    source = np.random.default_rng(0)
    found = authenticity(source.uniform(size=(4000, d)), source.uniform(size=(4000, d)))
    assert found.value == pytest.approx(1 - mutual, abs=3 * found.error + 0.01)  # and the edge of the cube


def test_refuses_k_and_dimensions_that_do_not_fit() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(InputError, match=r"k \(=5\) must be from 1 to 4 for 5 real and 5 generated"):
        neighbourhoods(x, x, rng=rng())
    with pytest.raises(InputError, match="3 dimensions and generated ones 2"):
        neighbourhoods(x, x[:, :2], rng=rng(), k=2)
    assert np.isnan(neighbourhoods(x, x, rng=rng(), k=3).recall.low)  # a half of five has not three neighbours
