"""The small shapes on the face: blush, beard, nose, mouth, eyes, brows, glasses, earrings. u right, v down."""

from __future__ import annotations

import numpy as np

from latentry.data.faces.canvas import Patch, Plane, box, circle, ellipse, parabola
from latentry.data.faces.colours import INK, WHITE
from latentry.data.faces.figure import head_shape
from latentry.data.faces.scene import Scene

EYE_U, EYE_V = 0.19, -0.03
MOUTH_V = 0.285

LIP_DARK = np.array([[0.42, 0.11, 0.16]], np.float32)
TONGUE = np.array([[0.93, 0.42, 0.45]], np.float32)
GOLD = np.array([[1.0, 0.78, 0.24]], np.float32)
RIM = np.array([[0.15, 0.15, 0.22]], np.float32)


def blush(scene: Scene) -> None:
    """Rosy cheeks, low enough to show under glasses and painted over the edge of a beard."""
    patch = scene.on_head((-0.5, 0.06, 0.5, 0.34)).mirrored()
    cheek = ellipse(patch.u - scene.head_half_width * 0.67, patch.v - 0.2, 0.098, 0.074)
    patch.paint(patch.soft(cheek, 0.05) * scene.has["blush"], scene.colours.blush)


def beard(scene: Scene) -> None:
    """A full beard with a moustache, in the colour of the hair."""
    if not scene.has["beard"].any():
        return
    patch = scene.on_head((-0.56, -0.06, 0.56, 0.64)).mirrored()
    width = scene.head_half_width
    outline = head_shape(patch, width, grow=0.035)
    bare = box(patch.u, patch.v + 0.2, width * 0.84, 0.44, 0.22)
    below_ears = -0.02 - patch.v
    moustache = ellipse(patch.u - 0.095, patch.v - 0.215 - patch.u * 0.18, 0.13, 0.055)
    shape = np.minimum(np.maximum(np.maximum(outline, -bare), below_ears), moustache)
    patch.paint(patch.cover(shape) * scene.has["beard"], scene.colours.hair_edge)
    patch.paint(patch.cover(shape + 0.026) * scene.has["beard"], scene.colours.beard)


def nose(scene: Scene) -> None:
    """A small round nose with a highlight."""
    patch = scene.on_head((-0.1, 0.02, 0.1, 0.2))
    patch.paint(patch.cover(ellipse(patch.u, patch.v - 0.115, 0.062, 0.048)), scene.colours.skin_line)
    light = patch.cover(ellipse(patch.u + 0.008, patch.v - 0.098, 0.05, 0.036))
    patch.paint(light, scene.colours.skin)


def mouth(scene: Scene) -> None:
    """An open smile with teeth and tongue, or closed lips whose corners point down."""
    patch = scene.on_head((-0.3, 0.15, 0.3, 0.5))
    v = patch.v - MOUTH_V
    half_width = scene.number["mouth_width"] * 0.165
    if scene.has["smiling"].any():
        _smile(scene, patch, v, half_width)
    if not scene.has["smiling"].all():
        half_width = half_width * 0.68
        lips = np.abs(parabola(patch.u, v - 0.055, 0.9)) - 0.03
        lips = np.maximum(lips + patch.u * patch.u * 1.2, np.abs(patch.u) - half_width)
        patch.paint(patch.cover(lips) * (1 - scene.has["smiling"]), scene.colours.lip)


def _smile(scene: Scene, patch: Patch, v: Plane, half_width: Plane) -> None:
    """The open smile: between a flat curve above and a deep one below that meet at its corners."""
    narrow = 1 / (half_width * half_width)
    upper = parabola(patch.u, v - 0.012, -0.035 * narrow)
    lower = parabola(patch.u, v - 0.15, -0.173 * narrow)
    shape = np.maximum(-upper, lower)
    share = patch.cover(shape - 0.012) * scene.has["smiling"]
    patch.paint(share, LIP_DARK)
    inside = patch.cover(shape + 0.008) * scene.has["smiling"]
    patch.paint(inside * patch.cover(circle(patch.u, v - 0.19, 0.1)), TONGUE)
    patch.paint(inside * patch.cover(upper - 0.055), WHITE)


