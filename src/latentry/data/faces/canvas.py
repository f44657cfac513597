"""Painting shapes on many pictures at once: frames, patches, distances, coverage.

Shapes are signed distance functions, negative inside, in units that do not depend on the size of the picture. A pixel
takes the share of a shape's colour that the shape covers of it, estimated from the distance at the pixel's centre.

Letters: F faces drawn together, S picture size, H W rows and columns of a patch.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[Any]
"""float32, one value a pixel, [F, H, W], or one a face, [F, 1, 1].

Not annotated as float32 because numpy's stubs widen `plane * 0.5` to double, which numpy itself does not do (NEP 50).
"""

Scalar = float | Plane

Box = tuple[float, float, float, float]
"""left, top, right, bottom in the units of a frame."""


class Frame:
    """Where a part of each figure lies: a turned, scaled and shifted copy of the picture's axes.

    The picture spans [-1, 1] to the right and downwards. Coordinates (u, v) of the frame are linear in the picture's,
    so they are kept as one term a column and one a row and added only inside a patch.
    """

    def __init__(self, size_px: int, x: Plane, y: Plane, unit: Plane, angle: Plane) -> None:
        """Set up F frames.

        Args:
            size_px: width and height of the picture.
            x, y: the frame's origin in picture coordinates, [F].
            unit: the frame's unit of length in picture units, [F].
            angle: clockwise turn, radians, [F].
        """
        centre = ((2 * np.arange(size_px, dtype=np.float32) + 1) / size_px - 1).astype(np.float32)
        cos: Plane = np.cos(angle)
        sin: Plane = np.sin(angle)
        inverse: Plane = np.reciprocal(unit)[:, None]
        across, down = (centre[None] - x[:, None]) * inverse, (centre[None] - y[:, None]) * inverse
        self.size_px = size_px
        self.u_column: Plane = across * cos[:, None]
        self.u_row: Plane = down * sin[:, None]
        self.v_column: Plane = across * -sin[:, None]
        self.v_row: Plane = down * cos[:, None]
        self.px_per_unit: Plane = (unit * (size_px / 2))[:, None, None]
        self._origin, self._right, self._down = (x, y), (cos * unit, sin * unit), (-sin * unit, cos * unit)

    def pixels(self, box: Box) -> tuple[slice, slice]:
        """The rows and columns that hold the box in every picture, with one pixel around it for soft edges."""
        corners = [(u, v) for u in (box[0], box[2]) for v in (box[1], box[3])]
        slices = []
        for axis in (1, 0):
            places = np.array([self._origin[axis] + u * self._right[axis] + v * self._down[axis] for u, v in corners])
            low = int(np.floor((places.min() + 1) / 2 * self.size_px)) - 1
            high = int(np.ceil((places.max() + 1) / 2 * self.size_px)) + 1
            slices.append(slice(min(max(low, 0), self.size_px), min(max(high, 0), self.size_px)))
        return slices[0], slices[1]


class Patch:
    """The part of every picture in which one feature lies, with the frame's coordinates of each pixel there."""

    def __init__(self, canvas: Plane, frame: Frame, box: Box | None = None) -> None:
        """Open a patch.

        Args:
            canvas: the pictures, [F, 3, S, S], painted in place.
            frame: whose coordinates `u`, `v` the patch has.
            box: where the feature lies, in the frame's units; the whole picture without.
        """
        rows, columns = (slice(None), slice(None)) if box is None else frame.pixels(box)
        self.u: Plane = frame.u_column[:, None, columns] + frame.u_row[:, rows, None]
        self.v: Plane = frame.v_column[:, None, columns] + frame.v_row[:, rows, None]
        self.px_per_unit = frame.px_per_unit
        self._target = canvas[:, :, rows, columns]

    def mirrored(self) -> Self:
        """Fold the patch about its vertical axis: `u` becomes its magnitude, and one shape appears twice."""
        np.abs(self.u, out=self.u)
        return self

    def cover(self, distance: Plane) -> Plane:
        """The share of each pixel that lies inside a shape: a ramp one pixel wide about its outline. In [0, 1]."""
        share = distance * -self.px_per_unit
        share += 0.5
        return _to_unit(share)

    def line(self, distance: Plane, half_width: Scalar) -> Plane:
        """The share of each pixel under a line, right also where the line is thinner than the pixel.

        Args:
            distance: to the middle of the line, of either sign.
            half_width: of the line, in the frame's units.
        """
        magnitude = np.abs(distance)
        return self.cover(magnitude - half_width) - self.cover(magnitude + half_width)

    def soft(self, distance: Plane, width: float) -> Plane:
        """A gentle edge, `width` units wide whatever the size of the picture. In [0, 1]."""
        share = distance * (-1 / width)
        share += 0.5
        share = _to_unit(share)
        return share * share * (3 - 2 * share)

    def paint(self, share: Plane, colour: Plane) -> None:
        """Lay a colour over the pictures.

        Args:
            share: how much of each pixel it takes, in [0, 1], [F, H, W].
            colour: sRGB in [0, 1], [F, 3] or [1, 3].
        """
        change = colour[:, :, None, None] - self._target
        change *= share[:, None]
        self._target += change


def _to_unit(x: Plane) -> Plane:
    """Clip to [0, 1] in place."""
    np.maximum(x, 0, out=x)
    np.minimum(x, 1, out=x)
    return x


def circle(u: Plane, v: Plane, radius: Scalar) -> Plane:
    """Distance to a circle about the origin."""
    return np.sqrt(u * u + v * v) - radius


def ellipse(u: Plane, v: Plane, half_width: Scalar, half_height: Scalar) -> Plane:
    """Distance to an ellipse about the origin, exact to first order at its outline."""
    across, down = u / half_width, v / half_height
    level = across * across + down * down
    across /= half_width
    down /= half_height
    slope = np.sqrt(across * across + down * down)
    level -= 1
    level *= 0.5
    return level / np.maximum(slope, 1e-6)


def box(u: Plane, v: Plane, half_width: Scalar, half_height: Scalar, radius: float) -> Plane:
    """Distance to a box about the origin whose corners are rounded by `radius`."""
    across = np.abs(u) - (half_width - radius)
    down = np.abs(v) - (half_height - radius)
    inside = np.minimum(np.maximum(across, down), 0)
    np.maximum(across, 0, out=across)
    np.maximum(down, 0, out=down)
    return np.sqrt(across * across + down * down) + inside - radius


def parabola(u: Plane, v: Plane, bend: Scalar) -> Plane:
    """Distance, to first order, from the curve v = bend u^2; positive below it."""
    slope = u * (2 * bend)
    height: Plane = v - u * slope * 0.5
    slope *= slope
    slope += 1
    height /= np.sqrt(slope)
    return height
