"""Toy worlds: mixtures of Gaussians in the plane, whose modes a generator may find or lose.

Both are PacGAN's (Lin et al. 2018, arXiv:1712.04086, section 4.1). A point is a picture of two channels and one pixel,
float32, in the plane's own coordinates: networks, the stream and the loop treat it as any other picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentry.data.facts import Report, with_labels
from latentry.data.labels import ClassLabels, Labels

DEFAULT_N = 100_000
POLICY_KEY = "points 2x1x1 float32"
_MODE_STREAM, _NOISE_STREAM = 0x30DE, 0x4015  # two streams, so that the first points are the same for every count


@dataclass(frozen=True, eq=False)
class World:
    """A mixture of equally likely Gaussians with one standard deviation in every direction.

    Attributes:
        centres: float64 [m, 2].
        std: of each coordinate about its mode's centre.
    """

    centres: np.ndarray
    std: float

    def draw(self, n: int) -> tuple[np.ndarray, Labels]:
        """The first `n` points, always the same ones: float32 [n, 2, 1, 1], and the mode of each as its class."""
        modes = np.random.default_rng(_MODE_STREAM).integers(len(self.centres), size=n)
        noise = np.random.default_rng(_NOISE_STREAM).standard_normal((n, 2))
        points = (self.centres[modes] + self.std * noise).astype(np.float32)
        names = tuple(f"mode-{index}" for index in range(len(self.centres)))
        return points.reshape(n, 2, 1, 1), Labels(classes=ClassLabels(modes.astype(np.int64), names))


def _ring() -> np.ndarray:
    """Eight places on the unit circle, anticlockwise from (1, 0)."""
    r = np.sqrt(0.5)  # rather than sines and cosines, which differ between machines in the last place
    return np.array([(1, 0), (r, r), (0, 1), (-r, r), (-1, 0), (-r, -r), (0, -1), (r, -r)])


def _grid() -> np.ndarray:
    """Five by five places, two apart; y changes fastest."""
    return np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], np.float64)


WORLDS = {"ring": World(_ring(), 0.01), "grid": World(_grid(), 0.05)}
"""By the name that `open_images` takes."""


@dataclass(frozen=True)
class PointSource:
    """The points of a toy world; they are drawn faster than a cache is read.

    Args:
        name: of the world.
        count: how many points; `None` for the usual number.
    """

    name: str
    count: int | None

    @property
    def where(self) -> str:
        """As it was asked for."""
        return self.name if self.count is None else f"{self.name}:{self.count}"

    def draw(self) -> tuple[np.ndarray, Labels]:
        """All points and their modes, as `World.draw` gives them."""
        return WORLDS[self.name].draw(self.count or DEFAULT_N)


def point_report(source: PointSource, points: np.ndarray, labels: Labels, notes: tuple[str, ...]) -> Report:
    """The report on points, but for its fingerprint.

    Args:
        source: where they are from.
        points: float32 [n, 2, 1, 1].
        labels: their modes.
        notes: choices that were made on the way.
    """
    least, most = points.min(axis=(0, 2, 3)), points.max(axis=(0, 2, 3))
    world = WORLDS[source.name]
    policy = (
        "points of the plane in their own coordinates, float32",
        f"{len(world.centres)} modes, standard deviation {world.std:g} in every direction",
        f"x from {least[0]:.3f} to {most[0]:.3f}, y from {least[1]:.3f} to {most[1]:.3f}",
    )
    report = Report(source.where, len(points), 2, 1, 1, policy, POLICY_KEY, points=True, notes=notes)
    return with_labels(report, labels, None)
