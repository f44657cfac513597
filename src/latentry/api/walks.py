"""Walks through a trained model's latent space: morphs through keyframes, and one dimension at a time.

Letters: K keyframes, D numbers in a latent, R rows of a sheet, T pictures of a walk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from latentry.api.opening import load, open_for_model
from latentry.data import to_float
from latentry.errors import InputError
from latentry.latent import through
from latentry.losses import kl_standard_normal_per_dimension
from latentry.models.trained import TrainedModel
from latentry.models.vae import VAE
from latentry.precision import float64

Way = Literal["auto", "spherical", "straight"]

Along = Callable[[np.ndarray, np.ndarray], np.ndarray]  # a latent [D] and T stops to [R, T, D], a row moved each

_FOR_SPREAD = 2000  # latents that the spread of a dimension is measured on, with seeds from 0
_FOR_KL = 512  # held-out pictures
_FOR_CHANGE = 8  # latents around which the change of a dimension is measured, with seeds from 0


def morph(
    model: TrainedModel | Path | str,
    keyframes: np.ndarray,
    conditions: np.ndarray | None = None,
    *,
    frames: int = 24,
    loop: bool = False,
    way: Way = "auto",
    keep_condition: bool = False,
) -> np.ndarray:
    """Pictures on the way through keyframes, uint8 [frames, C, H, W], evenly timed; see `latentry.latent.through`.

    Args:
        model: a trained model, or the path of its run.
        keyframes: latents, float32 [K, *latent shape].
        conditions: what a conditional model is told of each, [K, C].
        frames: how many pictures.
        loop: back to the first keyframe.
        way: along arcs or straight lines; auto takes arcs where the prior is Gaussian.
        keep_condition: tell of every picture what is told of the first keyframe; else what is told changes on the way.

    Raises:
        InputError: too few keyframes or frames, or they are not the model's.
    """
    model = model if isinstance(model, TrainedModel) else load(model)
    gaussian = model.network.latent.prior == "normal"
    z = through(keyframes, frames, spherical=gaussian if way == "auto" else way == "spherical", loop=loop)
    if conditions is None:
        return model.decode(z)
    if keep_condition:
        return model.decode(z, np.repeat(conditions[:1], frames, axis=0))
    return model.decode(z, through(conditions, frames, spherical=False, loop=loop))


@dataclass(frozen=True)
class Traversal:
    """One latent moved along one dimension after another, or along one named vector after another.

    Attributes:
        names: of the dimensions, counted from 0, or of the vectors; the first in rank first.
        scores: what they were ranked by.
        by: "kl", nats that the dimension holds of a held-out picture; or "change", the mean difference of pixels in
            0..255 between both ends.
        stops: where a dimension is put, in standard deviations from its mean; or a vector's doses.
        images: uint8 [R, T, C, H, W].
    """

    names: list[str]
    scores: list[float]
    by: Literal["kl", "change"]
    stops: list[float]
    images: np.ndarray


def traverse(
    model: TrainedModel | Path | str,
    dims: int = 8,
    *,
    vectors: Sequence[str] | None = None,
    seed: int = 0,
    reach: float = 3.0,
    stops: int = 7,
) -> Traversal:
    """Move a seed's latent along one dimension, or one named vector, at a time; deterministic.

    Dimensions are ranked by what they hold: of a VAE whose prior is standard normal and whose own pictures can be
    opened, the divergence from the prior; else, as vectors always, by how much the pictures change.

    Args:
        model: a trained model, or the path of its run.
        dims: how many dimensions, at most; not read with `vectors`.
        vectors: names of vectors kept with the model, to follow instead; empty for all of them.
        seed: of the latent that is moved, and of what a conditional model is told.
        reach: how far either way: standard deviations of a dimension, or doses of a vector.
        stops: pictures a row.

    Raises:
        InputError: the latent is no vector, a vector is unknown, or a number is out of range.
    """
    model = model if isinstance(model, TrainedModel) else load(model)
    if dims < 1 or stops < 2 or not 0 < reach < np.inf:
        raise InputError(f"dims (={dims}) must be at least 1, stops (={stops}) at least 2, reach (={reach:g}) above 0")
    names, along = _dimensions(model) if vectors is None else _vectors(model, vectors)
    told = model.conditions([seed])
    at = np.linspace(-reach, reach, stops)
    z = along(model.latents([seed], conditions=told)[0], at)
    held = _held_by_each(model) if vectors is None else None
    scores = _changed_by_each(model, along, reach) if held is None else held
    ranked = np.argsort(-scores, kind="stable")[: dims if vectors is None else None]
    flat = z[ranked].reshape(-1, *z.shape[2:])
    images = model.decode(flat, None if told is None else np.repeat(told, len(flat), axis=0))
    return Traversal(
        [names[row] for row in ranked],
        scores[ranked].tolist(),
        "change" if held is None else "kl",
        at.tolist(),
        images.reshape(len(ranked), stops, *images.shape[1:]),
    )


def _dimensions(model: TrainedModel) -> tuple[list[str], Along]:
    """The dimensions by number, and what puts each of a latent's at so many standard deviations from its mean."""
    if len(model.network.latent.shape) != 1:
        raise InputError(
            f"a {model.config.family} has a grid of codes and no single dimensions to traverse; try --vectors or morph"
        )
    centre, deviation = spread(model)

    def along(z: np.ndarray, at: np.ndarray) -> np.ndarray:
        moved = np.tile(z, (len(z), len(at), 1))
        for dim in range(len(z)):
            moved[dim, :, dim] = centre[dim] + at * deviation[dim]
        return moved

    return [str(dim) for dim in range(len(centre))], along


