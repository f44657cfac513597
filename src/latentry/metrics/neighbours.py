"""Precision, recall, density and coverage by nearest neighbours; realism and authenticity of single pictures.

    Kynkaanniemi et al. 2019, "Improved precision and recall" (arXiv:1904.06991): precision, recall, realism.
    Naeem et al. 2020, "Reliable fidelity and diversity metrics" (arXiv:2002.09797): density, coverage.
    Alaa et al. 2022, "How faithful is your synthetic data?" (arXiv:2102.08921): authenticity.

Definitions are those of Naeem et al.'s package `prdc`: a vector's radius is the distance to its k-th nearest other
vector of its own set, and another vector lies within only if it is strictly nearer.

Differs from the papers in: distances that differ by no more than rounding count as equal; every share has an interval.

Letters: N real and M generated vectors, D features, k neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.estimates import (
    Estimate,
    Features,
    as_features,
    as_pair,
    estimate,
    row_blocks,
    share_estimate,
    squared_distances,
)

_ROUNDING = 1e-12  # of the largest squared norm about the mean: what squared distances may be wrong by


@dataclass(frozen=True)
class Neighbourhoods:
    """How two sets of vectors lie within each other.

    Attributes:
        precision: share of generated vectors within the radius of any real one.
        recall: share of real vectors within the radius of any generated one.
        density: real radii that a generated vector lies within, over k; 1 on average for a perfect generator.
        coverage: share of real vectors with a generated one within their radius; see `perfect_coverage`.
        k: which neighbour makes the radius.
        n_real, n_fake: vectors.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    k: int
    n_real: int
    n_fake: int


def neighbourhoods(
    real: Features, fake: Features, *, rng: torch.Generator, k: int = 5, n_draws: int = 20
) -> Neighbourhoods:
    """All four, with intervals, in blocks of bounded memory: .9 GiB for 10,000 and 10,000 vectors of 2,048.

    Intervals are from half samples: the four shares of random halves of both sets vary about as much as those of the
    whole do from sample to sample. Drawing with replacement would not do: a vector drawn twice has radius 0.

    Args:
        real, fake: [N, D] and [M, D].
        rng: of the half samples.
        k: 5 for density and coverage in papers, 3 for precision and recall. They may be computed apart.
        n_draws: half samples; 0 for no intervals.

    Raises:
        InputError: k is not below both counts, or the features differ in dimension.
    """
    x, y = as_pair(real, fake)
    n, m = len(x), len(y)
    if not 1 <= k < min(n, m):
        raise InputError(f"k (={k}) must be from 1 to {min(n, m) - 1} for {n} real and {m} generated features")
    x, y, rounding = _centred(x, y)
    kept_x, kept_y = _halves(n, n_draws, rng).to(x.device), _halves(m, n_draws, rng).to(x.device)
    draws = len(kept_x) if k < min(n, m) // 2 else 1  # a half must have k neighbours too
    kept_x, kept_y = kept_x[:draws], kept_y[:draws]
    radii_x, radii_y = _radii(x, kept_x, k) - rounding, _radii(y, kept_y, k) - rounding
    shares = _shares(x, y, radii_x, radii_y) / torch.tensor([1, 1, k, 1], device=x.device)
    sizes = torch.stack([kept_y.sum(1), kept_x.sum(1), kept_y.sum(1), kept_x.sum(1)], dim=1)
    values = (shares / sizes).cpu()
    errors = values[1:].std(dim=0, correction=1) if draws > 2 else torch.full((4,), math.nan)
    how = f"spread of {draws - 1} half samples" if draws > 2 else "none: too few vectors or draws"
    precision, recall, density, coverage = (
        estimate(float(value), float(error), how, least=0.0, most=math.inf if name == "density" else 1.0)
        for name, value, error in zip(("precision", "recall", "density", "coverage"), values[0], errors, strict=True)
    )
    return Neighbourhoods(precision, recall, density, coverage, k, n, m)


def perfect_coverage(n_real: int, n_fake: int, k: int) -> float:
    """Coverage expected of a perfect generator, whatever the distribution: 1 - prod_{i=1..k} (N - i) / (N + M - i).

    Of the N + M - 1 other vectors, in random order about a real one, the k nearest must not all be real ones.
    """
    i = np.arange(1, k + 1)
    return float(1 - np.prod((n_real - i) / (n_real + n_fake - i)))


def realism(real: Features, fake: Features, *, k: int = 3) -> np.ndarray:
    """How near each generated vector is to the real ones, in radii; Kynkaanniemi et al. 2019, Eq. 4.

    The largest ratio of a real vector's radius to its distance, over the half of real vectors with the smaller radii.
    Above 1 is within. Infinite for a copy.

    Returns:
        One number a generated vector, float64 [M].
    """
    x, y = as_pair(real, fake)
    if not 1 <= k < len(x):
        raise InputError(f"k (={k}) must be from 1 to {len(x) - 1} for {len(x)} real features")
    x, y, rounding = _centred(x, y)
    radii = _radii(x, x.new_ones(1, len(x), dtype=torch.bool), k)[0]
    small = radii <= radii.median()
    x, radii = x[small], radii[small]
    out = y.new_empty(len(y))
    for rows in row_blocks(len(y), len(x)):
        squared = squared_distances(y[rows], x)
        out[rows] = torch.where(squared > rounding, radii / squared, math.inf).amax(dim=1)
    return out.sqrt().cpu().numpy()


