"""The large shapes, back to front: background, body, neck, hair, head, ears, hat. Coordinates: u right, v down."""

from __future__ import annotations

import numpy as np

from latentry.data.faces.canvas import Patch, Plane, box, circle, ellipse, parabola
from latentry.data.faces.scene import HEAD_HALF_HEIGHT, Scene


def head_shape(patch: Patch, half_width: Plane, grow: float = 0.0) -> Plane:
    """Distance to the outline of the head, an ellipse that narrows towards the chin."""
    narrowing = patch.v * 0.2 + 1
    return ellipse(patch.u * narrowing, patch.v, half_width + grow, HEAD_HALF_HEIGHT + grow)


def background(scene: Scene) -> None:
    """A plain colour with a lighter disc behind the head."""
    scene.canvas[...] = scene.colours.sky[:, :, None, None]
    patch = Patch(scene.canvas, scene.picture)
    patch.paint(patch.cover(circle(patch.u, patch.v, 0.86)), scene.colours.glow)


def long_hair_behind(scene: Scene) -> None:
    """The mass of long hair behind the neck."""
    patch = scene.on_head((-0.68, -0.32, 0.68, 0.72)).mirrored()
    share = patch.cover(box(patch.u, patch.v - 0.2, _mane(scene, patch) - 0.01, 0.5, 0.12))
    patch.paint(share * scene.has["long_hair"], scene.colours.hair_shade)


def shoulders(scene: Scene) -> None:
    """A shirt with sloping shoulders; stripes follow the slope."""
    patch = scene.on_body((-1.4, 0.52, 1.4, 1.4))
    share = patch.cover(-parabola(patch.u, patch.v - 0.59, 0.42))
    patch.paint(share, scene.colours.shirt)
    if scene.has["striped_shirt"].any():
        height = patch.v - patch.u * patch.u * 0.3 - 0.79
        period = 0.19
        height -= np.floor(height * (1 / period) + 0.5) * period
        stripes = patch.line(height, 0.04) * share
        patch.paint(stripes * scene.has["striped_shirt"], scene.colours.stripe)


def neck(scene: Scene) -> None:
    """Collar, neck, and the shadow of the chin on it."""
    patch = scene.on_body((-0.34, 0.2, 0.34, 0.86))
    opening = ellipse(patch.u, patch.v - 0.6, 0.215, 0.14)
    patch.paint(patch.cover(opening - 0.055), scene.colours.shirt_shade)
    skin = np.minimum(opening, box(patch.u, patch.v - 0.43, 0.165, 0.25, 0.05))
    share = patch.cover(skin)
    patch.paint(share, scene.colours.skin)
    shadow = patch.cover(ellipse(patch.u, patch.v - 0.28, 0.4, 0.34))
    patch.paint(share * shadow, scene.colours.skin_shade)


def long_hair_in_front(scene: Scene) -> None:
    """Two locks that fall over the shoulders on both sides of the face."""
    patch = scene.on_head((-0.7, -0.36, 0.7, 0.84)).mirrored()
    across = patch.u - _mane(scene, patch) + 0.12
    lock = box(across, patch.v - 0.24, 0.12, 0.56, 0.11)
    share = patch.cover(lock) * scene.has["long_hair"]
    patch.paint(share, scene.colours.hair)
    strand = patch.line(across - 0.01, 0.011)
    strand *= patch.soft(np.abs(patch.v - 0.43) - 0.2, 0.2) * share
    patch.paint(strand, scene.colours.hair_shade)


def _mane(scene: Scene, patch: Patch) -> Plane:
    """Half the width of long hair at each height: that of the head at the temples, widest at the shoulders."""
    below = patch.v - 0.5
    narrower: Plane = below * below * 0.155
    return scene.head_half_width + 0.155 - narrower


def ears(scene: Scene) -> None:
    """Two ears, drawn over long hair so that earrings always show."""
    patch = scene.on_head((-0.62, -0.12, 0.62, 0.24)).mirrored()
    u, v = patch.u - scene.head_half_width, patch.v - 0.05
    patch.paint(patch.cover(ellipse(u, v, 0.085, 0.115)), scene.colours.skin)
    patch.paint(patch.cover(ellipse(u - 0.012, v, 0.042, 0.065)), scene.colours.skin_shade)


