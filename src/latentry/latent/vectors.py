"""Attribute vectors: the directions of latent space along which a label changes, each as long as one dose.

    Larsen et al. 2016, "Autoencoding beyond pixels" (arXiv:1512.09300): the difference of two means.
    White 2016, "Sampling generative networks" (arXiv:1609.04468): labels that go together must be balanced.
    Shen et al. 2020, "Interpreting the latent space of GANs" (arXiv:1907.10786): the normal of a linear boundary.

Differs from the papers in: White balances by choosing equally many pictures of every combination of labels; here z is
regressed on all labels at once, since with ten labels most of the 1,024 combinations hold no picture. The two agree
where the labels' effects add up, and regression uses every picture.

Letters: N latents, D numbers in one, A labels, K classes, P columns of a design, Q contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latentry.errors import InputError

UNIT = "distance between the means of pictures with and without the label, along the vector"
"""What dose 1 is, for all three methods; the means of the balanced one are of pictures that differ in it alone."""

_TOLERANCE = 1e-9
_MOST_STEPS = 100


@dataclass(frozen=True)
class LatentVector:
    """A direction of latent space.

    Attributes:
        direction: what dose 1 adds to a latent, float64 [D].
        error: standard error of each of its coordinates, float64 [D].
    """

    direction: np.ndarray
    error: np.ndarray

    @property
    def length(self) -> float:
        """Of dose 1."""
        return float(np.linalg.norm(self.direction))


def mean_difference(z: np.ndarray, y: np.ndarray) -> LatentVector:
    """The mean of latents with a label, less the mean of those without; Larsen et al. 2016, section 4.2.

    Labels that go together end up in it: for z = a1 y1 + a2 y2 + noise its expectation is
    a1 + [P(y2 | y1 = 1) - P(y2 | y1 = 0)] a2. The error is s sqrt(1/n1 + 1/n0), s pooled over both groups.

    Args:
        z: latents, [N, D].
        y: 1 with the label, 0 without, [N].

    Raises:
        InputError: all have the label, or none, or there are fewer than three latents.
    """
    with_label = _checked(y)
    design = np.stack([~with_label, with_label], axis=1).astype(np.float64)
    return _contrasts(z, design, np.array([[-1.0, 1.0]]))[0]


def balanced_differences(z: np.ndarray, labels: np.ndarray) -> list[LatentVector]:
    """One vector for each of several labels that may go together: what each adds with all the others equal.

    The coefficients of the regression of z on all labels. For z = a1 y1 + a2 y2 + noise the first has expectation a1,
    however y1 and y2 are correlated.

    Args:
        z: latents, [N, D].
        labels: 0 or 1, [N, A].

    Raises:
        InputError: a label is constant or follows from others (see `independent_columns`), or N < A + 2.
    """
    for column in labels.T:
        _checked(column)
    design = np.column_stack([np.ones(len(labels)), labels])
    return _contrasts(z, design, np.eye(design.shape[1])[1:])


def balanced_class_differences(z: np.ndarray, classes: np.ndarray) -> list[LatentVector]:
    """One vector a class: its mean, less the mean of the other classes' means, each counted once whatever its size.

    Args:
        z: latents, [N, D].
        classes: one-hot, [N, K], each class with at least one latent.
    """
    for column in classes.T:
        _checked(column)
    n_classes = classes.shape[1]
    against = (n_classes * np.eye(n_classes) - 1) / (n_classes - 1)  # 1 for its own class, -1 / (K - 1) for the others
    return _contrasts(z, classes.astype(np.float64), against)


def boundary_normal(z: np.ndarray, y: np.ndarray, ridge: float = 1.0) -> LatentVector:
    """The normal of the plane that best tells latents with a label from those without; Shen et al. 2020, section 3.1.

    By logistic regression (Shen et al. use a support vector machine). As long as the means of the two groups are apart
    along it.

    Args:
        z: latents, [N, D].
        y: 1 with the label, 0 without, [N].
        ridge: see `logistic_regression`.
    """
    with_label = _checked(y)
    weight, _, covariance = logistic_regression(z, y, ridge)
    length = np.linalg.norm(weight)
    if length < 1e-12:
        raise InputError("latents with and without the label have the same mean, so no boundary lies between them")
    apart = z[with_label].astype(np.float64).mean(axis=0) - z[~with_label].astype(np.float64).mean(axis=0)
    scale = float(weight @ apart) / length**2
    return LatentVector(scale * weight, abs(scale) * np.sqrt(covariance.diagonal()))


def logistic_regression(z: np.ndarray, y: np.ndarray, ridge: float = 1.0) -> tuple[np.ndarray, float, np.ndarray]:
    """The plane w z + b = 0 between two groups, by Newton's method (iteratively reweighted least squares).

    Minimises sum log(1 + exp(-(2 y - 1)(w z + b))) + ridge / 2 |w * spread|^2, where spread is the standard deviation
    of each coordinate: the answer follows when a coordinate is measured in another unit. Deterministic.

    Args:
        z: latents, [N, D].
        y: 1 or 0, [N].
        ridge: above 0; groups that a plane separates have no finite answer without.

    Returns:
        w [D], b, and the covariance of w, [D, D], from the inverse Hessian.
    """
    if ridge <= 0:
        raise InputError(f"ridge (={ridge}) must be above 0; 1 is small beside a hundred latents")
    z, target = z.astype(np.float64), _checked(y).astype(np.float64)
    centre, spread = z.mean(axis=0), z.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([(z - centre) / spread, np.ones(len(z))])
    penalty = np.full(design.shape[1], float(ridge))
    penalty[-1] = 0.0  # where the plane lies is not held back, only how steep it is

    def objective(weights: np.ndarray) -> float:
        scores = design @ weights
        return float(np.logaddexp(0, scores).sum() - target @ scores + 0.5 * penalty @ weights**2)

    weights = np.zeros(design.shape[1])
    value = objective(weights)
    for _ in range(_MOST_STEPS):
        share = 1 / (1 + np.exp(-np.clip(design @ weights, -500, 500)))
        gradient = design.T @ (share - target) + penalty * weights
        hessian = (design * (share * (1 - share))[:, None]).T @ design + np.diag(penalty)
        hessian[-1, -1] += 1e-12  # shares of exactly 0 and 1 leave the intercept without curvature
        step = np.linalg.solve(hessian, gradient)
        if gradient @ step < _TOLERANCE:
            break
        while (new := objective(weights - step)) > value and np.abs(step).max() > 1e-9:
            step = step / 2  # far from the answer a whole step of Newton's can overshoot
        weights, value = weights - step, new
    covariance = np.linalg.inv(hessian)[:-1, :-1] / np.outer(spread, spread)
    weight = weights[:-1] / spread
    return weight, float(weights[-1] - weight @ centre), covariance


def orthogonalise(direction: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """A direction [D] without what it shares with others [D]: its inner products with them are 0.

    Of a difference of means, what is left is again as long as the two means are apart along it.

    Raises:
        InputError: nothing is left.
    """
    direction = direction.astype(np.float64)
    if not others:
        return direction
    basis, sizes, _ = np.linalg.svd(np.stack(others, axis=1).astype(np.float64), full_matrices=False)
    basis = basis[:, sizes > 1e-12 * sizes.max()]  # of the space that the others span, however they depend
    for _ in range(2):  # rounding leaves some of it behind where the two are nearly parallel
        direction = direction - basis @ (basis.T @ direction)
    if np.linalg.norm(direction) < 1e-9 * np.linalg.norm(sizes):
        raise InputError("the vector lies wholly in those that it is to leave alone; name fewer of them")
    return direction


def analogy(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The latent that is to c as a is to b: a - b + c, float64, of equal shapes."""
    return a.astype(np.float64) - b + c


