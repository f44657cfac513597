"""Colours of a face. Palettes for skin and hair; everything else keeps its lightness and turns only its hue (OKLCH)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float32]
"""sRGB in [0, 1], [F, 3]: one colour a face."""

SKIN = ("#ffe3cf", "#fbd0ae", "#efb98f", "#dc9f71", "#bd7f54", "#99603f", "#7a4a31")
HAIR = (
    *("#2b2430", "#3b2a2a", "#5a3a29", "#7d4a2b", "#a4502a", "#cf6a33"),  # black, brown, chestnut, auburn, ginger
    *("#e0a458", "#f0cd84", "#e6ddd2", "#b9b8c4"),  # honey, blond, platinum, silver
    *("#ea94b4", "#9a6bb5", "#4a6fb0", "#2b2430"),  # pink, violet, blue, and round again
)
HUE_WHEEL = (5, 30, 55, 80, 145, 172, 205, 235, 262, 290, 325, 365)
IRIS = ("#5d3a22", "#8a5a2b", "#6f8a3c", "#3f9a86", "#3f7fc0")

INK = np.array([[0.17, 0.12, 0.17]], np.float32)
WHITE = np.array([[1.0, 0.995, 0.985]], np.float32)


@dataclass(frozen=True)
class Colours:
    """Every colour of F faces, sRGB in [0, 1], [F, 3]."""

    sky: Colour
    """The background at its edge."""
    glow: Colour
    """The disc behind the head."""
    skin: Colour
    skin_shade: Colour
    skin_line: Colour
    """Nose and ears: a darker, redder skin."""
    blush: Colour
    lip: Colour
    hair: Colour
    hair_shade: Colour
    hair_edge: Colour
    """Where hair meets the face: so much darker that skin cannot match both hair and edge."""
    hair_light: Colour
    brow: Colour
    beard: Colour
    iris: Colour
    shirt: Colour
    shirt_shade: Colour
    stripe: Colour
    hat: Colour
    hat_band: Colour
    hat_shade: Colour


def choose_colours(numbers: Mapping[str, npt.NDArray[np.float32]], dark: npt.NDArray[np.float32]) -> Colours:
    """The colours that follow from the numbers of F faces.

    Args:
        numbers: by name, each [F]; see `factors.NUMBERS`.
        dark: 1 where the background is dark, else 0, [F].
    """
    skin = palette(SKIN, numbers["skin"])
    hair = palette(HAIR, numbers["hair"])
    shirt_hue, hat_hue, background_hue = (even_hue(numbers[f"{part}_hue"]) for part in ("shirt", "hat", "background"))
    shirt_light, hat_light = (np.float32(0.14) * yellowness(hue) for hue in (shirt_hue, hat_hue))
    pale = 1 - np.float32(0.45) * yellowness(background_hue)
    skin_shade = skin * np.array([0.9, 0.79, 0.76], np.float32)
    return Colours(
        sky=oklch(0.875 - 0.54 * dark, pale * (0.062 + 0.01 * dark), background_hue),
        glow=oklch(0.94 - 0.5 * dark, pale * (0.034 + 0.041 * dark), background_hue + 0.03),
        skin=skin,
        skin_shade=skin_shade,
        skin_line=skin * np.array([0.84, 0.66, 0.62], np.float32),
        blush=mix(skin, np.array([[0.98, 0.28, 0.33]], np.float32), 0.6),
        lip=mix(skin, np.array([[0.72, 0.16, 0.22]], np.float32), 0.72),
        hair=hair,
        hair_shade=mix(hair * 0.74, INK, 0.15),
        hair_edge=mix(hair * 0.46, INK, 0.25),
        hair_light=mix(hair, WHITE, 0.3),
        brow=mix(hair * 0.72, INK, 0.35),
        beard=mix(hair * 0.86, INK, 0.08),
        iris=palette(IRIS, numbers["eye_hue"]),
        shirt=oklch(0.66 + shirt_light, 0.13, shirt_hue),
        shirt_shade=oklch(0.56 + shirt_light, 0.125, shirt_hue - 0.02),
        stripe=oklch(0.96, 0.02, shirt_hue),
        hat=oklch(0.6 + hat_light, 0.15, hat_hue),
        hat_band=oklch(0.76 + 0.6 * hat_light, 0.115, hat_hue + 0.03),
        hat_shade=oklch(0.5 + hat_light, 0.14, hat_hue - 0.02),
    )


def mix(a: Colour, b: Colour, share_of_b: float) -> Colour:
    """Blend two colours, [F, 3] or [1, 3] each."""
    return a + (b - a) * np.float32(share_of_b)


def even_hue(turn: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The OKLCH hue, in turns, for a place round a wheel of named colours: little olive, more peach, mint and lilac."""
    degrees = np.interp(turn, np.linspace(0, 1, len(HUE_WHEEL)), HUE_WHEEL)
    return (degrees / 360).astype(np.float32)


def yellowness(turn: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """1 at yellow, 0 from orange and green on: yellow is pleasant only when it is light, or else pale."""
    return np.maximum(np.cos((turn - np.float32(0.285)) * np.float32(2 * np.pi)), 0) ** 4


def palette(stops: Sequence[str], position: npt.NDArray[np.float32]) -> Colour:
    """The colour at `position` in [0, 1] along evenly spaced hexadecimal stops. Returns [F, 3]."""
    table = np.array([[int(stop[i : i + 2], 16) / 255 for i in (1, 3, 5)] for stop in stops])
    where = position.astype(np.float64) * (len(stops) - 1)
    channels = [np.interp(where, np.arange(len(stops)), table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).astype(np.float32)


def oklch(
    lightness: float | npt.NDArray[np.floating],
    chroma: float | npt.NDArray[np.floating],
    turn: npt.NDArray[np.floating],
) -> Colour:
    """Perceptual lightness, chroma and hue to sRGB, clipped to what a screen shows (Ottosson 2020, OKLab).

    Args:
        lightness: in [0, 1], scalar or [F].
        chroma: about 0 to 0.3, scalar or [F].
        turn: hue in turns, [F].

    Returns:
        sRGB in [0, 1], [F, 3].
    """
    angle = turn.astype(np.float64) * (2 * np.pi)
    a, b = chroma * np.cos(angle), chroma * np.sin(angle)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=1,
    ).clip(0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)
