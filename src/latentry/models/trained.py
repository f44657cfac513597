"""A trained model as its users see it: pictures in and out as uint8, the same picture for the same seed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from latentry.data import to_float, to_stored
from latentry.errors import InputError
from latentry.models.build import Model
from latentry.models.inverse import Inverse, read_inverse
from latentry.models.noise import example_rows, seed_noise
from latentry.models.pictured import FOR_CENTRE, PictureModel
from latentry.models.sampler import FromNoise, Noise
from latentry.models.vectors import Vectors, read_vectors, write_vectors
from latentry.models.wish import Wish
from latentry.settings.config import Config
from latentry.settings.specs import ConditionSpec, ImageSpec

CHUNK = 32  # pictures computed together, always: arithmetic on other batch shapes rounds differently


class TrainedModel(PictureModel):
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
    def image(self) -> ImageSpec:
        """The size of its pictures."""
        return self.network.image

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""
        return self.network.latent.shape

    @property
    def condition(self) -> ConditionSpec | None:
        """What the model is told."""
        return self.network.condition

    @property
    def samplers(self) -> list[str]:
        """The names of what latents can be drawn from."""
        return self.network.samplers.names(self.network.own_prior)

    @property
    def sampler(self) -> str:
        """The one of them that the run chose."""
        return self.network.samplers.chosen

    def _read_vectors(self) -> Vectors:
        return read_vectors(self.path)

    @functools.cached_property
    def inverse(self) -> Inverse | None:
        """What inverting with the model needs, kept with it by `latentry invert RUN --fit`; None before that."""
        return read_inverse(self.path, self.network, self.config)

    @classmethod
    def from_pretrained(cls, name: Path | str, *, device: str = "cpu") -> TrainedModel:
        """A model from a folder that `save_pretrained` wrote, or owner/name on the hub; the same as `latentry.load`."""
        from latentry.api.opening import load

        return load(name, device=device)

    def save_pretrained(self, folder: Path | str, *, licence: str | None = None) -> Path:
        """Write what the hub holds of the model into a new folder; see `latentry.export.hub`."""
        from latentry.export.hub import save_pretrained

        return save_pretrained(self, folder, licence=licence)

    def push_to_hub(self, name: str, *, private: bool = False, licence: str | None = None) -> str:
        """Upload the model to the hub as owner/name; its address."""
        from latentry.export.hub import push_to_hub

        return push_to_hub(self, name, private=private, licence=licence)

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
        """What the model is told for each seed; see `PictureModel`."""
        wish, known, spec = wish or Wish(), self.network.conditions, self.network.condition
        wish.against(spec)
        if known is None or spec is None:
            return None
        return wish.apply(known.examples.cpu().numpy()[example_rows(seeds, len(known.examples))], spec)

    @torch.no_grad()
    def latents(
        self,
        seeds: Sequence[int],
        *,
        sampler: str | None = None,
        truncation: float = 1.0,
        conditions: np.ndarray | None = None,
    ) -> np.ndarray:
        """One latent a seed; see `PictureModel`. What a seed's noise is, noise.py says."""
        self._check_conditions(conditions, len(seeds))
        network = self.network
        name = network.samplers.known(sampler, own=network.own_prior is not None)
        source, tempered = self.source(name), name == "prior" and network.tempered
        size = source.noise_size

        def draw(rows: Tensor, told: Tensor | None) -> Tensor:
            noise = Noise(*rows.split(tuple(size), dim=1))
            if tempered:
                return source.from_noise(noise, told, truncation)  # type: ignore[call-arg]
            return source.from_noise(noise, told)

        z = self._in_chunks(draw, seed_noise(seeds, size), conditions)
        if truncation != 1.0 and not tempered:
            centre = self.centre(name)
            z = centre + np.float32(truncation) * (z - centre)
        return z

    def source(self, sampler: str) -> FromNoise:
        """The distribution behind the name of a sampler that the model has."""
        network = self.network
        return cast(FromNoise, network if sampler == "prior" else network.samplers.fitted[sampler])

    def centre(self, sampler: str) -> np.ndarray:
        """The mean latent of a sampler, float32 [*latent shape], over `FOR_CENTRE` seeds."""
        seeds = range(FOR_CENTRE)
        z = self.latents(seeds, sampler=sampler, conditions=self.conditions(seeds))
        return z.mean(axis=0, dtype=np.float64).astype(np.float32)

    def encode(self, images: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Latents of pictures; see `PictureModel`."""
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
        """Pictures of latents; see `PictureModel`."""
        self._check_latents(z)
        self._check_conditions(conditions, len(z))
        model = self.network
        z = np.ascontiguousarray(z, dtype=np.float32)
        return self._in_chunks(lambda z, told: to_stored(model.decode(z, told), model.image), z, conditions)

    def _tensor(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.require(rows, requirements=["C", "W"])).to(self.device)

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
