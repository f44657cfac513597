"""What the rest of the package relies on: the latent model, and the method that trains one."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from latentry.settings.specs import ConditionSpec, ImageSpec, LatentSpec

Progress = float | Tensor
"""The share of a run that is over; a tensor [] where steps are repeated without Python (training/recording.py)."""


class Batch(NamedTuple):
    """One step's pictures, x in [-1, 1], [B, C, H, W], and their conditions [B, K] where the model is told any."""

    x: Tensor
    condition: Tensor | None = None

    def rows(self, rows: slice) -> Batch:
        """Some of the pictures."""
        return Batch(self.x[rows], None if self.condition is None else self.condition[rows])

    def split(self, n: int) -> list[Batch]:
        """Parts of n pictures each."""
        if self.condition is None:
            return [Batch(x) for x in self.x.split(n)]
        return [Batch(x, c) for x, c in zip(self.x.split(n), self.condition.split(n), strict=True)]


class LatentModel(Protocol):
    """A generator with a latent space."""

    image: ImageSpec
    latent: LatentSpec
    condition: ConditionSpec | None

    def prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents to decode, [n, *latent.shape], under conditions [n, K]; None for some that the data have."""
        ...

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [n, C, H, W], of latents [n, *latent.shape]; deterministic."""
        ...


class Encodes(Protocol):
    """A model that finds the latent of a picture."""

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latents [n, *latent.shape] of pictures in [-1, 1], [n, C, H, W]; deterministic (the posterior's mean)."""
        ...


class Method(Protocol):
    """What the loop trains: it owns the networks and the optimisers."""

    optimisers: dict[str, torch.optim.Optimizer]
    batches: int  # batches of pictures that one step reads

    @property
    def model(self) -> nn.Module:
        """The latent model: what is averaged, sampled and kept."""
        ...

    @property
    def module(self) -> nn.Module:
        """Everything that is trained or counted, the model among it: what a checkpoint holds."""
        ...

    def step(self, batch: Batch, rng: torch.Generator, progress: Progress) -> dict[str, Tensor]:
        """One update of the weights.

        Args:
            batch: the pictures of the step, as many as `batches` batches have.
            rng: the step's source of randomness, on the pictures' device.
            progress: the share of the run that is over, from 0 to 1.

        Returns:
            The terms of the loss, detached: means over the batch in nats per image, or one value a latent dimension.
        """
        ...

    def score(self, model: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms for pictures that are not trained on, per picture [B] or [B, D].

        "loss", where there is one, is to be small: it chooses the best checkpoint. "mu", where there is one, holds
        the latents [B, D] whose active units are counted.

        Args:
            model: the averaged model.
            batch: the pictures.
            rng: source of randomness, the same at every tick.
        """
        ...
