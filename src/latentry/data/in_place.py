"""Large .npy files of pictures that need no decoding: used where they lie, and never read as a whole.

A copy in the cache would double the disk that they take, and to read them all once would take longer than many a
training. So what is said of such a set is said of some of its pictures. Letters: N pictures.
"""

from __future__ import annotations

import dataclasses
import mmap
from collections import Counter

import numpy as np

from latentry.data.arrays import ArrayPictures, NumpySource, to_pixels
from latentry.data.build import Request, choose_policy, fingerprint
from latentry.data.cache import Decoded
from latentry.data.decode import read_facts
from latentry.data.duplicates import pixel_digests
from latentry.data.facts import make_report

LARGE_BYTES = 4 << 30  # smaller files are decoded into the cache, and all that is said of them is exact
_LOOKED_AT = 4096  # pictures that stand for all in the fingerprint


def open_in_place(source: NumpySource, request: Request) -> Decoded | None:
    """The pictures of a large file, memory-mapped; None where it is not large, or needs decoding.

    Args:
        source: an .npy file of bytes, [N, H, W], [N, H, W, C] or [N, C, H, W].
        request: another size, other channels or a limit need decoding.
    """
    if source.path.suffix.lower() != ".npy" or request.limit is not None or source.path.stat().st_size <= LARGE_BYTES:
        return None
    try:
        array = np.lib.format.open_memmap(source.path, mode="r")
    except (ValueError, EOFError, OSError):  # said in words where it is decoded
        return None
    if array.dtype != np.uint8 or array.nbytes <= LARGE_BYTES:
        return None
    pixels, notes = to_pixels(array, source.where)
    facts = read_facts(ArrayPictures(pixels).open(0))
    policy, chosen = choose_policy(request, [facts])
    if (policy.height, policy.width, policy.channels) != pixels.shape[1:]:
        return None
    # Else the system reads ten pictures ahead of each: of a sparse file it took a hundred times as long.
    _advise(array, "MADV_RANDOM")
    images = pixels.transpose(0, 3, 1, 2)
    own = (
        f"{array.nbytes / 2**30:,.0f} GiB that need no decoding are read from {source.where} itself, which must stay "
        f"as it is; the fingerprint is of {min(_LOOKED_AT, len(images)):,} of them, and copies are not kept together",
    )
    report = make_report(source.where, policy, Counter({facts: len(images)}), [], None, None, (*notes, *chosen, *own))
    print_ = fingerprint(pixel_digests(images[spread(len(images), _LOOKED_AT)]), None, f"{len(images)} {policy.key}")
    meta = {"report": dataclasses.replace(report, fingerprint=print_).to_json(), "shape": list(images.shape)}
    return Decoded(images, None, None, None, (), meta)


def spread(n: int, most: int) -> np.ndarray:
    """At most so many rows of n, evenly spread, int64."""
    return np.arange(n) if n <= most else np.arange(most) * n // most


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array's memory is a file's."""
    return _mapping(array) is not None


def let_go(array: np.ndarray) -> None:
    """Give back the memory that reading a memory-mapped array took; what is read again comes from the file again."""
    if not array.flags.writeable:
        _advise(array, "MADV_DONTNEED")


def _advise(array: np.ndarray, name: str) -> None:
    advice, mapping = getattr(mmap, name, None), _mapping(array)  # Windows takes no advice
    if advice is not None and mapping is not None:
        mapping.madvise(advice)


def _mapping(array: np.ndarray) -> mmap.mmap | None:
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
