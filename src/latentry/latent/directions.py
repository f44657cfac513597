"""Directions that no label names, found in the latents or in the generator, ranked.

    Härkönen et al. 2020, "GANSpace" (arXiv:2004.02546): principal components of latents or of early activations.
    Shen and Zhou 2021, "Closed-form factorization of latent semantics in GANs" (SeFa, arXiv:2007.06600).

Letters: N latents, D numbers in one, F activations, k directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentry.errors import InputError


@dataclass(frozen=True)
class Directions:
    """Directions of latent space, the strongest first.

    Attributes:
        vectors: of length 1, float64 [k, D]; the largest coordinate of each is positive.
        share: of all variance (SeFa: of the squared gain) that each has, [k].
    """

    vectors: np.ndarray
    share: np.ndarray


def principal_directions(z: np.ndarray, k: int | None = None) -> Directions:
    """The k orthogonal directions along which latents [N, D] vary most."""
    axes, share, _ = _principal(z, k)
    return Directions(_facing(axes), share)


def activation_directions(z: np.ndarray, activations: np.ndarray, k: int | None = None) -> Directions:
    """Directions of latent space that move the k principal components of early activations; GANSpace, section 2.3.

    The components' coordinates x of each picture are carried back by the U that minimises the sum of |U x - z|^2; its
    columns are the directions. They need not be orthogonal.

    Args:
        z: latents, [N, D].
        activations: of the same pictures in an early layer, [N, F].
        k: how many, D at most; None for as many as there can be.
    """
    _, share, x = _principal(activations, min(k or z.shape[1], z.shape[1]))
    z = z.astype(np.float64)
    back = np.linalg.lstsq(x, z - z.mean(axis=0), rcond=None)[0]  # [k, D]
    moved = np.linalg.norm(back, axis=1) > 1e-9
    return Directions(_facing(back[moved] / np.linalg.norm(back[moved], axis=1, keepdims=True)), share[moved])


def weight_directions(weight: np.ndarray, k: int | None = None) -> Directions:
    """The k orthogonal directions to which a first layer answers most; SeFa, Eq. 6.

    The eigenvectors of A'A by falling eigenvalue.

    Args:
        weight: A, of the layer that reads the latent, [F, D].
        k: how many; None for all D.
    """
    _, gains, axes = np.linalg.svd(weight.astype(np.float64), full_matrices=False)
    energy = np.square(gains)
    return Directions(_facing(axes[:k]), (energy / max(energy.sum(), 1e-300))[:k])


def _principal(x: np.ndarray, k: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The principal axes [k, D] of rows [N, D], their shares of the variance, and the rows in them, [N, k]."""
    if len(x) < 2:
        raise InputError(f"{len(x)} latents have no principal directions; give at least 2")
    centred = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    variance = np.square(sizes)
    there = sizes > 1e-10 * max(sizes[0], 1e-300)  # N latents span at most N - 1 dimensions
    axes, share = axes[there][:k], (variance / max(variance.sum(), 1e-300))[there][:k]
    return axes, share, centred @ axes.T


def _facing(vectors: np.ndarray) -> np.ndarray:
    """The vectors [k, D] turned so that the largest coordinate of each is positive: an axis has no sign of its own."""
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return vectors * np.where(signs == 0, 1, signs)[:, None]