def _vectors(model: TrainedModel, names: Sequence[str]) -> tuple[list[str], Along]:
    """The vectors' names, and what adds so many doses of each to a latent."""
    names = list(dict.fromkeys(names)) or model.vectors.names
    if not names:
        raise InputError("this model has no vectors yet; `latentry attributes` or `latentry directions` finds some")
    directions = np.stack([model.vectors.find(name).direction for name in names])

    def along(z: np.ndarray, at: np.ndarray) -> np.ndarray:
        return (z + at.reshape(-1, *([1] * z.ndim)) * directions[:, None]).astype(np.float32)

    return names, along


def spread(model: TrainedModel) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each number of a latent, [*latent shape]: the Gaussian prior's, or of latents drawn."""
    latent = model.network.latent
    if latent.prior == "normal":
        return np.zeros(latent.shape, np.float32), np.ones(latent.shape, np.float32)
    seeds = range(_FOR_SPREAD)
    z = model.latents(seeds, conditions=model.conditions(seeds))
    return z.mean(axis=0), z.std(axis=0)


def _held_by_each(model: TrainedModel) -> np.ndarray | None:
    """Nats that each dimension holds of a held-out picture, [D]; None where there is no such thing or no picture."""
    network = model.network
    if not isinstance(network, VAE) or network.vampprior is not None:
        return None
    try:
        images, conditions = open_for_model(model, None, _FOR_KL)
    except InputError:  # the data were given in Python, or are no longer there
        return None
    total = torch.zeros(network.latent.shape[0], dtype=torch.float64)
    with torch.inference_mode():
        for start in range(0, len(images), 128):
            x = to_float(torch.from_numpy(images[start : start + 128])).to(model.device)
            told = None
            if conditions is not None:
                told = torch.from_numpy(conditions[start : start + 128]).to(model.device)
            q = network.posterior(x, told)
            total += float64(kl_standard_normal_per_dimension(q.mu, q.logvar)).sum(dim=0).cpu()
    return (total / len(images)).numpy()


def _changed_by_each(model: TrainedModel, along: Along, reach: float) -> np.ndarray:
    """Mean difference of pixels, 0 to 255, between both ends of each row, [R], over a few latents."""
    seeds = range(_FOR_CHANGE)
    told = model.conditions(seeds)
    changes = []
    for row, z in enumerate(model.latents(seeds, conditions=told)):
        ends = along(z, np.array([-reach, reach]))
        flat = ends.reshape(-1, *z.shape)
        made = model.decode(flat, None if told is None else np.repeat(told[row : row + 1], len(flat), axis=0))
        made = made.reshape(len(ends), 2, -1).astype(np.float64)
        changes.append(np.abs(made[:, 1] - made[:, 0]).mean(axis=1))
    return np.asarray(np.mean(changes, axis=0))
