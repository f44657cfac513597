"""IDX files, the format MNIST is published in, gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentry.data.arrays import ArrayPictures
from latentry.data.contents import Contents, Stamp
from latentry.data.folder import files_stamp
from latentry.data.labels import Labels, integer_classes
from latentry.errors import InputError

_IMAGES, _LABELS = "images-idx3", "labels-idx1"
_MAX_BYTES = 1 << 33  # unpacked; more is refused as a decompression bomb


def is_idx(path: Path) -> bool:
    """Whether the file's name is one of IDX: `*-ubyte` or `*-ubyte.gz`."""
    return path.name.endswith(("-ubyte", "-ubyte.gz"))


def idx_files(folder: Path) -> list[Path]:
    """The files of pictures in a folder, train-* before t10k-*; empty where there is none."""
    found = [path for path in folder.iterdir() if is_idx(path) and _IMAGES in path.name]
    return sorted(found, key=lambda path: (not path.name.startswith("train"), path.name))


@dataclass(frozen=True)
class IdxSource:
    """One or several IDX files of pictures, with the files of labels beside them."""

    images: tuple[Path, ...]
    name: str
    where: str

    def stamp(self) -> Stamp:
        """Of all files that are read."""
        labels = [self._labels_of(path) for path in self.images]
        return files_stamp([*self.images, *(path for path in labels if path)])

    def contents(self) -> Contents:
        """The pictures of all files in turn; with both train-* and others, the others are held out."""
        pixels = [_read_idx(path, 3) for path in self.images]
        if len({array.shape[1:] for array in pixels}) > 1:
            sizes = ", ".join(
                f"{path.name} {a.shape[2]} x {a.shape[1]}" for path, a in zip(self.images, pixels, strict=True)
            )
            raise InputError(
                f"the files in {self.where} hold pictures of several sizes ({sizes}); give one of the files"
            )
        labels = [self._labels_of(path) for path in self.images]
        names = [
            f"{path.name}[{row}]" for path, array in zip(self.images, pixels, strict=True) for row in range(len(array))
        ]
        if not names or 0 in pixels[0].shape[1:]:
            raise InputError(f"{self.where} has no pictures in it")
        held_out = [not path.name.startswith("train") for path in self.images]
        split = np.repeat(np.array(held_out, np.uint8), [len(array) for array in pixels])
        notes: tuple[str, ...] = ()
        if any(path is None for path in labels) and any(labels):
            notes = ("labels are not read: not every file of pictures has one of labels beside it",)
        return Contents(
            names,
            ArrayPictures(np.concatenate(pixels)[..., None]),
            self._read_labels([path for path in labels if path], pixels) if all(labels) else None,
            split if len(set(held_out)) == 2 else None,
            notes,
        )

    def _labels_of(self, images: Path) -> Path | None:
        """`train-labels-idx1-ubyte` beside `train-images-idx3-ubyte`, either of them gzipped or not."""
        stem = images.name.replace(_IMAGES, _LABELS).removesuffix(".gz")
        return next((path for end in ("", ".gz") if (path := images.with_name(stem + end)).is_file()), None)

    def _read_labels(self, paths: list[Path], pixels: list[np.ndarray]) -> Labels:
        values = [_read_idx(path, 1) for path in paths]
        for path, array, pictures in zip(paths, values, pixels, strict=True):
            if len(array) != len(pictures):
                raise InputError(f"{path} has {len(array)} labels for {len(pictures)} pictures; download both again")
        return Labels(classes=integer_classes(np.concatenate(values)))


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The array of uint8 in an IDX file: 0, 0, type 8, number of dimensions, big-endian sizes, data."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; download it again") from error
    if len(content) > _MAX_BYTES:
        raise InputError(f"{path} unpacks to more than {_MAX_BYTES >> 30} GiB; it is refused as a decompression bomb")
    start = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < start:
        kind = "pictures (3 dimensions of bytes)" if dimensions == 3 else "labels (1 dimension of bytes)"
        raise InputError(f"{path} does not begin like an IDX file of {kind}; download it again")
    shape = np.frombuffer(content, ">u4", dimensions, 4).astype(np.int64).tolist()
    if len(content) - start != int(np.prod(shape)):
        raise InputError(f"{path} has {len(content) - start} bytes of data for the shape {shape}; download it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
