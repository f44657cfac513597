"""Paths between latents: straight, or along the sphere that a Gaussian prior lies on.

    Shoemake 1985, "Animating rotation with quaternion curves" (SIGGRAPH): the interpolation along a great circle.
    White 2016, "Sampling generative networks" (arXiv:1609.04468): for latents, where a straight line between two draws
    from N(0, I) passes through lengths that the prior never has.

Differs from the papers in: latents of different length turn at constant speed all the same, while their length changes
in proportion to time. For equal lengths it is Shoemake's formula.

Letters: T moments, K keyframes.
"""

from __future__ import annotations

import numpy as np

from latentry.errors import InputError

_PARALLEL = 1e-12  # of the squared sine, in float64: below, no plane to turn in can be told


def lerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points of the straight line, float64 [T, ...], from a [...] at moment 0 to b [...] at moment 1."""
    t = _moments(t, a)
    return np.where(t == 1, b, a + t * (b.astype(np.float64) - a))


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points of the arc, float64 [T, ...], from a [...] at moment 0 to b [...] at moment 1, at constant angular speed.

    The length goes from a's to b's in proportion to t. Parallel latents, of which opposite ones are a case, span no
    plane: between them, and from zero, the path is `lerp`'s.
    """
    u, v = (end.astype(np.float64).ravel() for end in (a, b))
    long_u, long_v = np.linalg.norm(u), np.linalg.norm(v)
    if long_u == 0 or long_v == 0:
        return lerp(a, b, t)
    u, v = u / long_u, v / long_v
    across = v - (u @ v) * u  # what of v is orthogonal to u; its length is the sine
    if across @ across < _PARALLEL:
        return lerp(a, b, t)
    angle = np.arctan2(np.linalg.norm(across), u @ v)  # exact for small angles, where the arc cosine is not
    t = np.asarray(t, np.float64)[:, None]
    turned = (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)  # Shoemake 1985, section 3.3
    points = (((1 - t) * long_u + t * long_v) * turned).reshape(-1, *a.shape)
    t = _moments(t.ravel(), a)
    return np.where(t == 0, a, np.where(t == 1, b, points))


def through(keyframes: np.ndarray, frames: int, *, spherical: bool, loop: bool = False) -> np.ndarray:
    """Evenly timed points of a path through keyframes, [frames, ...] of the keyframes' type.

    Each stretch between neighbours takes the same time. An open path begins at the first keyframe and ends at the last;
    a closed one goes on to the first, and its last point is one step before that, so that it can be shown on and on.

    Args:
        keyframes: [K, ...], at least two.
        frames: how many points, at least two.
        spherical: along arcs, for latents from a Gaussian prior; else along straight lines.
        loop: back to the first keyframe.

    Raises:
        InputError: too few keyframes or frames.
    """
    n = len(keyframes)
    if n < 2:
        raise InputError(f"a path needs at least two keyframes, not {n}; give more seeds or pictures")
    if frames < 2:
        raise InputError(f"frames (={frames}) must be at least 2, for a beginning and an end")
    between = slerp if spherical else lerp
    # Whole numbers divided once: a moment that falls on a keyframe is it exactly.
    stretches, steps = (n, frames) if loop else (n - 1, frames - 1)
    segment, part = np.divmod(np.arange(frames) * stretches, steps)
    part = part / steps
    part[segment == stretches], segment[segment == stretches] = 1.0, stretches - 1  # an open path's end
    points = np.empty((frames, *keyframes.shape[1:]), keyframes.dtype)
    for k in np.unique(segment):
        points[segment == k] = between(keyframes[k], keyframes[(k + 1) % n], part[segment == k])
    return points


def _moments(t: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Moments [T] beside points of some shape, [T, 1, ...]."""
    return np.asarray(t, np.float64).reshape(-1, *([1] * like.ndim))