def head(scene: Scene) -> None:
    """The face itself, shaded on the side away from the light."""
    patch = scene.on_head((-0.58, -0.56, 0.58, 0.56))
    width = scene.head_half_width
    share = patch.cover(head_shape(patch, width))
    patch.paint(share, scene.colours.skin)
    lit = ellipse(patch.u + 0.07, patch.v + 0.06, width, HEAD_HALF_HEIGHT)
    share *= patch.soft(-lit, 0.1)
    patch.paint(share * 0.75, scene.colours.skin_shade)


def hair(scene: Scene) -> None:
    """The hair on top, parted to both sides or with a fringe, and its shine; a hat leaves only what is below it."""
    patch = scene.on_head((-0.6, -0.76, 0.6, 0.03))
    width = scene.head_half_width
    part = scene.number["parting"] * 0.2
    volume = scene.number["hair_volume"]
    outside = ellipse(patch.u, patch.v + 0.08, width + 0.055, volume * 0.09 + 0.55)
    parted = parabola(patch.u - part, patch.v + 0.43, 1.25)
    face = ellipse(patch.u, patch.v - 0.1, width - 0.045, 0.53)
    hairline = np.maximum(np.minimum(np.minimum(parted, _fringe(scene, patch)), -face), patch.v)
    under_hat = -0.36 - patch.v - (1 - scene.has["hat"])
    outside = np.maximum(outside, under_hat)
    patch.paint(patch.cover(np.maximum(outside, hairline - 0.028)), scene.colours.hair_edge)
    share = patch.cover(np.maximum(outside, hairline))
    patch.paint(share, scene.colours.hair)
    crease = patch.line(patch.u - part * (0.4 - patch.v * 1.4), 0.009)
    crease *= patch.soft(np.abs(patch.v + 0.49) - 0.06, 0.1) * share
    patch.paint(crease, scene.colours.hair_shade)
    shine = patch.line(ellipse(patch.u, patch.v + 0.02, width - 0.06, 0.53), 0.022)
    shine *= patch.soft(np.abs(patch.u + 0.14) - 0.14, 0.08)
    patch.paint(shine * share, scene.colours.hair_light)


def _fringe(scene: Scene, patch: Patch) -> Plane:
    """Distance to a fringe that reaches to the brows; out of reach of those who have none."""
    return parabola(patch.u, patch.v + 0.185, 0.3) + (1 - scene.has["fringe"])


def hat(scene: Scene) -> None:
    """A knitted hat with a turned-up band and a bobble; it leaves the hair at the sides to be seen."""
    if not scene.has["hat"].any():
        return
    worn = scene.has["hat"]
    patch = scene.on_head((-0.62, -1.0, 0.62, -0.18))
    width = scene.head_half_width
    bobble = patch.cover(circle(patch.u, patch.v + 0.83, 0.115)) * worn
    patch.paint(bobble, scene.colours.hat_band)
    crown = ellipse(patch.u, patch.v + 0.33, width + 0.07, 0.45)
    crown = patch.cover(np.maximum(crown, patch.v + 0.3)) * worn
    patch.paint(crown, scene.colours.hat)
    lit = ellipse(patch.u + 0.1, patch.v + 0.27, width + 0.04, 0.46)
    patch.paint(crown * patch.soft(-lit, 0.12), scene.colours.hat_shade)
    height = patch.v + 0.395 - patch.u * patch.u * 0.2
    band = patch.cover(box(patch.u, height, width + 0.095, 0.095, 0.07)) * worn
    patch.paint(band, scene.colours.hat_band)
    rib = patch.u * 9
    rib -= np.floor(rib)
    ribs = patch.line((rib - 0.5) * (1 / 9), 0.011) * patch.soft(np.abs(height) - 0.06, 0.04)
    patch.paint(ribs * band * 0.55, scene.colours.hat)
