"""Attribute vectors against worlds whose effects are known."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from latentry.errors import InputError
from latentry.latent import (
    analogy,
    balanced_class_differences,
    balanced_differences,
    boundary_normal,
    independent_columns,
    logistic_regression,
    mean_difference,
    orthogonalise,
)

A1, A2 = np.array([1.0, 0.0, 2.0]), np.array([0.0, -3.0, 1.0])


def world(n, rng, noise=0.5):
    """z = a1 y1 + a2 y2 + noise, where y2 comes with y1 four times in five and without it one time in five."""
    y1 = rng.random(n) < 0.5
    y2 = rng.random(n) < np.where(y1, 0.8, 0.2)
    z = np.outer(y1, A1) + np.outer(y2, A2) + noise * rng.standard_normal((n, 3))
    return z, np.stack([y1, y2], axis=1).astype(np.uint8)


def test_the_mean_difference_takes_correlated_labels_along_and_the_balanced_one_does_not():
    z, y = world(40_000, np.random.default_rng(0))
    leak = 0.8 - 0.2
    plain, balanced = mean_difference(z, y[:, 0]), balanced_differences(z, y)[0]
    assert plain.direction == pytest.approx(A1 + leak * A2, abs=0.06)
    assert balanced.direction == pytest.approx(A1, abs=0.03)
    assert balanced_differences(z, y)[1].direction == pytest.approx(A2, abs=0.03)


def test_without_noise_the_balanced_vectors_are_exact_and_the_plain_one_is_the_empirical_sum():
    z, y = world(500, np.random.default_rng(1), noise=0.0)
    first, second = balanced_differences(z, y)
    assert first.direction == pytest.approx(A1, abs=1e-12)
    assert second.direction == pytest.approx(A2, abs=1e-12)
    leak = y[y[:, 0] == 1, 1].mean() - y[y[:, 0] == 0, 1].mean()
    assert mean_difference(z, y[:, 0]).direction == pytest.approx(A1 + leak * A2, abs=1e-12)


def test_the_standard_error_is_s_sqrt_of_one_over_n1_plus_one_over_n0():
    rng = np.random.default_rng(2)
    y = np.arange(50) < 20
    z = rng.standard_normal((50, 4)) * [1.0, 2.0, 3.0, 4.0]
    within = np.concatenate([z[y] - z[y].mean(axis=0), z[~y] - z[~y].mean(axis=0)])
    s = np.sqrt(np.square(within).sum(axis=0) / 48)
    assert mean_difference(z, y).error == pytest.approx(s * np.sqrt(1 / 20 + 1 / 30), rel=1e-12)


def test_the_standard_error_is_the_spread_over_repeated_draws():
    rng = np.random.default_rng(3)
    draws = [world(200, rng) for _ in range(600)]
    for fit in (lambda z, y: mean_difference(z, y[:, 1]), lambda z, y: balanced_differences(z, y)[0]):
        vectors = [fit(z, y) for z, y in draws]
        spread = np.std([v.direction for v in vectors], axis=0)
        assert spread == pytest.approx(np.mean([v.error for v in vectors], axis=0), rel=0.12)


def test_one_label_alone_is_balanced_as_it_is():
    z, y = world(300, np.random.default_rng(4))
    plain, balanced = mean_difference(z, y[:, 0]), balanced_differences(z, y[:, :1])[0]
    assert balanced.direction == pytest.approx(plain.direction, abs=1e-10)
    assert balanced.error == pytest.approx(plain.error, rel=1e-9)


def test_classes_count_once_each_against_the_rest_whatever_their_size():
    means = np.array([[1.0, 0.0], [0.0, 4.0], [6.0, 2.0]])
    which = np.repeat([0, 1, 2], [10, 100, 5])
    vectors = balanced_class_differences(means[which], np.eye(3)[which])
    assert vectors[0].direction == pytest.approx(means[0] - (means[1] + means[2]) / 2)
    assert vectors[2].direction == pytest.approx(means[2] - (means[0] + means[1]) / 2)
    sizes = mean_difference(means[which], which == 0).direction  # the plain one leans to the large class
    assert sizes == pytest.approx(means[0] - (100 * means[1] + 5 * means[2]) / 105)


def test_logistic_regression_is_scikit_learns():
    rng = np.random.default_rng(5)
    z = rng.standard_normal((300, 5)) * [1, 1, 0.1, 5, 1]
    y = (z @ [1, -1, 10, 0.2, 0] + rng.standard_normal(300) > 0.5).astype(int)
    spread = z.std(axis=0)
    theirs = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(z / spread, y)
    weight, intercept, _ = logistic_regression(z, y, ridge=2.0)
    assert weight * spread == pytest.approx(theirs.coef_[0], abs=1e-5)
    assert intercept == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_the_boundary_of_two_gaussians_is_the_optimal_one_where_the_mean_difference_is_not():
    rng = np.random.default_rng(6)
    covariance = np.array([[4.0, 1.5], [1.5, 1.0]])
    apart = np.array([1.0, 1.0])
    y = np.arange(40_000) % 2
    z = rng.multivariate_normal([0, 0], covariance, 40_000) + np.outer(y, apart)
    optimal = np.linalg.solve(covariance, apart)  # log p1/p0 is linear with this slope
    assert logistic_regression(z, y)[0] == pytest.approx(optimal, abs=0.06)
    vector = boundary_normal(z, y)
    cosine = vector.direction @ optimal / vector.length / np.linalg.norm(optimal)
    assert cosine == pytest.approx(1, abs=1e-3)
    # Dose 1 is how far apart the means are along it.
    means = z[y == 1].mean(axis=0) - z[y == 0].mean(axis=0)
    assert vector.length == pytest.approx(means @ vector.direction / vector.length, rel=1e-9)


def test_separated_groups_have_a_finite_boundary():
    z = np.concatenate([np.full((20, 2), -3.0), np.full((20, 2), 3.0)])
    weight, intercept, covariance = logistic_regression(z, np.arange(40) >= 20)
    assert np.isfinite(weight).all()
    assert np.isfinite(covariance).all()
    assert weight[0] == pytest.approx(weight[1])
    assert intercept == pytest.approx(0, abs=1e-9)


def test_orthogonal_to_others_however_these_depend_on_each_other():
    rng = np.random.default_rng(7)
    v, a, b = rng.standard_normal((3, 6))
    left = orthogonalise(v, [a, b, a + b, 1e-3 * a])
    assert [left @ a, left @ b] == pytest.approx([0, 0], abs=1e-12)
    assert left @ (v - left) == pytest.approx(0, abs=1e-12)  # and no more is taken away than that
    assert np.array_equal(orthogonalise(v, []), v)
    with pytest.raises(InputError, match="wholly"):
        orthogonalise(2 * a - b, [a, b])


def test_analogies_are_exact_in_a_linear_decoder():
    rng = np.random.default_rng(8)
    decoder = rng.standard_normal((10, 4))
    base, smile, glasses = rng.standard_normal((3, 4))
    made = analogy(base + smile, base, base + glasses)  # smiling is to plain as ... is to glasses
    assert decoder @ made == pytest.approx(decoder @ (base + smile + glasses), abs=1e-12)


def test_labels_that_follow_from_others_are_found():
    rng = np.random.default_rng(9)
    a, b = rng.integers(0, 2, (2, 100))
    labels = np.stack([a, np.ones(100), 1 - a, b, a, a & b], axis=1)
    assert independent_columns(labels) == [0, 3, 5]
    with pytest.raises(InputError, match="not independent"):
        balanced_differences(rng.standard_normal((100, 2)), labels[:, [0, 3, 4]])


@pytest.mark.parametrize("fit", [mean_difference, boundary_normal])
def test_a_label_that_does_not_vary_is_refused(fit):
    z = np.random.default_rng(10).standard_normal((5, 2))
    with pytest.raises(InputError, match=r"every of|none of"):
        fit(z, np.ones(5))
    with pytest.raises(InputError, match="none of the 5"):
        fit(z, np.zeros(5))


def test_too_few_latents_are_refused():
    with pytest.raises(InputError, match="at least 3"):
        mean_difference(np.zeros((2, 3)), np.array([0, 1]))
