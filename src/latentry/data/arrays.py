"""Pictures that are arrays already: .npy and .npz files, arrays in memory, torch Datasets."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentry.data.contents import Contents, Stamp
from latentry.data.folder import files_stamp
from latentry.data.labels import Labels, class_labels, integer_classes, labels_from_vectors
from latentry.errors import InputError

_CHUNK = 4096
_IMAGES, _LABELS = ("images", "x", "arr_0"), ("labels", "y", "arr_1")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class ArrayPictures:
    """Rows of uint8 [N, H, W, C]."""

    pixels: np.ndarray

    def open(self, row: int) -> Image.Image:
        """One row as an image."""
        pixels = np.ascontiguousarray(self.pixels[row])
        height, width, channels = pixels.shape
        return Image.frombuffer(_MODES[channels], (width, height), pixels, "raw", _MODES[channels], 0, 1)

    def name_of(self, row: int) -> str:
        """Its number."""
        return f"picture {row}"

    def cost_sec(self) -> float:
        """Nothing: copying it to another process would cost more."""
        return 0.0


@dataclass(frozen=True)
class ListedPictures:
    """Pictures of several sizes or kinds, in memory."""

    images: Sequence[Image.Image]

    def open(self, row: int) -> Image.Image:
        """A copy, which may be closed."""
        return self.images[row].copy()

    def name_of(self, row: int) -> str:
        """Its number."""
        return f"picture {row}"

    def cost_sec(self) -> float:
        """Nothing: copying it to another process would cost more."""
        return 0.0


@dataclass(frozen=True)
class ArraySource:
    """An array or a torch Dataset in memory."""

    value: Any
    name: str
    where: str

    def stamp(self) -> Stamp | None:
        """Nothing tells whether it has changed."""
        return None

    def contents(self) -> Contents:
        """The pictures and labels, read through once."""
        value = self.value
        if callable(getattr(value, "detach", None)):  # a torch tensor
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray):
            return array_contents(value, None, self.where)
        return _dataset_contents(value, self.where)


@dataclass(frozen=True)
class NumpySource:
    """A .npy file, or an .npz with pictures and perhaps labels."""

    path: Path
    name: str
    where: str

    def stamp(self) -> Stamp:
        """Of the file."""
        return files_stamp([self.path])

    def contents(self) -> Contents:
        """The arrays; an .npy file is memory-mapped."""
        try:
            with self.path.open("rb") as file:
                if file.read(6) == b"\x93NUMPY":
                    return array_contents(np.lib.format.open_memmap(self.path, mode="r"), None, self.where)
                file.seek(0)
                with np.load(file, allow_pickle=False) as arrays:
                    return self._named(arrays)
        except InputError:
            raise
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise InputError(
                f"cannot read {self.where} as numpy arrays: {error}; objects need pickle, which is refused"
            ) from error

    def _named(self, arrays: np.lib.npyio.NpzFile) -> Contents:
        """Pictures and labels by the names of an .npz file's arrays."""
        pictures = next((name for name in _IMAGES if name in arrays.files), None)
        if pictures is None:
            found = ", ".join(arrays.files) or "none"
            raise InputError(f"{self.where} has the arrays {found}; name the pictures 'images'")
        labels = next((arrays[name] for name in _LABELS if name in arrays.files), None)
        return array_contents(arrays[pictures], labels, self.where)


def array_contents(pictures: np.ndarray, labels: np.ndarray | None, where: str) -> Contents:
    """Pictures of any accepted layout and type, with labels that are numbers, texts or vectors.

    Raises:
        InputError: another layout or type, values out of range, labels of another length.
    """
    pixels, notes = to_pixels(pictures, where)
    if len(pixels) == 0:
        raise InputError(f"{where} has no pictures: its shape is {list(pictures.shape)}")
    if labels is not None and len(labels) != len(pixels):
        raise InputError(f"{where} has {len(pixels)} pictures and {len(labels)} labels; give each picture one")
    names = [f"picture {row}" for row in range(len(pixels))]
    return Contents(names, ArrayPictures(pixels), None if labels is None else any_labels(labels, where), None, notes)


