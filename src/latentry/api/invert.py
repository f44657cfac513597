"""Inversion of pictures with a trained model: their latents, how near its pictures come, whether it knows their kind.

The verdict's rule. The model's own held-out pictures are inverted in the same way. A picture is *outside* what the
model knows where its nearest picture resembles it (SSIM) less than those of 95 % of the held-out pictures resemble
theirs; so one in twenty pictures of the model's own kind is called outside too.

Letters: N pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from latentry.api.labelled import split_rows
from latentry.api.opening import load, open_set_for_model
from latentry.api.yardstick import Yardstick, make_yardstick, read_yardstick
from latentry.data import ImageSet, condition_vectors, to_float
from latentry.errors import InputError
from latentry.latent.inversion import Decode, Distance, PerPicture, best_of, invert
from latentry.metrics.similarity import psnr, ssim
from latentry.models.inverse import FOLDER, Inverse, fit_encoder, write_inverse
from latentry.models.trained import TrainedModel
from latentry.training.rng import rng_for

Say = Callable[[str], None]
Start = Literal["encoder", "draws"]

OUTSIDE = 0.05  # share of the model's own held-out pictures that the verdict calls outside
_TOGETHER = 32  # pictures inverted at once


@dataclass(frozen=True)
class InversionSettings:
    """How pictures are inverted."""

    start: Start = "encoder"
    """where the search starts: the encoder's answer, or the nearest of many draws from the prior"""
    steps: int = 150
    """of the search; 0 keeps the start"""
    lr: float = 0.1
    """the largest step of one coordinate, about"""
    draws: int = 512
    """of start=draws: how many, with seeds from 0"""
    feature_weight: float = 0.01
    """of the squared distance in features, beside the mean squared difference of pixels"""
    prior_weight: float = 0.001
    """of minus the latent's log density, by its size"""

    def __post_init__(self) -> None:
        """Refuse what cannot be searched with."""
        if self.start not in ("encoder", "draws"):
            raise InputError(f"start (={self.start!r}) must be encoder or draws")
        if self.steps < 0 or self.draws < 1:
            raise InputError(f"steps (={self.steps}) must be 0 or more and draws (={self.draws}) at least 1")
        if not (self.lr > 0 and self.feature_weight >= 0 and self.prior_weight >= 0):
            raise InputError(
                f"lr (={self.lr}) must be above 0, feature-weight (={self.feature_weight}) and prior-weight "
                f"(={self.prior_weight}) 0 or more"
            )


@dataclass(frozen=True)
class Inverted:
    """Pictures, where their search started, and what it found.

    Attributes:
        images: as they were given, uint8 [N, C, H, W].
        first, made: the model's pictures at the start and at the end, uint8 [N, C, H, W].
        z_start, z: their latents, float32 [N, *latent shape].
        loss_start, loss: what was descended, float32 [N].
        threshold: the least SSIM of a picture that is inside; None where nothing was measured to tell by.
        distance: in features, [N], in units of the mean distance between two held-out pictures; None likewise.
    """

    images: np.ndarray
    first: np.ndarray
    made: np.ndarray
    z_start: np.ndarray
    z: np.ndarray
    loss_start: np.ndarray
    loss: np.ndarray
    threshold: float | None
    distance: np.ndarray | None

    @property
    def inside(self) -> np.ndarray | None:
        """Whether the model knows pictures of this kind, bool [N]."""
        return None if self.threshold is None else self.ssim >= self.threshold

    @property
    def ssim(self) -> np.ndarray:
        """Structural similarity of each picture and what was found, [N]."""
        return ssim(self.images, self.made)

    def to_json(self) -> list[dict[str, Any]]:
        """One record a picture."""
        columns: dict[str, np.ndarray] = {
            "psnr_db_start": psnr(self.images, self.first),
            "psnr_db": psnr(self.images, self.made),
            "ssim_start": ssim(self.images, self.first),
            "ssim": self.ssim,
            "loss_start": self.loss_start,
            "loss": self.loss,
        }
        if self.distance is not None:
            columns["feature_distance"] = self.distance
        rows = [{name: _finite(value[i]) for name, value in columns.items()} for i in range(len(self.images))]
        inside = self.inside
        return rows if inside is None else [row | {"inside": bool(i)} for row, i in zip(rows, inside, strict=True)]


