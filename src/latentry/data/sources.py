"""From what the user wrote to a source of pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from latentry.data.archive import ZipSource
from latentry.data.arrays import ArraySource, NumpySource
from latentry.data.builtin import NAMES, parse_builtin
from latentry.data.contents import Source
from latentry.data.folder import FileSource, FolderSource, walk
from latentry.data.hub import HubSource
from latentry.data.idx import IdxSource, idx_files, is_idx
from latentry.data.layout import is_picture
from latentry.data.points import PointSource
from latentry.data.stacked import StackedSource, parse_stacked
from latentry.data.tables import ParquetSource
from latentry.errors import InputError, unknown_name


def open_source(spec: Any, size: tuple[int, int] | None = None) -> Source | PointSource:
    """The source that a spec means; nothing is read yet but names.

    Args:
        spec: as `open_images` takes it.
        size: (height, width) that is asked for, which built-in pictures are rendered at.

    Raises:
        InputError: nothing is there, or it is of a kind that is not known.
    """
    if isinstance(spec, str):
        if spec.startswith("hf:"):
            return _hub_source(spec)
        if stacked := parse_stacked(spec):
            return _stacked_source(*stacked, spec, size)
        if builtin := parse_builtin(spec, size):
            return builtin
        return _path_source(Path(spec).expanduser(), spec)
    if isinstance(spec, Path):
        return _path_source(spec, str(spec))
    if isinstance(spec, np.ndarray) or callable(getattr(spec, "detach", None)):
        return ArraySource(spec, "array", "the array")
    if type(spec).__module__.split(".")[0] == "datasets":
        return HubSource(spec, None, "dataset", "the data set")
    if callable(getattr(spec, "__len__", None)) and callable(getattr(spec, "__getitem__", None)):
        name = short_name(type(spec).__name__.lower())
        return ArraySource(spec, name, f"the data set ({type(spec).__name__})")
    raise InputError(
        f"cannot open pictures from a {type(spec).__name__}; give a name, a path, an array, "
        "or a data set with __len__ and __getitem__"
    )


def in_full(spec: str) -> str:
    """A spec that means the same in every working folder: with its path in full; names stay as they are."""
    if spec.startswith("hf:"):
        return spec
    if stacked := parse_stacked(spec):
        return spec.removesuffix(stacked[1]) + in_full(stacked[1])
    if parse_builtin(spec, None):
        return spec
    return str(Path(spec).expanduser().absolute())


def short_name(text: str) -> str:
    """The text as a name fit for a folder: letters, digits, dots, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60] or "pictures"


def _path_source(path: Path, text: str) -> Source:
    try:
        is_folder, is_file, full = path.is_dir(), path.is_file(), path.resolve()
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise InputError(f"{text!r} is no path ({error}); give a folder, a file, or {', '.join(NAMES)}") from error
    name = short_name(full.name.split(".")[0] if is_file else full.name)
    if is_folder:
        return _folder_source(path, name, text)
    if not is_file:
        if not set(text) & set("/\\.") and (near := unknown_name("data", text, NAMES)).args[0].count("did you mean"):
            raise near
        raise InputError(f"no such path: {text}; give a folder, zip, IDX, .npy, .npz or parquet, or {', '.join(NAMES)}")
    ending = path.suffix.lower()
    if ending == ".zip":
        return ZipSource(path, name, text)
    if ending in (".npy", ".npz"):
        return NumpySource(path, name, text)
    if ending == ".parquet":
        return ParquetSource((path,), name, text)
    if is_idx(path):
        if "images" not in path.name:
            raise InputError(f"{text} holds labels; give the file of pictures beside it, or their folder")
        return IdxSource((path,), name, text)
    if is_picture(path.name):
        return FileSource(path, name, text)
    raise InputError(
        f"{text} is not a picture or set of pictures that is known by its ending; "
        "known: .jpg, .png and other pictures, .zip, *-ubyte[.gz], .npy, .npz, .parquet"
    )


def _folder_source(path: Path, name: str, text: str) -> Source:
    """A folder of pictures, of IDX files or of parquet files, by what lies in it."""
    try:
        if images := idx_files(path):
            return IdxSource(tuple(images), name, text)
        parquet = []
        for file, _ in walk(path):
            if is_picture(file):
                return FolderSource(path, name, text)
            if file.lower().endswith(".parquet"):
                parquet.append(path / file)
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror}") from error
    if parquet:
        return ParquetSource(tuple(sorted(parquet)), name, text)
    return FolderSource(path, name, text)


def _hub_source(spec: str) -> HubSource:
    path, _, split = spec.removeprefix("hf:").partition(":")
    if not path:
        raise InputError(f"{spec!r} names no data set; write hf:OWNER/NAME or hf:OWNER/NAME:SPLIT")
    return HubSource(path, split or None, short_name(path.strip("/").split("/")[-1]), spec)


def _stacked_source(count: int, base: str, text: str, size: tuple[int, int] | None) -> StackedSource:
    source = open_source(base, size)
    if isinstance(source, PointSource | StackedSource):
        raise InputError(f"{text!r}: stacks are made of grey pictures with classes, such as digits, not of {base}")
    return StackedSource(source, count, text)
