"""Mode coverage: how many of the places that hold the data a generator has found, and how evenly.

PacGAN's three numbers (Lin et al. 2018, arXiv:1712.04086, section 4.1), after VEEGAN (Srivastava et al. 2017,
arXiv:1705.07761), for points of the plane and for the classes of stacked MNIST. Each comes with what a perfect sampler
would score on as many samples, since none of the three has its ideal value at any finite number.

Letters: n samples, m modes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError

RADIUS = 3.0
"""In standard deviations: samples this near a mode's centre, or nearer, are of high quality."""

PERFECT_HIGH_QUALITY = 1 - math.exp(-(RADIUS**2) / 2)
"""The share of a Gaussian of the plane that lies within the radius: the square of the distance is chi-squared with two
degrees of freedom. A share above it, beyond chance, means that modes have shrunk, not that samples are better."""


@dataclass(frozen=True)
class ModeScore:
    """What is covered of m equally likely modes.

    Attributes:
        modes: how many hold at least one sample (of high quality, where there is such a thing).
        n_modes: how many there are.
        high_quality: the share of samples that is near a mode; `None` for classes.
        reverse_kl: KL(generated || uniform) over modes, in nats, 0 to ln m; `None` where no sample counts.
        n_samples: how many were scored.
    """

    modes: int
    n_modes: int
    high_quality: float | None
    reverse_kl: float | None
    n_samples: int


@dataclass(frozen=True)
class PerfectScore:
    """What samples of the true distribution score: means over simulations, and the spread of a single one.

    Attributes:
        modes: mean number of modes that are found.
        high_quality: in closed form, `PERFECT_HIGH_QUALITY`; `None` for classes.
        high_quality_simulated, high_quality_std: mean and standard deviation over simulations; `None` for classes.
        reverse_kl, reverse_kl_std: mean and standard deviation over simulations; a generator with a lower KL than the
            mean less three of these has been scored wrongly. About (m - 1) / 2n for equally likely modes.
        n_samples: in each simulation.
        n_simulations: how many.
    """

    modes: float
    high_quality: float | None
    high_quality_simulated: float | None
    high_quality_std: float | None
    reverse_kl: float
    reverse_kl_std: float
    n_samples: int
    n_simulations: int


def score_modes(points: np.ndarray | Tensor, centres: np.ndarray | Tensor, std: float) -> ModeScore:
    """Coverage of a mixture of equally likely Gaussians.

    Every point belongs to the nearest centre, and is of high quality if it lies within three standard deviations of it.
    A mode is covered if it holds at least one such point. The reverse KL compares the share of the high-quality points
    that each mode holds with 1/m; the other points are in neither. A point that is not finite is of no mode.

    Args:
        points: [n, 2]; published numbers are for n = 2,500.
        centres: [m, 2].
        std: of each coordinate about its centre.

    Raises:
        InputError: no points, or another shape.
    """
    places, middles = _float64(points, "points"), _float64(centres, "centres")
    if std <= 0:
        raise InputError(f"std (={std}) must be above 0")
    # |x - c|^2 is taken as it stands: expanded into products it would lose the small distances that decide here.
    squared = np.stack([((places - centre) ** 2).sum(axis=1) for centre in middles])
    squared[~np.isfinite(squared)] = np.inf
    nearest = squared.argmin(axis=0)
    near = squared.min(axis=0) <= (RADIUS * std) ** 2
    counts = np.bincount(nearest[near], minlength=len(middles))
    return ModeScore(
        int((counts > 0).sum()), len(middles), float(near.mean()), reverse_kl_to_uniform(counts), len(places)
    )


