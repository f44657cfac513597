"""Walks through a trained model's latent space: morphs through keyframes, and one dimension at a time.

Letters: K keyframes, D numbers in a latent, T pictures of a walk.
"""

from __future__ import annotations

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

Way = Literal["auto", "spherical", "straight"]

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
    """One latent with one dimension after another moved.

    Attributes:
        dims: which, the first in rank first.
        scores: what they were ranked by.
        by: "kl", nats that the dimension holds of a held-out picture; or "change", the mean difference of pixels in
            0..255 between both ends.
        stops: where the dimension is put, in standard deviations from its mean.
        images: uint8 [dims, T, C, H, W].
    """

    dims: list[int]
    scores: list[float]
    by: Literal["kl", "change"]
    stops: list[float]
    images: np.ndarray


def traverse(
    model: TrainedModel | Path | str, dims: int = 8, *, seed: int = 0, reach: float = 3.0, stops: int = 7
) -> Traversal:
    """Move one dimension at a time of a seed's latent from `-reach` to `reach` standard deviations; deterministic.

    Dimensions are ranked by what they hold: of a VAE whose prior is standard normal and whose own pictures can be
    opened, the divergence from the prior; else by how much the pictures change.

    Args:
        model: a trained model, or the path of its run.
        dims: how many dimensions, at most.
        seed: of the latent that is moved, and of what a conditional model is told.
        reach: how far either way.
        stops: pictures a dimension.

    Raises:
        InputError: the latent is no vector, or a number is out of range.
    """
    model = model if isinstance(model, TrainedModel) else load(model)
    if len(model.network.latent.shape) != 1:
        raise InputError(
            f"a {model.config.family} has a grid of codes and no single dimensions to traverse; morph works with it"
        )
    if dims < 1 or stops < 2 or not 0 < reach < np.inf:
        raise InputError(f"dims (={dims}) must be at least 1, stops (={stops}) at least 2, reach (={reach:g}) above 0")
    centre, spread = _spread(model)
    told = model.conditions([seed])
    z = model.latents([seed], conditions=told)[0]
    held = _held_by_each(model)
    scores = _changed_by_each(model, centre, spread, reach) if held is None else held
    ranked = np.argsort(-scores, kind="stable")[:dims]
    at = np.linspace(-reach, reach, stops)
    moved = np.tile(z, (len(ranked), stops, 1))
    for row, dim in enumerate(ranked):
        moved[row, :, dim] = centre[dim] + at * spread[dim]
    flat = moved.reshape(-1, len(z))
    images = model.decode(flat, None if told is None else np.repeat(told, len(flat), axis=0))
    return Traversal(
        ranked.tolist(),
        scores[ranked].tolist(),
        "change" if held is None else "kl",
        at.tolist(),
        images.reshape(len(ranked), stops, *images.shape[1:]),
    )


def _spread(model: TrainedModel) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each dimension, [D]: the Gaussian prior's, or those of latents that are drawn."""
    size = model.network.latent.shape[0]
    if model.network.latent.prior == "normal":
        return np.zeros(size, np.float32), np.ones(size, np.float32)
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
            total += kl_standard_normal_per_dimension(q.mu, q.logvar).double().sum(dim=0).cpu()
    return (total / len(images)).numpy()


def _changed_by_each(model: TrainedModel, centre: np.ndarray, spread: np.ndarray, reach: float) -> np.ndarray:
    """Mean difference of pixels, 0 to 255, between both ends of each dimension, [D]."""
    seeds = range(_FOR_CHANGE)
    told = model.conditions(seeds)
    z = model.latents(seeds, conditions=told)
    change = np.empty(z.shape[1])
    for dim in range(z.shape[1]):
        ends = []
        for way in (-reach, reach):
            moved = z.copy()
            moved[:, dim] = centre[dim] + way * spread[dim]
            ends.append(model.decode(moved, told).astype(np.float64))
        change[dim] = np.abs(ends[1] - ends[0]).mean()
    return change
