"""What the loop relies on: a step's pictures, and the method that trains on them. What a model is, build.py says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from latentry.models.build import Model

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


class Method(Protocol):
    """What the loop trains: it owns the networks and the optimisers."""

    optimisers: dict[str, torch.optim.Optimizer]
    batches: int  # batches of pictures that one step reads

    @property
    def model(self) -> Model:
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

    def score(self, model: Model, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Terms for pictures that are not trained on, per picture [B] or [B, D].

        "loss", where there is one, is to be small: it chooses the best checkpoint. "mu", where there is one, holds
        the latents [B, D] whose active units are counted.

        Args:
            model: the averaged model.
            batch: the pictures.
            rng: source of randomness, the same at every tick.
        """
        ...
