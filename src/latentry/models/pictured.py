"""What a trained model does for its users, wherever it computes: PyTorch (trained.py) or ONNX (export/). No torch.

Letters: n pictures, C H W picture, K numbers in a condition.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from latentry.errors import InputError
from latentry.models.vectors import Vectors
from latentry.models.wish import Wish
from latentry.settings.specs import ConditionSpec, ImageSpec

FOR_CENTRE = 2000  # seeds, from 0, whose latents' mean is what truncation draws towards


class PictureModel(ABC):
    """A model that samples, decodes and edits; all pictures are uint8 [n, C, H, W]."""

    @property
    @abstractmethod
    def image(self) -> ImageSpec:
        """The size of its pictures."""

    @property
    @abstractmethod
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""

    @property
    @abstractmethod
    def condition(self) -> ConditionSpec | None:
        """What the model is told."""

    @property
    @abstractmethod
    def samplers(self) -> list[str]:
        """The names of what latents can be drawn from."""

    @property
    @abstractmethod
    def sampler(self) -> str:
        """The one of them that the run chose."""

    @functools.cached_property
    def vectors(self) -> Vectors:
        """The named directions kept with the model; none before `latentry attributes` or `latentry directions`."""
        return self._read_vectors()

    @abstractmethod
    def _read_vectors(self) -> Vectors:
        """The vectors, from where they are kept."""

    @abstractmethod
    def conditions(self, seeds: Sequence[int], wish: Wish | None = None) -> np.ndarray | None:
        """What the model is told for each seed, float32 [n, K]: as wished, the rest as often as the data have it.

        None for a model that is told nothing.

        Raises:
            InputError: the wish names what the model does not know.
        """

    @abstractmethod
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

    @abstractmethod
    def encode(self, images: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Latents, float32 [n, *latent shape], of pictures, uint8 [n, C, H, W]; deterministic (a VAE's posterior mean).

        Args:
            images: the pictures.
            conditions: what a conditional model is told of them, float [n, K]; see `latentry.data.condition_vectors`.

        Raises:
            InputError: the model has no encoder, or the pictures or conditions are not what it takes.
        """

    @abstractmethod
    def decode(self, z: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Pictures, uint8 [n, C, H, W], of latents, float [n, *latent shape], under conditions [n, K] if any."""

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
        spec = self.condition
        if spec is None or spec.kind == "numbers" or conditions is None:
            raise InputError("this model is told neither classes nor attributes, so method=condition cannot edit it")
        if spec.kind == "attributes":
            wish = Wish(attributes={name: (dose + 1) / 2 for name, dose in doses.items()})
        elif len(doses) == 1 and min(doses.values()) > 0:
            wish = Wish(class_name=next(iter(doses)))
        else:
            raise InputError(f"a picture has one class, so method=condition takes one with dose 1, not {dict(doses)}")
        return wish.apply(conditions, spec)

    def _check_latents(self, z: np.ndarray) -> None:
        expected = self.latent_shape
        if z.shape[1:] != expected:
            raise InputError(f"latents have shape {z.shape}; this model decodes [n, {', '.join(map(str, expected))}]")

    def _check_conditions(self, conditions: np.ndarray | None, n: int) -> None:
        spec = self.condition
        if spec is None and conditions is not None:
            raise InputError("conditions were given, but this model is told nothing; leave them out")
        if spec is not None and (conditions is None or conditions.shape != (n, spec.size)):
            received = "none" if conditions is None else f"shape {conditions.shape}"
            raise InputError(
                f"this model is conditioned on {spec.kind}, {spec.size} numbers a picture; conditions: {received}, "
                f"expected ({n}, {spec.size})"
            )

    def _check_pictures(self, images: np.ndarray) -> None:
        expected = self.image.shape
        stored = np.float32 if self.image.points else np.uint8
        if images.dtype != stored or images.shape[1:] != expected:
            raise InputError(
                f"pictures are {images.dtype} {images.shape}; this model encodes {np.dtype(stored)} [n, C, H, W] with "
                f"C, H, W = {', '.join(map(str, expected))}; open_images(..., size={expected[1:]}) converts files"
            )
