"""From factors to pictures, many at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from latentry.data.faces import features, figure
from latentry.data.faces.factors import ATTRIBUTES, NUMBERS, Attributes, Numbers, check_factors, face_factors
from latentry.data.faces.scene import Scene
from latentry.data.labels import AttributeLabels, ContinuousLabels, Labels
from latentry.errors import InputError

LAYERS = (
    figure.background,
    figure.long_hair_behind,
    figure.shoulders,
    figure.neck,
    figure.long_hair_in_front,
    figure.ears,
    figure.head,
    features.beard,
    features.blush,
    features.nose,
    features.mouth,
    figure.hair,
    features.eyes,
    features.brows,
    figure.hat,
    features.glasses,
    features.earrings,
)
"""What is painted, back to front."""

SMALLEST_PX, LARGEST_PX = 8, 2048
FINE_PX = 64
"""Below about this size details are smaller than a pixel, so pictures are painted larger and averaged."""

CHUNK_PX = 1 << 17
"""Pixels painted together: few enough for a processor's cache, enough that threads seldom wait for the interpreter."""


def faces(n: int = 20_000, size_px: int = 64, seed: int = 0) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Cartoon faces with everything known about each. The first k faces do not depend on `n`.

    Args:
        n: how many.
        size_px: width and height, 8 to 2048.
        seed: every seed gives its own, endless sequence of faces.

    Returns:
        pictures, uint8 [n, 3, size_px, size_px], and labels: attributes and numbers as `face_factors` draws them.
    """
    attributes, numbers = face_factors(n, seed)
    labels = Labels(
        attributes=AttributeLabels(values=attributes, names=tuple(ATTRIBUTES)),
        numbers=ContinuousLabels(values=numbers, names=tuple(NUMBERS)),
    )
    return render_faces(attributes, numbers, size_px), labels


def render_faces(
    attributes: npt.NDArray[np.generic], numbers: npt.NDArray[np.generic], size_px: int
) -> npt.NDArray[np.uint8]:
    """Draw faces. A pure function: each picture depends on its own row of factors and the size only.

    Args:
        attributes: 0 or 1, [N, A], columns as in `ATTRIBUTES`.
        numbers: [N, K], columns, units and ranges as in `NUMBERS`.
        size_px: width and height, 8 to 2048; the drawing is the same at every size.

    Returns:
        pictures, uint8 [N, 3, size_px, size_px].
    """
    if not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise InputError(f"size_px (={size_px}) must lie between {SMALLEST_PX} and {LARGEST_PX} pixels")
    flags, exact = check_factors(attributes, numbers)
    pictures = np.empty((len(flags), 3, size_px, size_px), np.uint8)
    # Faces that wear the same things are drawn together: what nobody in a chunk wears costs nothing.
    order = np.lexsort((exact[:, 0], *flags.T))
    finer = max(1, round(FINE_PX / size_px))
    chunk = max(1, CHUNK_PX // (finer * size_px) ** 2)

    def draw(start: int) -> None:
        rows = order[start : start + chunk]
        pictures[rows] = _draw_chunk(flags[rows], exact[rows], size_px, finer)

    with ThreadPoolExecutor(max_workers=_cpus()) as pool:
        for _ in pool.map(draw, range(0, len(order), chunk)):
            pass
    return pictures


def _draw_chunk(attributes: Attributes, numbers: Numbers, size_px: int, finer: int) -> npt.NDArray[np.uint8]:
    """Paint every layer of a few faces, average `finer` x `finer` pixels and round to uint8, [F, 3, S, S]."""
    scene = Scene.of(attributes, numbers, finer * size_px)
    for layer in LAYERS:
        layer(scene)
    offsets = [(row, column) for row in range(finer) for column in range(finer)]
    total = scene.canvas[:, :, ::finer, ::finer].copy()
    for row, column in offsets[1:]:  # one at a time: the order of a sum must not depend on how many faces there are
        total += scene.canvas[:, :, row::finer, column::finer]
    total *= 255 / finer**2
    return np.rint(total, out=total).clip(0, 255).astype(np.uint8)


def _cpus() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
