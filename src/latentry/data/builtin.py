"""What comes with the package: pictures, rendered on first use and then cached like any others, and toy worlds."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentry._version import __version__
from latentry.data.arrays import ArrayPictures
from latentry.data.contents import Contents, Stamp
from latentry.data.labels import Labels
from latentry.data.points import WORLDS, PointSource
from latentry.errors import InputError

NAMES = ("faces", "digits", "shapes", *WORLDS)
_DEFAULT_PX = 64


@dataclass(frozen=True)
class BuiltinSource:
    """One of the built-in sets.

    Args:
        builtin: its name.
        count: how many pictures to render; `None` for the set's own number.
        size_px: the longer side that is asked for; the renderers draw squares at any size.
    """

    builtin: str
    count: int | None
    size_px: int | None

    @property
    def name(self) -> str:
        """The set's name."""
        return self.builtin

    @property
    def where(self) -> str:
        """As it was asked for."""
        return self.builtin if self.count is None else f"{self.builtin}:{self.count}"

    def stamp(self) -> Stamp:
        """What is rendered, and a hash of the code that renders it."""
        module = importlib.import_module(f"latentry.data.{self.builtin}")
        assert module.__file__ is not None
        path = Path(module.__file__)
        files = sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]
        code = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        return {"builtin": f"{self.where} {self.size_px} {__version__} {code}"}

    def contents(self) -> Contents:
        """The rendered pictures with their labels."""
        pixels, labels = self._render()
        names = [f"picture {row}" for row in range(len(pixels))]
        return Contents(names, ArrayPictures(pixels.transpose(0, 2, 3, 1)), labels)

    def _render(self) -> tuple[np.ndarray, Labels]:
        """uint8 [N, C, H, W] and labels."""
        size_px = self.size_px or _DEFAULT_PX
        if self.builtin == "digits":
            from latentry.data.digits import digits

            pixels, labels = digits()
            if self.count is None:
                return pixels, labels
            if self.count > len(pixels):
                raise InputError(f"{self.where} asks for more than the {len(pixels)} digits there are; give fewer")
            return pixels[: self.count], labels.take(np.arange(self.count))
        if self.builtin == "shapes":
            from latentry.data.shapes import shapes

            return shapes(size_px=size_px) if self.count is None else shapes(n=self.count, size_px=size_px)
        from latentry.data.faces import faces

        return faces(size_px=size_px) if self.count is None else faces(n=self.count, size_px=size_px)


def parse_builtin(text: str, size: tuple[int, int] | None) -> BuiltinSource | PointSource | None:
    """The built-in set that `NAME` or `NAME:COUNT` means; `None` where the text means something else."""
    name, _, count = text.partition(":")
    if name not in NAMES:
        return None
    if count and (not count.isdecimal() or int(count) < 1):
        what = "points to draw" if name in WORLDS else "pictures to render"
        raise InputError(f"{text!r}: after the colon comes how many {what}, e.g. {name}:5000")
    n = int(count) if count else None
    return PointSource(name, n) if name in WORLDS else BuiltinSource(name, n, max(size) if size else None)
