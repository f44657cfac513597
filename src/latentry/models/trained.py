"""A trained model as its users see it: pictures in and out as uint8, the same picture for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentry.data import to_float, to_uint8
from latentry.errors import InputError
from latentry.models.build import Model
from latentry.settings.config import Config

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

    @torch.no_grad()
    def latents(self, seeds: Sequence[int], *, sampler: str | None = None, truncation: float = 1.0) -> np.ndarray:
        """One latent a seed, float32 [n, D]; each depends on its own seed alone.

        Args:
            seeds: one whole number a latent, 0 or more.
            sampler: "prior", "mixture" or "two-stage"; None for the one that the run chose.
            truncation: 1 draws as fitted; less draws latents towards their mean, for safer, less varied pictures.
        """
        samplers, own = self.network.samplers, self.network.own_prior
        drawn = [samplers.draw(1, own=own, rng=self._rng(seed), name=sampler) for seed in seeds]
        z = torch.cat(drawn) if drawn else torch.empty(0, *self.network.latent.shape)
        if truncation != 1.0:
            centre = samplers.draw(2000, own=own, rng=self._rng(0), name=sampler).mean(dim=0)
            z = centre + truncation * (z - centre)
        return z.cpu().numpy()

    def sample(
        self,
        n: int = 16,
        *,
        seeds: Sequence[int] | None = None,
        sampler: str | None = None,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """New pictures, uint8 [n, C, H, W]; the same seed gives the same picture, alone or among others.

        Args:
            n: how many, with seeds 0 to n - 1; not used where `seeds` is given.
            seeds: one whole number a picture, 0 or more.
            sampler: what latents are drawn from; None for the one that the run chose.
            truncation: 1 draws as fitted; less draws latents towards their mean.
        """
        return self.decode(self.latents(range(n) if seeds is None else seeds, sampler=sampler, truncation=truncation))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Latents, float32 [n, D], of pictures, uint8 [n, C, H, W]; deterministic (a VAE's posterior mean)."""
        self._check_pictures(images)
        return self._in_chunks(lambda x: self.network.encode(to_float(x)).float(), images)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], of latents, float [n, D]."""
        expected = self.network.latent.shape
        if z.shape[1:] != expected:
            raise InputError(f"latents have shape {z.shape}; this model decodes [n, {', '.join(map(str, expected))}]")
        return self._in_chunks(lambda z: to_uint8(self.network.decode(z)), np.ascontiguousarray(z, dtype=np.float32))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], encoded and decoded again."""
        return self.decode(self.encode(images))

    def _rng(self, seed: int) -> torch.Generator:
        if seed < 0:
            raise InputError(f"seed (={seed}) must be 0 or more")
        return torch.Generator(self.device).manual_seed(seed)

    def _check_pictures(self, images: np.ndarray) -> None:
        expected = self.network.image.shape
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            raise InputError(
                f"pictures are {images.dtype} {images.shape}; this model encodes uint8 [n, C, H, W] with "
                f"C, H, W = {', '.join(map(str, expected))}; open_images(..., size={expected[1:]}) converts files"
            )

    @torch.inference_mode()
    def _in_chunks(self, compute: Callable[[Tensor], Tensor], rows: np.ndarray) -> np.ndarray:
        """`compute` on rows in chunks of one size, the last one padded, so that a row's result is its own."""
        results = []
        for start in range(0, len(rows), CHUNK):
            part = torch.from_numpy(np.ascontiguousarray(rows[start : start + CHUNK])).to(self.device)
            padded = torch.cat([part, part[-1:].expand(CHUNK - len(part), *part.shape[1:])])
            results.append(compute(padded)[: len(part)].cpu())
        if results:
            return torch.cat(results).numpy()
        return compute(torch.zeros(CHUNK, *rows.shape[1:], dtype=torch.from_numpy(rows).dtype)).cpu().numpy()[:0]
