"""The Frechet distance between Gaussians fitted to features, its bias from few samples, and its value without.

    Dowson and Landau 1982: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), the squared Wasserstein-2 distance.
    Heusel et al. 2017 (arXiv:1706.08500): of Inception features, "FID".
    Chong and Forsyth 2019 (arXiv:1911.07023): the distance falls along 1/N; its intercept there is "FID_inf".

Differs from the papers in: no matrix root is taken. With S = F F', tr (S1 S2)^(1/2) is the sum of the singular values
of F1' F2, which is exact for singular matrices too, and small where there are fewer samples than dimensions.

Letters: N samples, D features, m mean, S covariance (with N - 1), F factor, real and fake the two sides.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.estimates import Estimate, Features, as_features, estimate, refuse_other_dimension
from latentry.metrics.gaussian import GaussianStatistics, eigenvalues, gram

LEAST_FOR_LINE = 100  # vectors that a line through distances is drawn from
_EPS = torch.finfo(torch.float64).eps
_FELT = 1e-9  # of a sum of roots: the rounding error from which they are computed without a square
_SIZES = 15  # sample sizes on the line that is extrapolated, as in the paper


def frechet_distance(real: GaussianStatistics, fake: GaussianStatistics) -> float:
    """The squared Wasserstein-2 distance of the two Gaussians, at least 0; symmetric.

    Of samples of one distribution it is not 0 but about `expected_bias`.

    Raises:
        InputError: different dimensions, or a single vector.
    """
    refuse_other_dimension(real.dimension, fake.dimension)
    for side in (real, fake):
        if side.n == 1:
            raise InputError("one vector has no covariance; give two at least")
    shift = float((real.mean - fake.mean.to(real.mean.device)).square().sum())
    return max(0.0, shift + real.trace + fake.trace - 2 * _cross(real, fake))


def expected_bias(statistics: GaussianStatistics, n_real: float, n_fake: float) -> float:
    """What a perfect generator scores: the distance between samples of one Gaussian, to first order in 1/N.

    The mean adds tr S (1/n_real + 1/n_fake), the covariance sum_ij l_i l_j (1 + [i = j]) / (2 (l_i + l_j)) times the
    same, over eigenvalues l. For S = I: 2 D / N + (D^2 + D) / (2 N). Too large where N is not well above D.

    Args:
        statistics: of the distribution.
        n_real, n_fake: samples of each side; infinity for a side that is known exactly.
    """
    factor = statistics.factor
    values = eigenvalues(gram(factor if factor.shape[1] <= factor.shape[0] else factor.T))
    values = values[values > values.max() * len(values) * _EPS]
    pairs = torch.outer(values, values) / (2 * (values[:, None] + values))
    return float((values.sum() + pairs.sum() + pairs.diagonal().sum()) * (1 / n_real + 1 / n_fake))


def frechet_estimate(real: GaussianStatistics, fake: GaussianStatistics) -> Estimate:
    """The distance with its interval, and in words what its bias is.

    The interval is that of the biased number: what other samples as large would have scored. It is the delta method's,
    for Gaussian features; heavier tails than a Gaussian's make it too narrow.
    """
    value = frechet_distance(real, fake)
    if real.n is None or fake.n is None:
        return estimate(value, math.nan, "none: sample counts are not known", least=0.0)
    said = few_samples(min(real.n, fake.n), real.dimension)
    floor = expected_bias(real, real.n, fake.n)
    said += (f"perfect samples would score about {floor:.4g} at {real.n:,} real and {fake.n:,} generated pictures",)
    variance = 0.0
    for here, there in ((real, fake), (fake, real)):
        assert here.n is not None
        shift, slope = there.mean.to(here.mean.device) - here.mean, _slope(here, there)
        spread, bent = here.factor.T @ shift, here.factor.T @ slope @ here.factor
        variance += float(4 * spread.square().sum() + 2 * bent.square().sum()) / here.n
    return estimate(value, math.sqrt(variance), "delta method, Gaussian features", said, least=0.0)


def frechet_infinity(
    real: GaussianStatistics, fake: Features, *, rng: torch.Generator, n_sizes: int = _SIZES
) -> Estimate:
    """The distance as generated pictures become infinitely many; Chong and Forsyth 2019, section 3.

    Distances of `n_sizes` random subsets, from a tenth of the samples (5,000 at most) to all, against 1/N: ordinary
    least squares, intercept; it may be negative. The bias from finitely many real pictures stays; it is said.

    The interval adds the regression's own error to that of the samples themselves, which all subsets share:
    var(psi) / N for the influence psi of one sample on the distance, 2 (m_f - m_r)'(y - m_f) +
    (y - m_f)'(I - T)(y - m_f), T the optimal transport from fake to real.

    Args:
        real: statistics of real pictures.
        fake: features of generated ones, [N, D], at least `LEAST_FOR_LINE`.
        rng: of the subsets.
        n_sizes: points on the line, at least 3.
    """
    y = as_features(fake, "generated features", least=LEAST_FOR_LINE).to(real.mean.device)
    refuse_other_dimension(real.dimension, y.shape[1])
    if n_sizes < 3:
        raise InputError(f"n_sizes (={n_sizes}) must be at least 3 for a line with an error; the paper takes {_SIZES}")
    n = len(y)
    sizes = np.unique(np.linspace(min(5000, n // 10), n, n_sizes).astype(int))
    scores = []
    for size in sizes:
        subset = torch.randperm(n, generator=rng, device=rng.device)[: int(size)].to(y.device)
        scores.append(frechet_distance(real, GaussianStatistics.of(y[subset])))
    intercept, error = _intercept(1 / sizes, np.array(scores))
    whole = GaussianStatistics.of(y)
    away = y - whole.mean
    influence = 2 * away @ (whole.mean - real.mean) + ((away @ _slope(whole, real)) * away).sum(dim=1)
    error = math.hypot(error, float(influence.std(correction=1)) / math.sqrt(n))
    said = few_samples(int(sizes[0]), y.shape[1])
    if real.n is not None:
        left = expected_bias(real, real.n, math.inf)
        said += (f"{real.n:,} real pictures leave a bias of about {left:.4g}",)
    return estimate(intercept, error, f"least squares on {len(sizes)} sizes, and delta method", said)


def _cross(real: GaussianStatistics, fake: GaussianStatistics) -> float:
    """The trace of (S1 S2)^(1/2).

    The roots of the eigenvalues of S1 S2, as LAPACK finds them for two symmetric matrices of which one is definite;
    or the singular values of A' B for factors S1 = A A' and S2 = B B'.
    """
    if real.mean.device.type == "cpu" and real.full and fake.full:
        with contextlib.suppress(np.linalg.LinAlgError):  # S1 is not definite
            values = scipy.linalg.eigh(
                fake.covariance.cpu().numpy(), real.covariance.numpy(), type=2, eigvals_only=True, driver="gv"
            )
            if (roots := _roots(torch.from_numpy(values))) is not None:
                return float(roots.sum())
    return float(nuclear_norm(real.factor.T @ fake.factor.to(real.mean.device)))


def nuclear_norm(matrix: Tensor) -> Tensor:
    """The sum of the singular values of float64 [A, B].

    They are the roots of the eigenvalues of the matrix times itself, at a quarter of the price, where these are exact
    enough.
    """
    roots = _roots(eigenvalues(gram(matrix if matrix.shape[1] <= matrix.shape[0] else matrix.T)))
    return (torch.linalg.svdvals(matrix) if roots is None else roots).sum()


def _roots(values: Tensor) -> Tensor | None:
    """Roots of eigenvalues; None where their rounding could be felt in the sum.

    An eigenvalue is only known to a rounding error of the largest, which leaves half the digits to the smallest roots.
    """
    roots = values.clamp(min=0).sqrt()
    rounding = math.sqrt(len(values)) * _EPS * values.max()
    felt = float((rounding / torch.maximum(roots, rounding.sqrt())).sum())
    return roots if felt <= _FELT * float(roots.sum()) else None


def few_samples(n: int, dimension: int) -> tuple[str, ...]:
    """What to say of `n` samples in so many dimensions; nothing where they are enough for a covariance."""
    if n > dimension:
        return ()
    return (
        f"{n:,} samples are fewer than make a covariance of {dimension:,} dimensions ({dimension + 1:,}): "
        "most of this distance is bias; compare only at equal counts, or use the kernel distance",
    )


def _intercept(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Ordinary least squares y = a + b x: a and its standard error."""
    design = np.stack([np.ones_like(x), x], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    weights = inverse @ design.T @ y
    residual = y - design @ weights
    variance = float(residual @ residual) / (len(x) - 2) * inverse[0, 0]
    return float(weights[0]), math.sqrt(max(0.0, variance))


def _slope(here: GaussianStatistics, there: GaussianStatistics) -> Tensor:
    """The distance's derivative by the covariance `here`: I - T, T the optimal transport map from here to there.

    With covariances A A' (here) and B B' (there), and the singular values B' A = U s V': T = B U s^-1 U' B'.
    """
    a, b = here.factor, there.factor.to(here.mean.device)
    u, s, _ = torch.linalg.svd(b.T @ a, full_matrices=False)
    kept = s > s.max() * max(a.shape) * _EPS
    image = b @ u[:, kept]
    return torch.eye(len(a), dtype=a.dtype, device=a.device) - (image / s[kept]) @ image.T
