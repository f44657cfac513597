"""Decoded pictures on disk: whole folders that appear by one rename, so a half-written one is never read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentry.data.labels import Labels, labels_from_arrays
from latentry.errors import InputError

FORMAT = 1  # raised whenever the same files would decode to other pixels, or the layout of an entry changes
_ABANDONED_SEC = 24 * 3600


@dataclass(frozen=True)
class Decoded:
    """Everything that is kept of a decoded set."""

    images: np.ndarray  # uint8 [N, C, H, W]
    digests: np.ndarray | None  # uint8 [N, 16]; None where not all pictures were read
    labels: Labels | None
    split: np.ndarray | None
    names: tuple[str, ...]
    meta: dict[str, Any]  # fingerprint and report


def cache_folder() -> Path:
    """Where decoded pictures are kept: $LATENTRY_CACHE, or latentry's folder among the user's caches."""
    if folder := os.environ.get("LATENTRY_CACHE"):
        return Path(folder)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "latentry" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "latentry"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latentry"


def cache_key(*parts: object) -> str:
    """The name of an entry: a hash of whatever decides its content."""
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()[:32]


def load(entry: Path) -> Decoded | None:
    """What an entry holds, pictures memory-mapped; `None` where there is no whole one."""
    try:
        meta = json.loads((entry / "meta.json").read_bytes())
        images = np.load(entry / "images.npy", mmap_mode="r")
        with (entry / "labels.npz").open("rb") as file, np.load(file) as npz:
            arrays = dict(npz.items())
        names = tuple((entry / "names.txt").read_text("utf-8", "surrogateescape").split("\0"))
        digests = np.load(entry / "digests.npy")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if list(images.shape) != meta["shape"] or len(digests) != len(images) != 0 or len(names) != len(images):
        return None
    split = arrays.pop("split", None)
    return Decoded(images, digests, labels_from_arrays(arrays), split, names, meta)


@contextmanager
def new_entry(folder: Path) -> Iterator[Path]:
    """A temporary folder to build an entry in, removed at the end unless `commit` has renamed it.

    Raises:
        InputError: the disk is full.
        OSError: the cache cannot be written at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    temporary = folder / f".building-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_tables(temporary: Path, decoded: Decoded) -> None:
    """Write all of an entry but its pictures, which are there already."""
    arrays = decoded.labels.arrays() if decoded.labels else {}
    if decoded.split is not None:
        arrays["split"] = decoded.split
    np.savez(temporary / "labels.npz", **arrays)  # type: ignore[arg-type]
    assert decoded.digests is not None, "what is written was read"
    np.save(temporary / "digests.npy", decoded.digests)
    (temporary / "names.txt").write_text("\0".join(decoded.names), "utf-8", "surrogateescape", newline="")
    (temporary / "meta.json").write_text(json.dumps(decoded.meta), "utf-8")


def commit(temporary: Path, entry: Path) -> None:
    """Make a built folder the entry; where another process was first, its entry stays."""
    for path in temporary.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    for _ in range(2):
        try:
            temporary.rename(entry)
            return
        except OSError:  # it exists: another process was first, or it is damaged
            if load(entry) is not None:
                return
            with contextlib.suppress(OSError):  # out of the way at once, so that no one reads it half removed
                damaged = entry.rename(entry.with_name(f".building-damaged-{uuid.uuid4().hex[:8]}"))
                shutil.rmtree(damaged, ignore_errors=True)
    raise InputError(f"cannot write the cache entry {entry}; remove it, or set LATENTRY_CACHE to another folder")


def _sweep(folder: Path) -> None:
    """Remove what killed processes left behind a day ago or earlier."""
    for path in folder.glob(".building-*"):
        with contextlib.suppress(OSError):
            newest = max((inner.stat().st_mtime for inner in path.iterdir()), default=path.stat().st_mtime)
            if time.time() - newest > _ABANDONED_SEC:
                shutil.rmtree(path, ignore_errors=True)
