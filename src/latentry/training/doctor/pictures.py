"""How generated pictures lie among real ones: variety, coverage, repetition, copies. Distances are between sketches.

Letters: N pictures, C H W image, F numbers in a sketch, k neighbours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.precision import float64
from latentry.settings.specs import ImageSpec

_SIDE = 16  # pixels of a thumbnail, at most
_NUMBERS = 128  # in a sketch, at most: distances keep within a tenth (Johnson and Lindenstrauss 1984)
_NEIGHBOURS = 5  # Naeem et al. 2020, section 4.2
_REPEATED = 0.25  # of the reals' own distance to their nearest: two generated pictures this near are one picture twice
_COPIED = 1 / 3  # of the distance to the second nearest training picture (Yoon et al. 2023, "... fail to memorize")
_PLACES = 8  # numbers of the mean sketch that are logged


class Sketch:
    """Pictures as a few numbers each: thumbnails, in colour, under a random projection.

    Args:
        image: what pictures look like.
        rng: of the projection, on the CPU.
    """

    def __init__(self, image: ImageSpec, rng: torch.Generator) -> None:
        self._size = min(image.height, _SIDE), min(image.width, _SIDE)
        n = image.channels * self._size[0] * self._size[1]
        self._projection = torch.randn(n, _NUMBERS, generator=rng) / _NUMBERS**0.5 if n > _NUMBERS else None

    def __call__(self, x: Tensor) -> Tensor:
        """Pictures [N, C, H, W] to sketches [N, F], on the CPU."""
        thumbnails = F.interpolate(x.detach().float().cpu(), self._size, mode="area").flatten(1)
        return thumbnails if self._projection is None else thumbnails @ self._projection


def mean_distance(a: Tensor) -> float:
    """The mean distance of two different ones of the sketches [N, F]; 0 for fewer than two."""
    n = len(a)
    return float(torch.cdist(a, a).double().sum() / (n * (n - 1))) if n > 1 else 0.0


def to_neighbour(a: Tensor, k: int) -> Tensor:
    """The distance of each sketch [N, F] to its k-th nearest other one, [N]."""
    distance = torch.cdist(a, a).fill_diagonal_(float("inf"))
    return distance.kthvalue(min(k, len(a) - 1), dim=1).values


def compare(fake: Tensor, real: Tensor) -> dict[str, Any]:
    """Generated sketches beside real ones, as many of each as there are (at least two).

    Returns:
        "diversity", the mean distance of two generated pictures, in units of the reals'; "coverage", the share of reals
        that have a generated picture within the distance of their fifth neighbour (Naeem et al. 2020, arXiv:2002.09797,
        Eq. 5); "repeated", the share of generated pictures that another one repeats; "place", where the mean generated
        picture lies on some axes, in standard deviations of the reals.
    """
    spread = mean_distance(real)
    radius = to_neighbour(real, _NEIGHBOURS)
    reached = torch.cdist(real, fake).amin(dim=1) <= radius
    near = _REPEATED * float(to_neighbour(real, 1).median())
    unit = real.var(dim=0, correction=0).mean().sqrt().clamp(min=1e-6)
    place = (fake.mean(dim=0) - real.mean(dim=0)) / unit
    return {
        "diversity": mean_distance(fake) / max(spread, 1e-6),
        "coverage": float(reached.double().mean()),
        "repeated": float((to_neighbour(fake, 1) < near).double().mean()),
        "place": place[:_PLACES].tolist(),
    }


def copied(asked: Tensor, trained: Tensor) -> tuple[float, float]:
    """How near sketches [N, F] are to the nearest of the training pictures [M, F], as opposed to the second nearest.

    Returns:
        The share of those within a third of the second distance, and the median ratio of the two distances.
    """
    if len(trained) < 3:
        return 0.0, 1.0
    nearest = torch.cdist(asked, trained).topk(2, dim=1, largest=False).values
    ratio = nearest[:, 0] / nearest[:, 1].clamp(min=1e-6)
    return float((ratio < _COPIED).double().mean()), float(ratio.median())


def explained(x: Tensor, x_hat: Tensor) -> float:
    """The share of the squared distance of pictures [N, C, H, W] from their mean that reconstructions explain."""
    rest = float64(x - x_hat).square().sum()
    return float(1 - rest / float64(x - x.mean(dim=0)).square().sum().clamp(min=1e-12))