def authenticity(real: Features, fake: Features) -> Estimate:
    """Share of generated vectors that are no near copies; Alaa et al. 2022, section 4.3.

    A vector is authentic if it lies farther from its nearest real vector than that one's nearest real vector does. For
    a perfect generator it is the share of nearest neighbours that are not mutual: 1/3 on a line, .378 in a plane, .407
    in space, towards 1/2 in many dimensions. 0 where all are copies.

    Args:
        real: the vectors that the generator was trained on, [N, D]; at least 2.
        fake: [M, D].
    """
    x, y = as_pair(as_features(real, "real features", least=2), fake)
    x, y, rounding = _centred(x, y)
    own = _radii(x, x.new_ones(1, len(x), dtype=torch.bool), 1)[0]
    authentic = y.new_empty(len(y))
    for rows in row_blocks(len(y), len(x)):
        nearest = squared_distances(y[rows], x).min(dim=1)
        authentic[rows] = (nearest.values > own[nearest.indices] + rounding).double()
    return share_estimate(float(authentic.mean()), len(y), ("the real vectors are taken as given",))


def _centred(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, float]:
    """Both about the real mean, which costs no distance and saves digits, and what squares may be wrong by."""
    mean = x.mean(dim=0)
    x, y = x - mean, y - mean
    largest = max(float(part.square().sum(dim=1).max()) for part in (x, y))
    return x, y, _ROUNDING * largest


def _halves(n: int, n_draws: int, rng: torch.Generator) -> Tensor:
    """Which vectors are kept: all of them, then random halves, bool [1 + n_draws, n]."""
    kept = torch.zeros(1 + n_draws, n, dtype=torch.bool)
    kept[0] = True
    for draw in kept[1:]:
        draw[torch.randperm(n, generator=rng, device=rng.device)[: n // 2].cpu()] = True
    return kept


def _radii(x: Tensor, kept: Tensor, k: int) -> Tensor:
    """Squared distance to the k-th nearest other vector of each draw, [draws, N]; -inf for a vector not in it."""
    n = len(x)
    # A half keeps 4 k + 32 of 8 k + 64 neighbours on average; that fewer than k are left happens once in 10^13.
    n_near = k if len(kept) == 1 else min(n - 1, 8 * k + 64)
    out = x.new_empty(kept.shape)
    for rows in row_blocks(n, n):
        squared = squared_distances(x[rows], x)
        squared.diagonal(rows.start).fill_(math.inf)  # itself is no neighbour
        near = squared.topk(n_near, dim=1, largest=False)  # from the nearest on
        for draw, mask in enumerate(kept):
            rank = mask[near.indices].cumsum(dim=1)
            position = (rank < k).sum(dim=1).clamp(max=n_near - 1)
            out[draw, rows] = near.values.gather(1, position[:, None])[:, 0]
    return out.masked_fill_(~kept, -math.inf)


def _shares(x: Tensor, y: Tensor, radii_x: Tensor, radii_y: Tensor) -> Tensor:
    """Numbers of vectors: generated ones within, real ones within, real radii about generated ones, real ones covered.

    Radii of minus infinity belong to vectors that are not in the draw.

    Returns:
        One row a draw, [draws, 4].
    """
    kept_x, kept_y = radii_x.isfinite(), radii_y.isfinite()
    precise, recalled, covered = torch.zeros_like(kept_y), torch.zeros_like(kept_x), torch.zeros_like(kept_x)
    n_within = x.new_zeros(len(kept_x))
    far_x, far_y = radii_x.amax(dim=0), radii_y.amax(dim=0)
    for rows in row_blocks(len(x), len(y)):
        squared = squared_distances(x[rows], y)
        # Few pairs are near in any draw, so that many draws cost little more than one.
        i, j = ((squared < far_x[rows, None]) | (squared < far_y)).nonzero(as_tuple=True)
        pairs, i = squared[i, j], i + rows.start
        for draw in range(len(kept_x)):
            within = (pairs < radii_x[draw, i]) & kept_y[draw, j]
            n_within[draw] += within.sum()
            precise[draw, j[within]] = True
            covered[draw, i[within]] = True
            recalled[draw, i[(pairs < radii_y[draw, j]) & kept_x[draw, i]]] = True
    counts = [precise.sum(dim=1), recalled.sum(dim=1), n_within, covered.sum(dim=1)]
    return torch.stack([count.double() for count in counts], dim=1)
