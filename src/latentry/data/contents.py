"""What every source of pictures offers to the code that decodes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Protocol

import numpy as np
from PIL import Image

from latentry.data.labels import Labels

Stamp = dict[str, str]
"""What tells that files have changed without reading them: by file, its size and times."""


class Pictures(Protocol):
    """Undecoded pictures by number; picklable, so that worker processes can open them too."""

    def open(self, row: int) -> IO[bytes] | Image.Image:
        """One picture, as its file or as an image in memory; an `OSError` with an errno means it cannot be read."""

    def name_of(self, row: int) -> str:
        """What to call one picture in a message."""

    def cost_sec(self) -> float:
        """How long one process takes to decode them all, roughly, in seconds."""


@dataclass(frozen=True)
class Contents:
    """A source's pictures and what it says about them, before anything is decoded."""

    names: Sequence[str]
    pictures: Pictures
    labels: Labels | None = None
    split: np.ndarray | None = None  # uint8 [N], 1 for held out
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Where pictures come from."""

    @property
    def name(self) -> str:
        """Short, fit for a folder name."""

    @property
    def where(self) -> str:
        """As it should read in messages."""

    def stamp(self) -> Stamp | None:
        """What tells that the content has changed, without reading it; `None` for pictures in memory."""

    def contents(self) -> Contents:
        """List the pictures and read their labels."""


def encoded_cost_sec(n: int, n_bytes: int) -> float:
    """The cost of compressed pictures: about 100 us each and 30 MB a second, measured on JPEGs."""
    return n * 1e-4 + n_bytes / 30e6
