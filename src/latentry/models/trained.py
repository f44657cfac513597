"""A trained model as its users see it: pictures in and out as uint8, the same picture for the same seed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentry.data import to_float, to_stored
from latentry.errors import InputError
from latentry.models.build import Model
from latentry.models.conditions import Wish
from latentry.models.inverse import Inverse, read_inverse
from latentry.models.vectors import Vectors, read_vectors, write_vectors
from latentry.settings.config import Config

_CONDITION = 0x6C0DE  # keeps the randomness of conditions apart from that of latents
CHUNK = 32  # pictures computed together, always: arithmetic on other batch shapes rounds differently


class TrainedModel:
    """A model with its weights, ready to sample, encode, decode and reconstruct.

    Args:
        model: the latent model.
        config: what it was trained with.
        facts: what else travels with it.
        device: where it computes.
        path: the folder that it came from.
    """

    def __init__(self, model: Model, config: Config, facts: dict[str, Any], device: torch.device, path: Path) -> None:
        self.network, self.config, self.facts, self.path = model.to(device).eval(), config, facts, path
        self.device = device

    @property
    def samplers(self) -> list[str]:
        """The names of what latents can be drawn from; the chosen one is `network.samplers.chosen`."""
        return self.network.samplers.names(self.network.own_prior)

    @functools.cached_property
    def vectors(self) -> Vectors:
        """The named directions kept with the model; none before `latentry attributes` or `latentry directions`."""
        return read_vectors(self.path)

    @functools.cached_property
    def inverse(self) -> Inverse | None:
        """What inverting with the model needs, kept with it by `latentry invert RUN --fit`; None before that."""
        return read_inverse(self.path, self.network, self.config)

    def keep_vectors(self, vectors: Vectors) -> None:
        """Write vectors into the model's folder, in place of those that are there.

        Raises:
            InputError: the run has not ended, so its weights will change, or they cannot be written.
        """
        if not (self.path / "model.safetensors").is_file():
            raise InputError(
                f"{self.path} has not ended, and vectors belong to weights that no longer change; "
                f"continue it with latentry train --resume {self.path}"
            )
        write_vectors(self.path, vectors)
        self.vectors = vectors

    def conditions(self, seeds: Sequence[int], wish: Wish | None = None) -> np.ndarray | None:
        """What the model is told for each seed, float32 [n, K]: as wished, the rest as often as the data have it.

        None for a model that is told nothing.

        Raises:
            InputError: the wish names what the model does not know.
        """
        wish, known = wish or Wish(), self.network.conditions
        wish.against(self.network.condition)
        if known is None:
            return None
        drawn = [known.draw(1, rng=self._rng(seed, _CONDITION)) for seed in seeds]
        both = torch.cat(drawn) if drawn else known.examples[:0]
        return known.apply_wish(both, wish).cpu().numpy()

    @torch.no_grad()
    def latents(
        self,
        seeds: Sequence[int],
        *,
        sampler: str | None = None,
        truncation: float = 1.0,
        conditions: np.ndarray | None = None,
    ) -> np.ndarray:
        """One latent a seed, float32 [n, *latent shape]; each depends on its own seed (and condition) alone.

        Args:
            seeds: one whole number a latent, 0 or more.
            sampler: "prior", "mixture" or "two-stage"; None for the one that the run chose.
            truncation: 1 draws as fitted; less draws latents towards their mean, for safer, less varied pictures. Of a
                model that draws a grid of codes it is the temperature.
            conditions: what the model is told, float [n, K]; None where it is told nothing.
        """
        samplers, from_noise = self.network.samplers, self.network.from_noise
        if from_noise is not None and (sampler or samplers.chosen) == "prior":
            shape = (1, *self.network.latent.shape[1:])
            drawn = [torch.rand(shape, generator=self._rng(seed), device=self.device).cpu() for seed in seeds]
            noise = torch.cat(drawn or [torch.empty(0, *shape[1:])]).numpy()
            return self._in_chunks(lambda part, told: from_noise(part, told, truncation), noise, conditions)
        told = [None] * len(seeds) if conditions is None else list(self._tensor(conditions).split(1))
        drawn = [
            samplers.draw(1, own=self.network.own_prior, rng=self._rng(seed), name=sampler, condition=part)
            for seed, part in zip(seeds, told, strict=True)
        ]
        z = torch.cat(drawn) if drawn else torch.empty(0, *self.network.latent.shape)
        if truncation != 1.0:
            some = None if self.network.conditions is None else self.network.conditions.draw(2000, rng=self._rng(0))
            own, rng = self.network.own_prior, self._rng(0)
            centre = samplers.draw(2000, own=own, rng=rng, name=sampler, condition=some).mean(dim=0)
            z = centre + truncation * (z - centre)
        return z.cpu().numpy()

    def sample(
        self,
        n: int = 16,
        *,
        seeds: Sequence[int] | None = None,
        sampler: str | None = None,
        truncation: float = 1.0,
        class_name: str | None = None,
        attributes: Mapping[str, float] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> np.ndarray:
        """New pictures, uint8 [n, C, H, W]; the same seed gives the same picture, alone or among others.

        The points of a toy world are float32 [n, 2, 1, 1].

        Args:
            n: how many, with seeds 0 to n - 1; not used where `seeds` is given.
            seeds: one whole number a picture, 0 or more.
            sampler: what latents are drawn from; None for the one that the run chose.
            truncation: 1 draws as fitted; less draws latents towards their mean.
            class_name, attributes, numbers: what a conditional model is asked for, in the names and units of its data;
                yes is 1, no is 0. What is not asked for is drawn as often as the data have it.

        Raises:
            InputError: the model knows no such sampler, class, attribute or number.
        """
        seeds = range(n) if seeds is None else seeds
        conditions = self.conditions(seeds, Wish(class_name, attributes, numbers))
        z = self.latents(seeds, sampler=sampler, truncation=truncation, conditions=conditions)
        return self.decode(z, conditions)

    def encode(self, images: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Latents, float32 [n, *latent shape], of pictures, uint8 [n, C, H, W]; deterministic (a VAE's posterior mean).

        Args:
            images: the pictures.
            conditions: what a conditional model is told of them, float [n, K]; see `latentry.data.condition_vectors`.

        Raises:
            InputError: the model has no encoder, or the pictures or conditions are not what it takes.
        """
        encode = self.network.encode
        if encode is None and self.inverse is not None and self.inverse.encoder is not None:
            encode = self.inverse.encode
        if encode is None:
            raise InputError(
                f"a {self.config.family} has a generator and no encoder, so it cannot encode or reconstruct pictures; "
                f"fit one to it with latentry invert {self.path} --fit, or train a vae or an autoencoder"
            )
        self._check_pictures(images)
        self._check_conditions(conditions, len(images))
        return self._in_chunks(lambda x, told: encode(to_float(x), told).float(), images, conditions)

    def decode(self, z: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], of latents, float [n, *latent shape], under conditions [n, K] if any."""
        expected = self.network.latent.shape
        if z.shape[1:] != expected:
            raise InputError(f"latents have shape {z.shape}; this model decodes [n, {', '.join(map(str, expected))}]")
        self._check_conditions(conditions, len(z))
        model = self.network
        z = np.ascontiguousarray(z, dtype=np.float32)
        return self._in_chunks(lambda z, told: to_stored(model.decode(z, told), model.image), z, conditions)

    def reconstruct(self, images: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], encoded and decoded again, under conditions [n, K] if the model is told any."""
        return self.decode(self.encode(images, conditions), conditions)

    def edit(
        self,
        images: np.ndarray,
        doses: Mapping[str, float],
        *,
        method: str | None = None,
        conditions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], encoded, moved along named vectors and decoded; see `edit_latents`.

        Raises:
            InputError: the model has no encoder or no such vector, or the pictures are not what it takes.
        """
        return self.edit_latents(self.encode(images, conditions), doses, method=method, conditions=conditions)

    def edit_latents(
        self,
        z: np.ndarray,
        doses: Mapping[str, float],
        *,
        method: str | None = None,
        conditions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], of latents moved along named vectors.

        Args:
            z: latents, float [n, *latent shape].
            doses: how far along each, e.g. `{"smiling": 1.5, "glasses": -1}`; dose 1 is the vector's own `unit`.
            method: of the vectors where a name has several; None for the first. "condition" leaves the latents alone
                and changes what a conditional model is told: an attribute to the dose, +1 or -1, or the class.
            conditions: what a conditional model is told, float [n, K].

        Raises:
            InputError: no such vector, or the model is told nothing of the kind.
        """
        if method == "condition":
            return self.decode(z, self._told_otherwise(conditions, doses))
        steps = [dose * self.vectors.find(name, method).direction.astype(np.float64) for name, dose in doses.items()]
        return self.decode((z + sum(steps)).astype(np.float32), conditions)

    def _told_otherwise(self, conditions: np.ndarray | None, doses: Mapping[str, float]) -> np.ndarray:
        """Conditions [n, K] with the attributes set to their doses, or with another class."""
        known, spec = self.network.conditions, self.network.condition
        if known is None or spec is None or spec.kind == "numbers" or conditions is None:
            raise InputError("this model is told neither classes nor attributes, so method=condition cannot edit it")
        if spec.kind == "attributes":
            wish = Wish(attributes={name: (dose + 1) / 2 for name, dose in doses.items()})
        elif len(doses) == 1 and min(doses.values()) > 0:
            wish = Wish(class_name=next(iter(doses)))
        else:
            raise InputError(f"a picture has one class, so method=condition takes one with dose 1, not {dict(doses)}")
        return known.apply_wish(self._tensor(conditions), wish).cpu().numpy()

    def _rng(self, seed: int, purpose: int = 0) -> torch.Generator:
        if seed < 0:
            raise InputError(f"seed (={seed}) must be 0 or more")
        return torch.Generator(self.device).manual_seed(seed ^ purpose)

    def _tensor(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.require(rows, requirements=["C", "W"])).to(self.device)

    def _check_conditions(self, conditions: np.ndarray | None, n: int) -> None:
        spec = self.network.condition
        if spec is None and conditions is not None:
            raise InputError("conditions were given, but this model is told nothing; leave them out")
        if spec is not None and (conditions is None or conditions.shape != (n, spec.size)):
            received = "none" if conditions is None else f"shape {conditions.shape}"
            raise InputError(
                f"this model is conditioned on {spec.kind}, {spec.size} numbers a picture; conditions: {received}, "
                f"expected ({n}, {spec.size})"
            )

    def _check_pictures(self, images: np.ndarray) -> None:
        expected = self.network.image.shape
        stored = np.float32 if self.network.image.points else np.uint8
        if images.dtype != stored or images.shape[1:] != expected:
            raise InputError(
                f"pictures are {images.dtype} {images.shape}; this model encodes {np.dtype(stored)} [n, C, H, W] with "
                f"C, H, W = {', '.join(map(str, expected))}; open_images(..., size={expected[1:]}) converts files"
            )

    @torch.inference_mode()
    def _in_chunks(
        self, compute: Callable[[Tensor, Tensor | None], Tensor], rows: np.ndarray, conditions: np.ndarray | None
    ) -> np.ndarray:
        """`compute` on rows in chunks of one size, the last one padded, so that a row's result is its own."""
        empty = len(rows) == 0
        if empty:
            rows = np.zeros((1, *rows.shape[1:]), rows.dtype)
            conditions = None if conditions is None else np.zeros((1, *conditions.shape[1:]), np.float32)
        results = []
        for start in range(0, len(rows), CHUNK):
            part = _padded(self._tensor(rows[start : start + CHUNK]))
            told = None if conditions is None else _padded(self._tensor(conditions[start : start + CHUNK]).float())
            results.append(compute(part, told)[: len(rows) - start].cpu())
        return torch.cat(results).numpy()[: 0 if empty else None]


def _padded(part: Tensor) -> Tensor:
    """Rows [n, ...] with the last one repeated, [CHUNK, ...]."""
    return torch.cat([part, part[-1:].expand(CHUNK - len(part), *part.shape[1:])])
