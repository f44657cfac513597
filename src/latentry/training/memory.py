"""Memory that a step frees stays with the process, as the next step asks for as much again.

glibc, the C library of most Linux systems, gives large pieces back to the system as soon as they are free, and the
system clears every page of them when they are asked for again. Here that took up to a quarter of a step's time.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
_KEEP_BYTES = 2**31 - 1  # all that the call can express
_USUAL_BYTES = 32 << 20  # the most that glibc itself raises the thresholds to, where nobody sets them


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, freed memory is kept for what comes next; behind the block it is given back. No change without glibc."""
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    _set_thresholds(libc, _KEEP_BYTES)
    try:
        yield
    finally:
        _set_thresholds(libc, _USUAL_BYTES)
        libc.malloc_trim(0)


def _set_thresholds(libc: ctypes.CDLL, n_bytes: int) -> None:
    libc.mallopt(_TRIM_THRESHOLD, n_bytes)
    libc.mallopt(_MMAP_THRESHOLD, n_bytes)
