"""What a model is told about the pictures, and what it tells the world about its latent space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from latentry.settings.data import CHANNELS, Channels

ConditionKind = Literal["class", "attributes", "numbers"]


COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}  # what a number of channels is called


@dataclass(frozen=True)
class ImageSpec:
    """The size of one picture, as channels, height and width in pixels."""

    channels: int
    height: int
    width: int
    points: bool = False  # a toy world: 2 channels of one pixel hold a point of the plane in its own coordinates

    def __str__(self) -> str:
        return "points of the plane" if self.points else f"pictures of {self.channels} x {self.height} x {self.width}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(C, H, W)`."""
        return (self.channels, self.height, self.width)

    @property
    def channels_setting(self) -> Channels:
        """The setting that gives other pictures as many channels; points have no such."""
        return "auto" if self.points else {number: name for name, number in CHANNELS.items()}[self.channels]

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
    """What a conditional model is conditioned on, and how that becomes a vector.

    A class is one-hot, an attribute +1 or -1, a number its distance from `centre` in units of `spread`.
    """

    kind: ConditionKind
    names: tuple[str, ...]
    centre: tuple[float, ...] = ()  # of the numbers in the data; empty for the other kinds
    spread: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, record: dict[str, Any] | None) -> ConditionSpec | None:
        """From the record that `dataclasses.asdict` gave; None where a model is told nothing."""
        if record is None:
            return None
        return cls(record["kind"], *(tuple(record[name]) for name in ("names", "centre", "spread")))

    @property
    def size(self) -> int:
        """Numbers in a condition vector, K."""
        return len(self.names)

    @property
    def energy(self) -> float:
        """The squared length that a condition vector has, on average."""
        return 1.0 if self.kind == "class" else float(self.size)
