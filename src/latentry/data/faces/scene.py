"""What the painters of features share: the pictures, the frames, the factors and the colours of F faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from latentry.data.faces.canvas import Box, Frame, Patch, Plane
from latentry.data.faces.colours import Colours, choose_colours
from latentry.data.faces.factors import ATTRIBUTES, NUMBERS, Attributes, Numbers

UNIT = 1.0
"""Length of the figure's unit in picture units at scale 1; the head is about one unit high."""

HEAD_HALF_WIDTH = 0.45
HEAD_HALF_HEIGHT = 0.53

NECK = 0.5
"""Where the head turns about, below its centre."""


@dataclass(frozen=True)
class Scene:
    """F faces being painted. Lengths are in units of the figure, angles in radians, colours sRGB in [0, 1]."""

    canvas: Plane
    """The pictures, [F, 3, S, S]."""
    picture: Frame
    """The picture's own axes, each in [-1, 1]; one for all faces."""
    body: Frame
    """Upright; its origin is where the centre of the head is when the head is not tilted."""
    head: Frame
    """Turns with the head; its origin is the centre of the head."""
    has: Mapping[str, Plane]
    """Attributes by name, 0 or 1, [F, 1, 1]."""
    number: Mapping[str, Plane]
    """Numbers by name, [F, 1, 1]."""
    colours: Colours

    @classmethod
    def of(cls, attributes: Attributes, numbers: Numbers, size_px: int) -> Self:
        """Empty pictures for factors [F, A] and [F, K] as `factors.face_factors` draws them."""
        number = {name: numbers[:, column] for column, name in enumerate(NUMBERS)}
        has = {name: attributes[:, column].astype(np.float32) for column, name in enumerate(ATTRIBUTES)}
        zero, one = np.zeros(len(numbers), np.float32), np.ones(len(numbers), np.float32)
        angle = np.deg2rad(number["tilt"])
        unit = UNIT * number["scale"]
        x, y = number["x"], number["y"] + 0.11
        lever = unit * NECK
        head_x, head_y = x + lever * np.sin(angle), y + lever * (1 - np.cos(angle))
        return cls(
            canvas=np.zeros((len(numbers), 3, size_px, size_px), np.float32),
            picture=Frame(size_px, zero[:1], zero[:1], one[:1], zero[:1]),
            body=Frame(size_px, x, y, unit, zero),
            head=Frame(size_px, head_x, head_y, unit, angle),
            has={name: value[:, None, None] for name, value in has.items()},
            number={name: value[:, None, None] for name, value in number.items()},
            colours=choose_colours(number, has["dark_background"]),
        )

    @property
    def head_half_width(self) -> Plane:
        """Half the width of the head at its centre, [F, 1, 1]."""
        return self.number["face_width"] * HEAD_HALF_WIDTH

    def on_head(self, box: Box) -> Patch:
        """A patch of the head's frame."""
        return Patch(self.canvas, self.head, box)

    def on_body(self, box: Box) -> Patch:
        """A patch of the body's frame."""
        return Patch(self.canvas, self.body, box)