def any_labels(values: np.ndarray, where: str) -> Labels:
    """Labels from one array: whole numbers or text [N] are classes; [N, K] or floats are attributes or numbers."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 1 and values.dtype.kind in "iu":
        return Labels(classes=integer_classes(values))
    if values.ndim == 1 and values.dtype.kind in "US":
        return Labels(classes=class_labels(values.astype(np.str_).tolist()))
    if values.ndim in (1, 2) and values.dtype.kind in "biuf" and np.isfinite(values).all():
        return labels_from_vectors(values.reshape(len(values), -1))
    raise InputError(f"labels in {where} are {values.dtype} {list(values.shape)}; give finite numbers, [N] or [N, K]")


def to_pixels(array: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """An array of pictures as uint8 [N, H, W, C], and what was assumed."""
    notes: tuple[str, ...] = ()
    if array.ndim == 3:
        array = array[..., None]
    elif array.ndim == 4 and array.shape[1] in _MODES:
        if array.shape[3] in _MODES:
            notes = (f"shape {list(array.shape)} is read as [N, C, H, W]",)
        array = array.transpose(0, 2, 3, 1)
    elif array.ndim != 4 or array.shape[3] not in _MODES:
        raise InputError(
            f"{where} has the shape {list(array.shape)}; pictures are [N, H, W], [N, H, W, C] or [N, C, H, W] "
            "with 1, 3 or 4 channels"
        )
    if 0 in array.shape[1:3]:
        raise InputError(f"{where} has pictures without pixels: {array.shape[2]} x {array.shape[1]}")
    converted, note = _to_bytes(array, where)
    return converted, (*notes, note) if note else notes


def _to_bytes(array: np.ndarray, where: str) -> tuple[np.ndarray, str]:
    """The array as uint8 of the same shape, converted in pieces."""
    if array.dtype == np.uint8 or len(array) == 0:
        return array.astype(np.uint8, copy=False), ""
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where} has values of type {array.dtype}; give uint8, or floats in [0, 1] or [-1, 1]")
    least, most = float(array.min()), float(array.max())
    if array.dtype.kind == "f":
        if least >= 0 and most <= 1:
            scale, shift, note = 255.0, 0.0, "floats in [0, 1] are scaled to 0..255"
        elif least >= -1 and most <= 1:
            scale, shift, note = 127.5, 127.5, "floats in [-1, 1] are scaled to 0..255"
        else:
            raise InputError(
                f"{where} has floats from {least:g} to {most:g}; give uint8, or floats in [0, 1] or [-1, 1]: "
                "divide by the largest possible value first"
            )
    elif array.dtype == bool:
        scale, shift, note = 255.0, 0.0, "false becomes 0 and true 255"
    elif least >= 0 and most <= 255:
        scale, shift, note = 1.0, 0.0, f"{array.dtype} values in 0..255 are taken as they are"
    elif array.dtype == np.uint16:
        scale, shift, note = 1 / 257, 0.0, "16-bit values become 8-bit by rounding x / 257"
    else:
        raise InputError(f"{where} has whole numbers from {least:g} to {most:g}; pictures are 0 to 255, or uint16")
    out = np.empty(array.shape, np.uint8)
    for at in range(0, len(array), _CHUNK):
        out[at : at + _CHUNK] = np.rint(array[at : at + _CHUNK].astype(np.float64) * scale + shift)
    return out, note


def _dataset_contents(dataset: Any, where: str) -> Contents:
    """Every item of a torch Dataset: a picture (tensor, array or PIL image), or a pair of picture and label."""
    items = [_split_item(dataset[row], where) for row in range(len(dataset))]
    if not items:
        raise InputError(f"{where} is empty; give at least one picture")
    pictures = [picture for picture, _ in items]
    labels = _dataset_labels([label for _, label in items], getattr(dataset, "classes", None), where)
    names = [f"picture {row}" for row in range(len(items))]
    if all(isinstance(picture, Image.Image) for picture in pictures):
        return Contents(names, ListedPictures(pictures), labels)
    arrays = [np.asarray(picture) for picture in pictures]
    if len({(array.shape, array.dtype) for array in arrays}) == 1:
        pixels, notes = to_pixels(np.stack(arrays), where)
        return Contents(names, ArrayPictures(pixels), labels, None, notes)
    least = min(float(array.min()) for array in arrays)
    images = []
    for array in arrays:
        signed = array.dtype.kind == "f" and least < 0  # one range for the whole set, not picture by picture
        pixels, _ = to_pixels(((array + 1) / 2 if signed else array)[None], where)
        images.append(ArrayPictures(pixels).open(0))
    return Contents(names, ListedPictures(images), labels)


def _split_item(item: Any, where: str) -> tuple[Any, Any]:
    """Picture and label (or `None`) of one item."""
    if isinstance(item, Mapping):
        picture = next((item[key] for key in ("image", "img", "images", "pixel_values") if key in item), None)
        label = next((item[key] for key in ("label", "labels", "target", "class") if key in item), None)
    elif isinstance(item, tuple | list):
        picture, label = (item[0] if item else None), (item[1] if len(item) > 1 else None)
    else:
        picture, label = item, None
    picture, label = _plain(picture), _plain(label)
    if not isinstance(picture, Image.Image | np.ndarray) or (
        isinstance(picture, np.ndarray) and picture.ndim not in (2, 3)
    ):
        raise InputError(
            f"{where} has items of type {type(item).__name__}; give a picture [C, H, W] or a (picture, label) pair"
        )
    return picture, label


def _plain(value: Any) -> Any:
    """A torch tensor as a numpy array; anything else as it is."""
    return value.detach().cpu().numpy() if callable(getattr(value, "detach", None)) else value


def _dataset_labels(values: list[Any], names: Any, where: str) -> Labels | None:
    if all(value is None for value in values):
        return None
    try:
        array = np.array(values)
    except ValueError as error:
        raise InputError(f"labels in {where} have several lengths; give each picture as many numbers") from error
    named = isinstance(names, Sequence) and all(isinstance(name, str) for name in names)
    if named and array.ndim == 1 and array.dtype.kind in "iu":
        return Labels(classes=integer_classes(array, names))
    return any_labels(array, where)
