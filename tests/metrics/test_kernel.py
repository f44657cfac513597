"""The kernel distance against closed forms and loops (known answer 13)."""

import math

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics import estimates
from latentry.metrics.kernel import kernel_distance, kernel_distance_subsets


def by_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Gretton et al. 2012, Eq. 3, as it is written."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


@pytest.mark.parametrize("block", [2**26, 100])
def test_agrees_with_loops(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, and in blocks of one row; unequal counts."""
    monkeypatch.setattr(estimates, "_BLOCK_BYTES", block)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(13, 5)), rng.normal(size=(9, 5)) + 1
    assert kernel_distance(x, torch.from_numpy(y)).value == pytest.approx(by_loops(x, y), rel=1e-12)
    assert kernel_distance(y, x).value == pytest.approx(by_loops(x, y), rel=1e-12)


def test_shift_of_the_mean_and_covariance_in_closed_form() -> None:
    """d = 4, |m|^2 = 4: 3a/d + 3a^2/d^2 + (a^3 + 6a^2 + 3ad + 6a)/d^3 = 9.625; and 3/d^2 |S1 - S2|^2."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6000, 4))
    shifted = kernel_distance(x, rng.normal(size=(6000, 4)) + 1.0)
    assert shifted.value == pytest.approx(9.625, abs=3 * shifted.error)
    assert shifted.error < 0.5
    scales = np.array([1.0, 1.2, 1.5, 2.0])
    wide = kernel_distance(x, rng.normal(size=(6000, 4)) * scales)
    assert wide.value == pytest.approx(3 / 16 * ((scales**2 - 1) ** 2).sum(), abs=3 * wide.error)
    assert wide.error < 0.2


def test_without_bias_and_with_either_sign() -> None:
    """Fifty perfect generators: nought on average, negative about every other time, and an honest error."""
    rng = np.random.default_rng(0)
    found = [kernel_distance(*rng.normal(size=(2, 150, 8))) for _ in range(200)]
    values = np.array([each.value for each in found])
    assert abs(values.mean()) < 3 * values.std(ddof=1) / math.sqrt(len(values))
    assert 0.3 < (values < 0).mean() < 0.8
    assert 0.8 < np.mean([each.error for each in found]) / values.std(ddof=1) < 2
    assert any(each.low < 0 for each in found)  # not cut off at 0


def test_the_error_is_the_spread_over_samples() -> None:
    rng, source = np.random.default_rng(0), torch.Generator().manual_seed(0)
    whole, subsets = [], []
    for _ in range(60):
        x, y = rng.normal(size=(300, 8)), rng.normal(size=(300, 8)) + 0.5
        whole.append(kernel_distance(x, y))
        subsets.append(kernel_distance_subsets(x, y, rng=source, n_subsets=20, size=100)[0])
    for found in (whole, subsets):
        spread = np.std([each.value for each in found], ddof=1)
        assert 0.7 < np.mean([each.error for each in found]) / spread < 1.4
    # Both estimate the same number, and subsets scatter about the whole.
    assert np.mean([each.value for each in whole]) == pytest.approx(np.mean([each.value for each in subsets]), rel=0.05)


def test_one_subset_of_everything_is_the_whole() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    mean, spread = kernel_distance_subsets(x, y, rng=torch.Generator().manual_seed(0), n_subsets=2, size=40)
    assert mean.value == pytest.approx(kernel_distance(x, y).value, rel=1e-12)
    assert spread == pytest.approx(0, abs=1e-12)


def test_refuses_subsets_larger_than_the_sample_and_other_extractors() -> None:
    x = np.ones((20, 3))
    with pytest.raises(InputError, match="100 subsets of 1000 from 20 real and 20"):
        kernel_distance_subsets(x, x, rng=torch.Generator())
    with pytest.raises(InputError, match="3 dimensions and generated ones 2"):
        kernel_distance(x, np.ones((20, 2)))