def independent_columns(labels: np.ndarray) -> list[int]:
    """Which of the labels [N, A] are neither constant nor follow from those before them by a sum."""
    columns = np.ones((len(labels), 1))
    kept = []
    for index, column in enumerate(labels.T.astype(np.float64)):
        left = column - columns @ np.linalg.lstsq(columns, column, rcond=None)[0]
        if np.linalg.norm(left) > 1e-6 * np.sqrt(len(labels)):
            kept.append(index)
            columns = np.column_stack([columns, column])
    return kept


def _contrasts(z: np.ndarray, design: np.ndarray, contrasts: np.ndarray) -> list[LatentVector]:
    """Linear combinations [Q, P] of the coefficients of z [N, D] on a design [N, P], with standard errors."""
    n, p = design.shape
    if n <= p:
        raise InputError(f"{n} latents are too few for {p - 1} labels; give at least {p + 1}")
    z = z.astype(np.float64)
    gram = design.T @ design
    if np.linalg.matrix_rank(gram) < p:
        raise InputError(
            f"the {p - 1} labels are not independent: one is the sum or the opposite of others, so that their effects "
            "cannot be told apart; leave one out, or use the plain difference"
        )
    inverse = np.linalg.inv(gram)
    coefficients = inverse @ (design.T @ z)  # [P, D]
    spread = np.sqrt(np.square(z - design @ coefficients).sum(axis=0) / (n - p))  # [D]
    errors = np.outer(np.sqrt(np.einsum("qp,pr,qr->q", contrasts, inverse, contrasts)), spread)  # [Q, D]
    return [LatentVector(v, error) for v, error in zip(contrasts @ coefficients, errors, strict=True)]


def _checked(y: np.ndarray) -> np.ndarray:
    """The label as bool [N], once it is known to vary."""
    with_label = np.asarray(y) > 0.5
    if with_label.all() or not with_label.any():
        which = "every" if with_label.all() else "none"
        raise InputError(f"{which} of the {len(with_label)} latents has the label; both kinds are needed")
    return with_label
