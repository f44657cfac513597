"""What a model is told about the pictures, and what it tells the world about its latent space."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSpec:
    """The size of one picture, as channels, height and width in pixels."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(C, H, W)`."""
        return (self.channels, self.height, self.width)

    @property
    def n_values(self) -> int:
        """How many numbers one picture holds, `C * H * W`."""
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class LatentSpec:
    """The shape of one latent and the name of the distribution that `prior()` draws from."""

    shape: tuple[int, ...]
    prior: str


@dataclass(frozen=True)
class ConditionSpec:
    """What a conditional model is conditioned on: `kind` is "class", "attributes" or "numbers"."""

    kind: str
    names: tuple[str, ...]
