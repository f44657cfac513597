"""Mean and covariance of vectors that come in batches, and the files that other programs keep them in.

Letters: N vectors, D features, S covariance (with N - 1), F factor.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from scipy.linalg.blas import dsyrk
from torch import Tensor

from latentry.errors import InputError
from latentry.files import write_file
from latentry.metrics.estimates import Features, as_features, refuse_other_dimension

_EPS = torch.finfo(torch.float64).eps
_ROWS = 1024  # of features, multiplied at once


class GaussianStatistics:
    """Mean and covariance of vectors that come in batches; batches and their order change rounding only.

    While there are fewer vectors than dimensions the vectors themselves are kept: they are smaller than the covariance,
    and are its factor.
    """

    def __init__(self) -> None:
        self._n: int | None = 0
        self._mean: Tensor | None = None
        self._scatter: Tensor | None = None  # sum of (x - mean)(x - mean)'
        self._rows: Tensor | None = None  # instead of it
        self._factor: Tensor | None = None  # derived; dropped by every update

    @classmethod
    def of(cls, features: Features) -> GaussianStatistics:
        """Of all vectors at once, [N, D]."""
        statistics = cls()
        statistics.update(features)
        return statistics

    @classmethod
    def known(cls, mean: Features, covariance: Features, n: int | None = None) -> GaussianStatistics:
        """From numbers computed elsewhere: mean [D], covariance [D, D] with N - 1, and N where it is known."""
        mu = as_features(torch.as_tensor(mean)[None], "means")[0]
        sigma = as_features(covariance, "covariances").to(mu.device)
        if sigma.shape != (len(mu), len(mu)):
            raise InputError(f"a mean of {len(mu)} numbers needs a covariance of as many squared, not {[*sigma.shape]}")
        if not torch.allclose(sigma, sigma.T, rtol=1e-4, atol=1e-8 * float(sigma.abs().max())):
            raise InputError("the covariance is not symmetric; give the one that belongs to the mean")
        statistics = cls()
        statistics._n, statistics._mean = n, mu
        statistics._scatter = (sigma + sigma.T) / 2 * (1 if n is None else n - 1)
        return statistics

    @property
    def n(self) -> int | None:
        """How many vectors; None where a file did not say."""
        return self._n

    @property
    def dimension(self) -> int:
        """Of the vectors, D."""
        return len(self.mean)

    @property
    def mean(self) -> Tensor:
        """Float64 [D]."""
        if self._mean is None:
            raise InputError("no vectors were given; a mean needs one at least")
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """Float64 [D, D], with N - 1."""
        mean = self.mean
        if self._n == 1:
            raise InputError("one vector has no covariance; give two at least")
        if self._rows is not None:
            return self.factor @ self.factor.T
        assert self._scatter is not None and len(self._scatter) == len(mean)
        return self._scatter / (1 if self._n is None else self._n - 1)

    @property
    def full(self) -> bool:
        """Whether there is a covariance of more vectors than dimensions, so that it may be definite."""
        return self._rows is None

    @property
    def trace(self) -> float:
        """Of the covariance."""
        if self._rows is not None:
            return float(self.factor.square().sum())
        return float(self.covariance.diagonal().sum())

    @property
    def factor(self) -> Tensor:
        """F with F F' = covariance, [D, rank or more]; computed once."""
        if self._factor is None:
            if self._rows is not None:
                assert self._n is not None
                self._factor = (self._rows - self.mean).T / math.sqrt(max(1, self._n - 1))
            else:
                self._factor = _factor(self.covariance)
        return self._factor

    def update(self, features: Features) -> None:
        """Add vectors [N, D]."""
        rows = as_features(features, "features")
        batch = GaussianStatistics()
        batch._n, batch._mean = len(rows), rows.mean(dim=0)
        if len(rows) < rows.shape[1]:
            batch._rows = rows
        else:
            batch._scatter = gram(rows, batch._mean)
        self.merge(batch)

    def merge(self, other: GaussianStatistics) -> None:
        """Add what another one has seen; Chan et al. 1979.

        Raises:
            InputError: the dimensions differ, or either does not know its count.
        """
        if other._mean is None:
            return
        if self._mean is None:
            self._n, self._mean, self._scatter, self._rows = other._n, other._mean, other._scatter, other._rows
            self._factor = None
            return
        refuse_other_dimension(len(self._mean), len(other._mean))
        if self._n is None or other._n is None:
            raise InputError("statistics without their count cannot be added to; give n when reading them")
        n, theirs = self._n + other._n, other._mean.to(self._mean.device)
        shift = theirs - self._mean
        if self._rows is not None and other._rows is not None and n < len(shift):
            self._rows = torch.cat([self._rows, other._rows.to(self._rows.device)])
        else:
            scatter = self._scattered() + other._scattered().to(shift.device)
            self._scatter, self._rows = scatter.add_(torch.outer(shift, shift), alpha=self._n * other._n / n), None
        self._mean = self._mean + shift * (other._n / n)
        self._n, self._factor = n, None

    def _scattered(self) -> Tensor:
        if self._rows is not None:
            return gram(self._rows, self.mean)
        assert self._scatter is not None
        return self._scatter

    def save(self, path: str | Path, facts: Mapping[str, str] | None = None) -> None:
        """Write `mu`, `sigma` (the keys that pytorch-fid reads) and `n` as .npz, and facts as strings beside them."""
        content = io.BytesIO()
        arrays = {"mu": self.mean.cpu().numpy(), "sigma": self.covariance.cpu().numpy()}
        arrays |= {name: np.array(value) for name, value in (facts or {}).items()}
        if self._n is not None:
            arrays["n"] = np.array(self._n)
        np.savez(content, allow_pickle=False, **arrays)
        write_file(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: str | Path, n: int | None = None) -> GaussianStatistics:
        """Read what `save` or pytorch-fid wrote.

        Args:
            path: the .npz.
            n: how many vectors it was made of, where the file does not say.

        Raises:
            InputError: no such file, or it holds no mean and covariance.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in ("mu", "sigma")}
                count = int(stored["n"]) if "n" in stored else n
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (KeyError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} holds no statistics; it must be an .npz with the arrays mu and sigma") from error
        return cls.known(arrays["mu"], arrays["sigma"], count)


def gram(x: Tensor, mean: Tensor | None = None) -> Tensor:
    """X' X of float64 [N, D], less `mean` [D] where it is given, [D, D].

    On the CPU by BLAS's product of a matrix with itself, at half the price of a product, some rows at a time: they are
    still in the cache when they are multiplied.
    """
    if x.device.type != "cpu":
        x = x if mean is None else x - mean
        return x.T @ x
    total = np.zeros((x.shape[1], x.shape[1]), order="F")
    for rows in x.split(_ROWS):
        values = (rows if mean is None else rows - mean).numpy()
        total = dsyrk(1.0, values.T, beta=1.0, c=total, overwrite_c=True)  # the upper triangle
    np.copyto(total, total.T, where=np.tri(len(total), k=-1, dtype=bool))
    return torch.from_numpy(total)


def eigenvalues(symmetric: Tensor) -> Tensor:
    """Of a symmetric float64 [D, D], rising; on the CPU by numpy, whose LAPACK is the faster one."""
    if symmetric.device.type != "cpu":
        return torch.linalg.eigvalsh(symmetric)
    return torch.from_numpy(np.linalg.eigvalsh(symmetric.numpy()))


def _factor(covariance: Tensor) -> Tensor:
    """F with F F' = S: Cholesky's where S is definite, else from eigenvalues, those of rounding left out."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not int(failed):
        return factor
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values.max() * len(values) * _EPS
    return vectors[:, kept] * values[kept].sqrt()
