"""Squares, ellipses and hearts on a full grid of five factors, after dSprites (Matthey et al. 2017).

Differs from dSprites in: edges are anti-aliased, so that factors are exact to a fraction of a pixel; x and y are the
centroid and the area is that of the scale alone, so that no shape is told by its mass; the 40 orientations do not
contain both ends of the turn.

Letters: N pictures, F pictures drawn together, S picture size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latentry.data.labels import ClassLabels, ContinuousLabels, Labels
from latentry.errors import InputError

SHAPES = ("square", "ellipse", "heart")
NUMBERS = ("scale", "orientation", "x", "y")

AREA = 0.085
"""Share of the picture that every shape covers at scale 1."""

DEFAULT_N = 20_000
SMALLEST_PX, LARGEST_PX = 8, 2048
CHUNK_PX = 1 << 18

Plane = npt.NDArray[Any]
"""float32, [F, S, S]; numpy's stubs would have `plane * 0.5` be double, which it is not."""


@dataclass(frozen=True)
class ShapeGrid:
    """The full factorial grid: every combination of the factors' values once, the last factor changing fastest."""

    shape: tuple[str, ...] = SHAPES
    scale: tuple[float, ...] = tuple(0.5 + 0.1 * i for i in range(6))
    """Length relative to the largest; the area goes with its square."""
    orientation: tuple[float, ...] = tuple(2 * np.pi * i / 40 for i in range(40))
    """Clockwise turn, radians in [0, 2 pi). A square repeats itself after a quarter turn, an ellipse after a half."""
    x: tuple[float, ...] = tuple(0.25 + 0.5 * i / 31 for i in range(32))
    """Centroid from the left edge, picture widths."""
    y: tuple[float, ...] = tuple(0.25 + 0.5 * i / 31 for i in range(32))
    """Centroid from the top edge, picture heights."""

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """How many values each factor has."""
        return len(self.shape), len(self.scale), len(self.orientation), len(self.x), len(self.y)

    def __len__(self) -> int:
        return int(np.prod(self.sizes))

    def at(self, points: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The factors of grid points, given by their number in [0, len(grid)).

        Returns:
            shape as an index into `SHAPES`, int64 [N]; and scale, orientation, x, y as float32 [N, 4].
        """
        shape, *steps = np.unravel_index(points, self.sizes)
        values = (self.scale, self.orientation, self.x, self.y)
        numbers = [np.array(value)[step] for value, step in zip(values, steps, strict=True)]
        return shape.astype(np.int64), np.stack(numbers, axis=1).astype(np.float32)


def shapes(size_px: int = 64, n: int | None = None, seed: int = 0) -> tuple[npt.NDArray[np.uint8], Labels]:
    """White shapes on black at random points of `ShapeGrid`, no point twice. The first k do not depend on `n`.

    Args:
        size_px: width and height, 8 to 2048.
        n: how many, at most the 737 280 points of the grid; 20 000 without.
        seed: which order the grid is gone through.

    Returns:
        pictures, uint8 [n, 1, size_px, size_px], and labels: the shape as class, the other factors as numbers.
    """
    grid = ShapeGrid()
    n = DEFAULT_N if n is None else n
    if not 1 <= n <= len(grid):
        raise InputError(f"n (={n}) must lie between 1 and the {len(grid)} points of the grid")
    classes, numbers = grid.at(np.random.default_rng(seed).permutation(len(grid))[:n])
    labels = Labels(classes=ClassLabels(classes, SHAPES), numbers=ContinuousLabels(numbers, NUMBERS))
    return render_shapes(classes, numbers, size_px), labels


def render_shapes(
    classes: npt.NDArray[np.integer], numbers: npt.NDArray[np.floating], size_px: int
) -> npt.NDArray[np.uint8]:
    """Draw shapes: a pure function of the factors, which need not lie on the grid.

    Args:
        classes: indices into `SHAPES`, [N].
        numbers: scale, orientation, x, y in the units of `ShapeGrid`, [N, 4].
        size_px: width and height, 8 to 2048.

    Returns:
        pictures, uint8 [N, 1, size_px, size_px], 255 inside.
    """
    if not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise InputError(f"size_px (={size_px}) must lie between {SMALLEST_PX} and {LARGEST_PX} pixels")
    if classes.ndim != 1 or numbers.shape != (len(classes), len(NUMBERS)):
        raise InputError(
            f"classes {classes.shape} and numbers {numbers.shape} must be [N] and [N, 4]: {', '.join(NUMBERS)}"
        )
    if not np.isin(classes, range(len(SHAPES))).all():
        raise InputError(f"classes must be 0 to {len(SHAPES) - 1}; received {np.unique(classes)[:8].tolist()}")
    if not (np.isfinite(numbers).all() and (numbers[:, 0] > 0).all()):
        raise InputError("numbers must be finite and scale positive")
    pictures = np.empty((len(classes), 1, size_px, size_px), np.uint8)
    chunk = max(1, CHUNK_PX // size_px**2)
    for index, distance in enumerate(DISTANCES):
        (rows,) = np.nonzero(classes == index)
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            pictures[part, 0] = _draw(distance, numbers[part].astype(np.float32), size_px)
    return pictures


def _draw(distance: Callable[[Plane, Plane], Plane], numbers: Plane, size_px: int) -> npt.NDArray[np.uint8]:
    """One kind of shape, [F, S, S]; a pixel is as bright as the share of it that the shape covers."""
    scale, orientation, x, y = (column[:, None, None] for column in numbers.T)
    centre = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    unit = scale * float(np.sqrt(AREA))
    across, down = (centre[None, None, :] - x) / unit, (centre[None, :, None] - y) / unit
    cos, sin = np.cos(orientation), np.sin(orientation)
    inside = -distance(across * cos + down * sin, down * cos - across * sin) * unit * size_px
    return np.rint((inside + 0.5).clip(0, 1) * 255).astype(np.uint8)


# The distance functions below: signed, negative inside, of a shape with area 1 and its centroid at the origin.


def _square(u: Plane, v: Plane) -> Plane:
    across, down = np.abs(u) - 0.5, np.abs(v) - 0.5
    outside = np.sqrt(np.maximum(across, 0) ** 2 + np.maximum(down, 0) ** 2)
    return outside + np.minimum(np.maximum(across, down), 0)


def _ellipse(u: Plane, v: Plane) -> Plane:
    """Twice as long, along u, as it is wide. Exact to first order at the outline."""
    half_length, half_width = float(np.sqrt(2 / np.pi)), float(np.sqrt(0.5 / np.pi))
    across, down = u / half_length, v / half_width
    level: Plane = across**2 + down**2 - 1
    slope: Plane = np.sqrt((across / half_length) ** 2 + (down / half_width) ** 2)
    level /= np.maximum(slope, 1e-6)
    return level * 0.5


SIDE = float(1 / np.sqrt(1 + np.pi / 4))
"""Side of the square in a heart of area 1; half a disc sits on each of its two upper sides."""

HEART_DROP = float((np.pi / 4 * SIDE**2) * (SIDE / 2 + 2 * SIDE / (3 * np.pi)) / np.sqrt(2))
"""How far the centroid lies above the centre of that square: both half discs' area times their own centroid."""


def _heart(u: Plane, v: Plane) -> Plane:
    """A square standing on its corner and two discs about the middles of its upper sides, point downwards."""
    u, v = np.abs(u), v - HEART_DROP
    half, root = SIDE / 2, float(np.sqrt(0.5))
    disc = np.sqrt((u - half * root) ** 2 + (v + half * root) ** 2) - half
    along, across = (u + v) * root, (u - v) * root
    square = _square(along / (2 * half), across / (2 * half)) * (2 * half)
    return np.minimum(disc, square)


DISTANCES = (_square, _ellipse, _heart)
"""In the order of `SHAPES`."""