def score_classes(labels: np.ndarray | Tensor, n_classes: int) -> ModeScore:
    """Coverage of equally likely classes, as a classifier names them; for stacked MNIST, 1,000 of them.

    Args:
        labels: whole numbers from 0 to n_classes - 1, [n]; published numbers are for n = 26,000.
        n_classes: how many there are, m.

    Raises:
        InputError: no labels, or one that is no class.
    """
    values = np.asarray(labels)
    if values.ndim != 1 or len(values) == 0 or values.dtype.kind not in "iu":
        raise InputError(f"labels are {values.dtype} {list(values.shape)}; give at least one whole number, as [n]")
    if values.min() < 0 or values.max() >= n_classes:
        raise InputError(f"labels go from {values.min()} to {values.max()}; classes are 0 to {n_classes - 1}")
    counts = np.bincount(values.astype(np.int64), minlength=n_classes)
    return ModeScore(int((counts > 0).sum()), n_classes, None, reverse_kl_to_uniform(counts), len(values))


def reverse_kl_to_uniform(counts: np.ndarray) -> float | None:
    """KL(p || uniform) in nats of the histogram p of `counts`, whole numbers [m]; `None` where all are 0."""
    total = int(counts.sum())
    if total == 0:
        return None
    shares = counts[counts > 0] / total
    return max(0.0, float((shares * np.log(shares * len(counts))).sum()))  # rounding may leave -1e-17


def perfect_mode_score(
    n: int, centres: np.ndarray | Tensor, std: float, *, rng: torch.Generator, n_simulations: int = 100
) -> PerfectScore:
    """What `n` points of the mixture itself score under `score_modes`."""
    middles = torch.from_numpy(_float64(centres, "centres"))

    def simulate() -> ModeScore:
        modes = torch.randint(len(middles), (n,), generator=rng, device=rng.device).cpu()
        noise = torch.randn(n, 2, generator=rng, dtype=torch.float64, device=rng.device).cpu()
        return score_modes(middles[modes] + std * noise, middles, std)

    return _simulated(simulate, n, n_simulations)


def perfect_class_score(
    n: int,
    n_classes: int,
    *,
    rng: torch.Generator,
    shares: np.ndarray | Tensor | None = None,
    n_simulations: int = 100,
) -> PerfectScore:
    """What `n` perfect samples score under `score_classes`.

    Args:
        n: samples.
        n_classes: how many there are, m.
        rng: of the simulations.
        shares: how likely each class is in the data, [m]; `None` for all alike. MNIST's digits are not, which by itself
            keeps a perfect generator of stacks 0.004 nats from uniform.
        n_simulations: how many.
    """
    weights = np.ones(n_classes) if shares is None else np.asarray(shares, np.float64)
    if len(weights) != n_classes:
        raise InputError(f"shares are of {len(weights)} classes and n_classes is {n_classes}; give one a class")
    upto = torch.from_numpy(np.cumsum(weights / weights.sum())[:-1].copy())

    def simulate() -> ModeScore:
        uniform = torch.rand(n, generator=rng, dtype=torch.float64, device=rng.device).cpu()
        return score_classes(torch.searchsorted(upto, uniform, right=True), n_classes)

    return _simulated(simulate, n, n_simulations)


def _simulated(simulate: Callable[[], ModeScore], n: int, n_simulations: int) -> PerfectScore:
    """Means and spreads over simulations."""
    if n < 1 or n_simulations < 2:
        raise InputError(f"n (={n}) must be at least 1 and n_simulations (={n_simulations}) at least 2")
    scores = [simulate() for _ in range(n_simulations)]
    kls = [score.reverse_kl for score in scores if score.reverse_kl is not None]
    near = [score.high_quality for score in scores if score.high_quality is not None]
    return PerfectScore(
        modes=float(np.mean([score.modes for score in scores])),
        high_quality=PERFECT_HIGH_QUALITY if near else None,
        high_quality_simulated=float(np.mean(near)) if near else None,
        high_quality_std=float(np.std(near, ddof=1)) if near else None,
        reverse_kl=float(np.mean(kls)),
        reverse_kl_std=float(np.std(kls, ddof=1)),
        n_samples=n,
        n_simulations=n_simulations,
    )


def _float64(values: np.ndarray | Tensor, name: str) -> np.ndarray:
    """Places of the plane as float64 [n, 2]."""
    places = np.asarray(values, np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or len(places) == 0:
        raise InputError(f"{name} have the shape {list(places.shape)}; give at least one place, as [n, 2]")
    return places