def eyes(scene: Scene) -> None:
    """Both eyes; the one on the right of the picture is closed in a wink."""
    for side in (-1, 1):
        closed = scene.has["winking"] if side == 1 else np.zeros_like(scene.has["winking"])
        patch = scene.on_head((side * EYE_U - 0.17, EYE_V - 0.2, side * EYE_U + 0.17, EYE_V + 0.17))
        u, v = patch.u - (side * EYE_U), patch.v - EYE_V
        if not closed.all():
            _open_eye(scene, patch, u, v, 1 - closed)
        if closed.any():
            half_width = scene.number["eye_size"] * 0.105
            fold = parabola(u, v + 0.035, 5.5)
            fold = np.maximum(np.abs(fold) - 0.022, np.abs(u) - half_width)
            patch.paint(patch.cover(fold) * closed, INK)


def _open_eye(scene: Scene, patch: Patch, u: Plane, v: Plane, opened: Plane) -> None:
    """White, iris, pupil, highlight and upper lid of one eye. u, v are relative to its centre."""
    size = scene.number["eye_size"]
    white = ellipse(u, v, size * 0.098, size * 0.112)
    lid = patch.cover(np.maximum(white - 0.022, v + 0.02)) * opened
    patch.paint(lid, INK)
    share = patch.cover(white) * opened
    patch.paint(share, WHITE)
    u = u - scene.number["gaze"] * 0.036
    v = v - 0.008
    patch.paint(share * patch.cover(circle(u, v, size * 0.082)), scene.colours.iris)
    patch.paint(share * patch.cover(circle(u, v, size * 0.05)), INK)
    glint = patch.cover(circle(u + size * 0.026, v + size * 0.03, size * 0.024))
    patch.paint(share * glint, WHITE)


def brows(scene: Scene) -> None:
    """Two eyebrows, thicker in the middle than at their ends."""
    patch = scene.on_head((-0.34, -0.32, 0.34, -0.1)).mirrored()
    u = patch.u - EYE_U
    v = patch.v + 0.2 + scene.number["brow"] * 0.03
    curve = np.abs(parabola(u, v, 2.2))
    taper = 0.026 - u * u * 1.3
    patch.paint(patch.cover(np.maximum(curve - taper, np.abs(u) - 0.11)), scene.colours.brow)


def glasses(scene: Scene) -> None:
    """Round glasses: dark rims, a bridge, temples to the ears, a tint and a glint on each lens."""
    if not scene.has["glasses"].any():
        return
    worn = scene.has["glasses"]
    patch = scene.on_head((-0.6, -0.25, 0.6, 0.2)).mirrored()
    u, v = patch.u - (EYE_U + 0.01), patch.v - (EYE_V - 0.01)
    lens = circle(u, v, 0.152)
    glass = patch.cover(lens) * worn
    patch.paint(glass * 0.13, WHITE)
    streak = patch.cover(np.abs(u + v * 0.6 - 0.06) - 0.016)
    patch.paint(glass * streak * 0.35, WHITE)
    bridge = np.maximum(np.abs(v + 0.03) - 0.02, patch.u - 0.06)
    beyond = np.maximum(patch.u - scene.head_half_width + 0.01, 0.35 - patch.u)
    temple = np.maximum(np.abs(v + 0.03) - 0.02, beyond)
    frame = np.minimum(np.minimum(np.abs(lens) - 0.021, bridge), temple)
    patch.paint(patch.cover(frame) * worn, RIM)


def earrings(scene: Scene) -> None:
    """A gold disc under each ear, with a dark edge that shows on any hair and background."""
    if not scene.has["earrings"].any():
        return
    patch = scene.on_head((-0.66, 0.08, 0.66, 0.34)).mirrored()
    u, v = patch.u - scene.head_half_width - 0.045, patch.v - 0.21
    disc = circle(u, v, 0.07)
    patch.paint(patch.cover(disc) * scene.has["earrings"], INK)
    patch.paint(patch.cover(disc + 0.02) * scene.has["earrings"], GOLD)
