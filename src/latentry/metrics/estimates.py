"""An estimate with its interval, and features as every measure takes them: float64 vectors, checked.

Letters: N vectors, D features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.precision import float64

Z_95 = 1.959964  # of a two-sided interval of 95 %
_BLOCK_BYTES = 64 * 2**20

Features = np.ndarray | Tensor
"""Vectors [N, D] of any real type; a tensor is worked on where it lies."""


@dataclass(frozen=True)
class Estimate:
    """A number from a sample, and how far chance may have moved it.

    Attributes:
        value: the number.
        error: its standard error; NaN where the sample does not say.
        low, high: ends of its interval of 95 %; NaN likewise.
        how: where the interval comes from, in words.
        said: what a reader must know before trusting it, one sentence each.
    """

    value: float
    error: float
    low: float
    high: float
    how: str
    said: tuple[str, ...] = ()


def estimate(
    value: float,
    error: float,
    how: str,
    said: tuple[str, ...] = (),
    *,
    least: float = -math.inf,
    most: float = math.inf,
) -> Estimate:
    """`value` give or take 1.96 standard errors, within what is possible (`least` to `most`)."""
    low, high = max(least, value - Z_95 * error), min(most, value + Z_95 * error)
    if math.isnan(error):  # max and min would hide it
        low = high = math.nan
    return Estimate(float(value), float(error), float(low), float(high), how, said)


def share_estimate(share: float, n: int, said: tuple[str, ...] = ()) -> Estimate:
    """A share of n independent cases, with Wilson's interval (1927), which has a width at 0 and 1 too."""
    shrink = 1 + Z_95 * Z_95 / n
    centre = (share + Z_95 * Z_95 / (2 * n)) / shrink
    error = math.sqrt(share * (1 - share) / n + Z_95 * Z_95 / (4 * n * n)) / shrink
    low, high = max(0.0, centre - Z_95 * error), min(1.0, centre + Z_95 * error)
    return Estimate(share, error, min(low, share), max(high, share), "Wilson", said)


def as_features(values: Features, name: str, least: int = 1) -> Tensor:
    """Vectors as float64 [N, D].

    Raises:
        InputError: another shape, fewer than `least`, or a value that is not finite.
    """
    tensor = torch.as_tensor(values).detach()
    if tensor.dim() != 2 or len(tensor) < least or tensor.shape[1] == 0:
        raise InputError(f"{name} have the shape {list(tensor.shape)}; give at least {least} vectors, as [N, D]")
    tensor = float64(tensor)  # float32 is not enough to subtract what is nearly equal
    # A sum takes a tenth of the time that looking at every number does.
    if not bool(tensor.sum().isfinite()) and (bad := int((~torch.isfinite(tensor).all(dim=1)).sum())):
        raise InputError(f"{bad} of {len(tensor)} {name} are not finite; look for what made them and leave them out")
    return tensor


def as_pair(real: Features, fake: Features, least: int = 1) -> tuple[Tensor, Tensor]:
    """Features of real and of generated pictures, of one extractor.

    Raises:
        InputError: as `as_features`, or the two have different dimensions.
    """
    x, y = as_features(real, "real features", least), as_features(fake, "generated features", least)
    refuse_other_dimension(x.shape[1], y.shape[1])
    return x, y.to(x.device)


def refuse_other_dimension(d_real: int, d_fake: int) -> None:
    """Vectors of different extractors have nothing to do with each other."""
    if d_real != d_fake:
        raise InputError(
            f"real features have {d_real} dimensions and generated ones {d_fake}; "
            "take both with one extractor, in one configuration"
        )


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Rows of an [n_rows, n_columns] float64 matrix, as many at a time as make 64 MiB."""
    step = max(1, _BLOCK_BYTES // (8 * max(1, n_columns)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_j|^2 by |x|^2 + |y|^2 - 2 x.y, at least 0, [N, M]; subtract a common mean first, it costs digits."""
    products = x @ y.T
    products.mul_(-2).add_(x.square().sum(dim=1, keepdim=True)).add_(y.square().sum(dim=1))
    return products.clamp_(min=0)
