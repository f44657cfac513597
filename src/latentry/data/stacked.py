"""Stacked MNIST: RGB pictures whose channels are three grey pictures of a set, drawn independently.

Ten digits give a thousand modes, equally likely and known by name, so that the modes a generator has lost can be
counted (Metz et al. 2017, arXiv:1611.02163; with these 128,000 stacks, Srivastava et al. 2017, arXiv:1705.07761, and
Lin et al. 2018, arXiv:1712.04086).

Letters: N grey pictures, K their classes, n stacks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from latentry.data.arrays import ArrayPictures
from latentry.data.build import Request, decode_all
from latentry.data.contents import Contents, Source, Stamp
from latentry.data.labels import ClassLabels, Labels
from latentry.errors import InputError

DEFAULT_N = 128_000
MOST_CLASSES = 64  # of the grey pictures; their cube names the classes of the stacks
_STREAM = 0x57AC


@dataclass(frozen=True)
class StackedPictures:
    """Stacks that are put together when they are opened.

    Attributes:
        grey: uint8 [N, H, W].
        rows: int64 [n, 3], the grey pictures that are red, green and blue.
    """

    grey: np.ndarray
    rows: np.ndarray

    def open(self, row: int) -> Image.Image:
        """One stack as an image."""
        pixels = np.ascontiguousarray(self.grey[self.rows[row]].transpose(1, 2, 0))
        height, width, _ = pixels.shape
        return Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)

    def name_of(self, row: int) -> str:
        """Its number."""
        return f"stack {row}"

    def cost_sec(self) -> float:
        """Nothing: copying the grey pictures to another process would cost more."""
        return 0.0


@dataclass(frozen=True)
class StackedSource:
    """Stacks of a set's grey pictures.

    Args:
        base: the set.
        count: how many stacks.
        where: as it was asked for.
    """

    base: Source
    count: int
    where: str

    @property
    def name(self) -> str:
        """The set's name, marked."""
        return f"stacked-{self.base.name}"

    def stamp(self) -> Stamp | None:
        """The set's, the number of stacks, and a hash of the code that draws them."""
        base = self.base.stamp()
        code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        return None if base is None else {**base, "stacked": f"{self.count} {code}"}

    def contents(self) -> Contents:
        """The stacks, each with its three classes as one; of a set with a split, only training pictures are stacked."""
        base = self.base.contents()
        pictures, rows = _grey_pictures(base, self.where)
        if base.labels is None or base.labels.classes is None:
            raise InputError(
                f"{self.where}: the pictures have no classes, which name the modes of stacks; "
                "give IDX with its labels beside it, a folder of classes, or digits"
            )
        classes = base.labels.classes
        if base.split is not None:
            pictures, rows = pictures[base.split[rows] == 0], rows[base.split[rows] == 0]
        if len(rows) == 0:
            raise InputError(f"{self.where} has no picture to stack; give at least one outside the held-out part")
        note = f"{self.count:,} stacks are drawn from {len(rows):,} grey pictures"
        if others := len(base.names) - len(rows):
            note += f"; {others:,} others, held out or damaged, are in none"
        names = stacked_names(classes.names, self.where)
        drawn = np.random.default_rng(_STREAM).integers(len(rows), size=(self.count, 3))
        red, green, blue = classes.values[rows][drawn].T
        n_classes = len(classes.names)
        labels = Labels(classes=ClassLabels((red * n_classes + green) * n_classes + blue, names))
        return Contents(
            [f"stack {row}" for row in range(self.count)],
            StackedPictures(pictures, drawn),
            labels,
            notes=(*base.notes, note),
        )


def parse_stacked(text: str) -> tuple[int, str] | None:
    """The number of stacks and the set that `stacked:SPEC` or `stacked@COUNT:SPEC` means; `None` for other texts.

    The count stands before the first colon and the spec is all that follows it, so that no path is misread.

    Raises:
        InputError: it begins like one and is none.
    """
    head, colon, spec = text.partition(":")
    word, at, count = head.partition("@")
    if word != "stacked" or not colon:
        return None
    if at and (not count.isdecimal() or int(count) < 1):
        raise InputError(f"{text!r}: after the @ comes how many stacks to draw, e.g. stacked@50000:{spec or 'digits'}")
    if not spec:
        raise InputError(f"{text!r} names no pictures; write stacked:digits, or stacked: and the path of IDX files")
    return (int(count) if at else DEFAULT_N), spec


def stacked_names(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The K^3 names of stacks, blue changing fastest: "000" to "999" for digits, "ant-bee-cow" for longer names.

    Raises:
        InputError: too many classes.
    """
    if len(names) > MOST_CLASSES:
        raise InputError(
            f"{where}: {len(names)} classes would make {len(names) ** 3:,} kinds of stacks; "
            f"give a set of at most {MOST_CLASSES} classes"
        )
    between = "" if all(len(name) == 1 for name in names) else "-"
    return tuple(between.join((red, green, blue)) for red in names for green in names for blue in names)


def _grey_pictures(contents: Contents, where: str) -> tuple[np.ndarray, np.ndarray]:
    """The set's pictures at their own size, uint8 [N, H, W], and which of them these are, int64 [N]."""
    n = len(contents.names)
    if isinstance(contents.pictures, ArrayPictures):  # as they are: nothing to decode
        pixels, rows = contents.pictures.pixels, np.arange(n)
        if pixels.shape[3] == 1:
            return pixels[..., 0], rows
    else:
        built = decode_all(contents.pictures, range(n), Request(None, "auto", "crop", None), None, None)
        sizes = {(fact.height, fact.width) for fact in built.facts}
        if len(built.images) and sizes != {(built.policy.height, built.policy.width)}:
            raise InputError(f"{where}: stacks need pictures of one size of at most 128 pixels; resize the files first")
        if built.policy.channels == 1:
            return built.images[:, 0], built.rows
    raise InputError(f"{where}: the pictures are not grey, and a stack's channels are three grey pictures; try digits")
