"""What varies from one face to the next: yes/no attributes and numbers, all drawn independently of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from latentry.errors import InputError

ATTRIBUTES: Mapping[str, float] = MappingProxyType(
    {
        "smiling": 0.5,
        "glasses": 0.4,
        "hat": 0.35,
        "long_hair": 0.5,
        "fringe": 0.4,
        "beard": 0.35,
        "blush": 0.4,
        "winking": 0.3,
        "earrings": 0.4,
        "striped_shirt": 0.4,
        "dark_background": 0.4,
    }
)
"""The name of every attribute and the probability with which it is drawn, in the order of the columns."""


@dataclass(frozen=True)
class NumberRange:
    """The interval from which one number is drawn uniformly, and what it means."""

    low: float
    high: float
    meaning: str


NUMBERS: Mapping[str, NumberRange] = MappingProxyType(
    {
        "tilt": NumberRange(-13.0, 13.0, "head turned clockwise, degrees"),
        "x": NumberRange(-0.08, 0.08, "centre of the face to the right of the middle, half picture widths"),
        "y": NumberRange(-0.05, 0.05, "centre of the face below its usual place, half picture heights"),
        "scale": NumberRange(0.92, 1.07, "size of the whole figure, 1 is usual"),
        "face_width": NumberRange(0.9, 1.1, "width of the head, 1 is usual"),
        "skin": NumberRange(0.0, 1.0, "skin, from light to dark"),
        "hair": NumberRange(0.0, 1.0, "hair colour round a wheel: black, brown, ginger, blond, silver, pink, blue"),
        "background_hue": NumberRange(0.0, 1.0, "hue of the background, turns"),
        "shirt_hue": NumberRange(0.0, 1.0, "hue of the shirt, turns"),
        "hat_hue": NumberRange(0.0, 1.0, "hue of the hat, turns (drawn whether or not there is one)"),
        "eye_hue": NumberRange(0.0, 1.0, "iris, from brown through green to blue"),
        "eye_size": NumberRange(0.82, 1.2, "size of the eyes, 1 is usual"),
        "gaze": NumberRange(-1.0, 1.0, "where the eyes look, from left to right of the picture"),
        "brow": NumberRange(-1.0, 1.0, "eyebrows, from low to raised"),
        "mouth_width": NumberRange(0.8, 1.25, "width of the mouth, 1 is usual"),
        "parting": NumberRange(-1.0, 1.0, "where the hair parts, from left to right of the picture"),
        "hair_volume": NumberRange(0.0, 1.0, "how high the hair stands, from flat to full"),
    }
)
"""The name of every number and its range, in the order of the columns."""

Attributes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float32]


def face_factors(n: int, seed: int = 0) -> tuple[Attributes, Numbers]:
    """Draw the factors of `n` faces. The first k do not depend on `n`.

    Args:
        n: how many faces, at least 1.
        seed: every seed gives its own, endless sequence of faces.

    Returns:
        attributes, uint8 in {0, 1}, [n, A], in the order of `ATTRIBUTES`; and numbers, float32, [n, K], each uniform in
        its range, in the order and the units of `NUMBERS`.
    """
    if n < 1:
        raise InputError(f"n (={n}) must be at least 1 face")
    # One face is one row of the stream, so that more faces only add rows.
    uniform = np.random.default_rng(seed).random((n, len(ATTRIBUTES) + len(NUMBERS)))
    chance = np.array(list(ATTRIBUTES.values()))
    attributes = (uniform[:, : len(chance)] < chance).astype(np.uint8)
    low = np.array([spec.low for spec in NUMBERS.values()])
    high = np.array([spec.high for spec in NUMBERS.values()])
    numbers = (low + uniform[:, len(chance) :] * (high - low)).astype(np.float32)
    return attributes, numbers


def check_factors(attributes: npt.NDArray[np.generic], numbers: npt.NDArray[np.generic]) -> tuple[Attributes, Numbers]:
    """Refuse factors from which no face can be drawn; return them as uint8 [N, A] and float32 [N, K]."""
    for name, received, columns in (("attributes", attributes, ATTRIBUTES), ("numbers", numbers, NUMBERS)):
        if received.ndim != 2 or received.shape[1] != len(columns):
            raise InputError(
                f"{name} of shape {received.shape} must be [N, {len(columns)}], one column each: {', '.join(columns)}"
            )
    if len(attributes) != len(numbers):
        raise InputError(
            f"{len(attributes)} rows of attributes and {len(numbers)} rows of numbers must be equally many"
        )
    if not np.isin(attributes, (0, 1)).all():
        raise InputError(f"attributes must be 0 or 1; received {np.unique(attributes)[:8].tolist()}")
    exact = numbers.astype(np.float32)
    for column, (name, spec) in enumerate(NUMBERS.items()):
        value = exact[:, column]
        slack = 1e-5 * max(1.0, abs(spec.high))  # rounding to float32 may step just over the end
        outside = ~((value >= spec.low - slack) & (value <= spec.high + slack))  # catches NaN too
        if outside.any():
            raise InputError(
                f"{name} (={value[outside][0]}) must lie between {spec.low} and {spec.high} ({spec.meaning})"
            )
    return attributes.astype(np.uint8), exact