def invert_pictures(
    model: TrainedModel | Path | str,
    images: np.ndarray,
    conditions: np.ndarray | None = None,
    settings: InversionSettings | None = None,
) -> Inverted:
    """Find the latents whose pictures are nearest to given ones; deterministic.

    Args:
        model: a trained model, or the path of its run.
        images: uint8 [N, C, H, W], at the model's size.
        conditions: what a conditional model is told of them, [N, K].
        settings: of the search.

    Raises:
        InputError: the model has no encoder to start from, or the pictures are not what it takes.
    """
    model = model if isinstance(model, TrainedModel) else load(model)
    settings = settings or InversionSettings()
    yardstick = None
    if model.inverse is not None:
        yardstick = read_yardstick(model.path / FOLDER, model.inverse.facts, model.network.image.channels)
    inverted = _search(model, images, conditions, settings, yardstick)
    known = model.inverse is not None and model.inverse.facts["settings"] == asdict(settings)
    threshold = model.inverse.facts["threshold"] if model.inverse is not None and known else None
    return dataclasses.replace(inverted, threshold=threshold)


def fit_inversion(
    model: TrainedModel | Path | str,
    settings: InversionSettings | None = None,
    *,
    data: Any = None,
    n_images: int = 100_000,
    n_held_out: int = 128,
    seed: int = 0,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Learn what `invert_pictures` needs, and keep it with the model in place of what was kept before.

    Of a model without an encoder, one; of every model, how near it comes to its own held-out pictures.

    Args:
        model: a trained model, or the path of its run.
        settings: of the search, for which the verdict will hold.
        data: the pictures that the model was trained on, where they were given in Python; else they are opened again.
        n_images: generated pictures to train the encoder on.
        n_held_out: held-out pictures to invert, at most.
        seed: every random choice derives from it.
        say: told how it goes.

    Returns:
        What was measured.

    Raises:
        InputError: the run has not ended, its pictures cannot be opened, or they are points of a toy world.
    """
    model = model if isinstance(model, TrainedModel) else load(model)
    settings = settings or InversionSettings()
    _refuse_points(model)
    if not (model.path / "model.safetensors").is_file():
        raise InputError(
            f"{model.path} has not ended, and its weights will change; continue it with latentry train --resume "
            f"{model.path}"
        )
    images = data if isinstance(data, ImageSet) else open_set_for_model(model, data)
    encoder, facts = None, None
    if model.network.encode is None:
        rng = rng_for(seed, "inverse", device=model.device)
        encoder, facts = fit_encoder(model.network, model.config, n_images=n_images, rng=rng, say=say)
    rows, held, notes = split_rows(images, model, seed)
    held = np.sort(held[:n_held_out])
    pictures = np.ascontiguousarray(images.images[held])
    yardstick = make_yardstick(images, rows, pictures, notes)
    say(f"inverting {len(held)} held-out pictures")
    model.inverse = Inverse(encoder, {})  # the encoder is what the search starts from
    told = _told(model, images, held)
    found = _search(model, pictures, told, settings, yardstick)
    threshold = float(np.quantile(found.ssim, OUTSIDE))
    record = {
        "encoder": facts,
        "settings": asdict(settings),
        "data": {"name": images.name, "fingerprint": images.fingerprint, "held_out": len(held)},
        "features": yardstick.kind,
        "unit": yardstick.unit,
        "threshold": threshold,
        "ssim": np.sort(found.ssim).round(5).tolist(),
        "psnr_db": float(np.mean(psnr(found.images, found.made))),
        "notes": notes,
    }
    model.inverse = Inverse(encoder, record)
    write_inverse(model.path, model.inverse, yardstick.files())
    return record


def _search(
    model: TrainedModel,
    images: np.ndarray,
    conditions: np.ndarray | None,
    settings: InversionSettings,
    yardstick: Yardstick | None,
) -> Inverted:
    """Start and descend, some pictures at a time."""
    _refuse_points(model)
    images = np.require(images, requirements=["C", "W"])  # torch warns of arrays that it could not write to
    if settings.start == "encoder":
        z_start = model.encode(images, conditions)
    else:
        z_start = _nearest_draws(model, images, conditions, settings)
    features = None
    if yardstick is not None and settings.feature_weight:
        features = yardstick.scaled(model.device)
    prior = _penalty(model) if settings.prior_weight else None
    distance = Distance(
        features=features, feature=settings.feature_weight, prior=prior, prior_weight=settings.prior_weight
    )
    found = []
    for start in range(0, len(images), _TOGETHER):
        rows = slice(start, start + _TOGETHER)
        x = to_float(torch.from_numpy(images[rows])).to(model.device)
        decode = _decoder(model, None if conditions is None else conditions[rows])
        from_z = torch.from_numpy(z_start[rows]).to(model.device)
        found.append(invert(decode, x, from_z, distance, steps=settings.steps, lr=settings.lr))
    z, loss_start, loss = (torch.cat(part).cpu().numpy() for part in zip(*found, strict=True))
    first, made = model.decode(z_start, conditions), model.decode(z, conditions)
    apart = None
    if yardstick is not None:
        apart = yardstick.between(images, made)
    return Inverted(images, first, made, z_start, z, loss_start, loss, None, apart)


def _decoder(model: TrainedModel, conditions: np.ndarray | None) -> Decode:
    """Latents to pictures in [-1, 1] under conditions [B, K], or under one for all."""
    told = None if conditions is None else torch.from_numpy(conditions).float().to(model.device)

    def decode(z: Tensor) -> Tensor:
        return model.network.decode(z, None if told is None else told.expand(len(z), -1))

    return decode


def _nearest_draws(
    model: TrainedModel, images: np.ndarray, conditions: np.ndarray | None, settings: InversionSettings
) -> np.ndarray:
    """For each picture the draw whose picture has the nearest pixels, float32 [N, *latent shape]."""
    seeds = range(settings.draws)
    x = to_float(torch.from_numpy(images)).to(model.device)
    if conditions is None:
        draws = torch.from_numpy(model.latents(seeds)).to(model.device)
        return best_of(_decoder(model, None), x, draws).cpu().numpy()
    chosen = np.empty((len(images), *model.network.latent.shape), np.float32)
    different, which = np.unique(conditions, axis=0, return_inverse=True)
    for k, told in enumerate(different):
        rows = np.flatnonzero(which.ravel() == k)
        drawn = model.latents(seeds, conditions=np.tile(told, (len(seeds), 1)))
        draws = torch.from_numpy(drawn).to(model.device)
        chosen[rows] = best_of(_decoder(model, told[None]), x[rows], draws).cpu().numpy()
    return chosen


def _penalty(model: TrainedModel) -> PerPicture | None:
    """Minus the log density of a latent by its size, [B]; None for a model without a prior of its own."""
    network = model.network
    size = int(np.prod(network.latent.shape))
    log_prior = network.log_prior
    if log_prior is not None:
        return lambda z: -log_prior(z) / size
    if network.latent.prior == "normal":
        return lambda z: 0.5 * z.square().flatten(1).mean(dim=1)
    return None


def _told(model: TrainedModel, images: ImageSet, rows: np.ndarray) -> np.ndarray | None:
    spec = model.network.condition
    return None if spec is None else condition_vectors(images.labels and images.labels.take(rows), spec)


def _refuse_points(model: TrainedModel) -> None:
    if model.network.image.points:
        raise InputError("this model makes points of a toy world, and inversion is for pictures; give another run")


def _finite(value: Any) -> float | None:
    """As JSON has it: equal pictures have an infinite PSNR, which is null."""
    return float(value) if np.isfinite(value) else None
