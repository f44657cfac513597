"""Decode a source once, on every core, into one array on disk or in memory."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentry.data.contents import Pictures
from latentry.data.decode import Facts, Policy, decode, read_facts
from latentry.data.duplicates import pixel_digests
from latentry.data.labels import Labels
from latentry.data.workers import Workers, chunks, n_workers
from latentry.errors import InputError
from latentry.settings.data import Channels, Fit

Progress = Callable[[int, int], None]
"""Called with how many pictures are decoded, of how many."""

_CHUNK = 256
_NATIVE_MAX_PX = 128  # pictures of one size up to this side stay as they are when no size is asked for
_DEFAULT_PX = 64


@dataclass(frozen=True)
class Request:
    """What the caller asked for; `size` is (height, width)."""

    size: tuple[int, int] | None
    channels: Channels
    fit: Fit
    limit: int | None


@dataclass(frozen=True)
class Bad:
    """A picture that cannot be decoded, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class Target:
    """Where rows of pixels go: into a file at byte `offset`, or, without a file, back to the caller."""

    path: Path | None
    offset: int


@dataclass(frozen=True)
class Probed:
    """What the headers said."""

    facts: dict[int, Facts]  # by row; damaged ones are absent
    bad: list[Bad]


def probe(workers: Workers, rows: Sequence[int]) -> Probed:
    """Read every picture's header."""
    tasks = [[rows[k] for k in chunk] for chunk in chunks(len(rows), _CHUNK)]
    facts: dict[int, Facts] = {}
    bad: list[Bad] = []
    for part in workers.map(_probe_chunk, tasks):
        for row, found in part:
            if isinstance(found, Facts):
                facts[row] = found
            else:
                bad.append(Bad(row, found))
    return Probed(facts, bad)


def choose_policy(request: Request, facts: Sequence[Facts]) -> tuple[Policy, tuple[str, ...]]:
    """The policy for pictures of these facts, and how it was chosen where that was left open."""
    notes = []
    sizes = {(fact.height, fact.width) for fact in facts}
    size = request.size
    if size is None:
        (height, width) = common = next(iter(sizes))
        if len(sizes) == 1 and max(common) <= _NATIVE_MAX_PX:
            size = common
            notes.append(f"no size was asked for: all pictures are {width} x {height} and stay so")
        else:
            size = (_DEFAULT_PX, _DEFAULT_PX)
            found = f"all pictures are {width} x {height}" if len(sizes) == 1 else f"pictures have {len(sizes)} sizes"
            notes.append(f"no size was asked for: {found}, and become {_DEFAULT_PX} x {_DEFAULT_PX}; --size changes it")
    if request.channels == "auto":
        grey = sum(fact.grey for fact in facts)
        channels = 1 if grey == len(facts) else 3
        if 0 < grey < len(facts):
            notes.append(f"{grey} of {len(facts)} pictures are grey and become RGB like the others")
    else:
        channels = {"grey": 1, "rgb": 3, "rgba": 4}[request.channels]
    return Policy(size[0], size[1], channels, request.fit), tuple(notes)


def decode_rows(
    workers: Workers, rows: Sequence[int], policy: Policy, path: Path | None, progress: Progress | None
) -> tuple[np.ndarray | None, np.ndarray, list[Bad]]:
    """Decode pictures in order into `path` (an .npy file), or into memory where it is `None`.

    Returns:
        The pixels [M, C, H, W] where they are in memory, the digests [M, 16], and the pictures that were left out;
        M counts those that were not.
    """
    shape = (len(rows), policy.channels, policy.height, policy.width)
    offset = _write_header(path, shape) if path else 0
    bytes_each = int(np.prod(shape[1:]))
    tasks = [
        (policy, [rows[k] for k in chunk], Target(path, offset + chunk.start * bytes_each))
        for chunk in chunks(len(rows), _CHUNK)
    ]
    parts: list[np.ndarray] = []
    digests: list[np.ndarray] = []
    bad: list[Bad] = []
    done = 0
    for (_, some, _), (pixels, hashes, failed) in zip(tasks, workers.map(_decode_chunk, tasks), strict=True):
        if pixels is not None:
            parts.append(pixels)
        digests.append(hashes)
        bad += failed
        done += len(some)
        if progress:
            progress(done, len(rows))
    whole = np.concatenate(parts) if parts else None
    if not bad:
        return whole, np.concatenate(digests), []
    failed_rows = {item.row for item in bad}
    kept = np.array([row not in failed_rows for row in rows])
    if path and kept.any():
        _drop_rows(path, np.flatnonzero(kept))
    return whole[kept] if whole is not None else None, np.concatenate(digests)[kept], bad


def start_workers(pictures: Pictures) -> Workers:
    """As many processes as decoding these pictures is worth."""
    return Workers(pictures, n_workers(pictures.cost_sec()))


def fingerprint(digests: np.ndarray, labels: Labels | None, policy_key: str) -> str:
    """A sha256 of the pictures' pixels, in order, their labels, and the policy that made them."""
    total = hashlib.sha256(policy_key.encode())
    total.update(np.ascontiguousarray(digests).tobytes())
    total.update(labels.digest() if labels else b"no labels")
    return total.hexdigest()


def _probe_chunk(pictures: Pictures, rows: Sequence[int]) -> list[tuple[int, Facts | str]]:
    out: list[tuple[int, Facts | str]] = []
    for row in rows:
        try:
            with pictures.open(row) as file:
                out.append((row, read_facts(file)))
        except Exception as error:
            out.append((row, _reason(error, row, pictures)))
    return out


def _decode_chunk(
    pictures: Pictures, task: tuple[Policy, Sequence[int], Target]
) -> tuple[np.ndarray | None, np.ndarray, list[Bad]]:
    policy, rows, target = task
    pixels = np.zeros((len(rows), policy.channels, policy.height, policy.width), np.uint8)
    bad = []
    for at, row in enumerate(rows):
        try:
            with pictures.open(row) as file:
                pixels[at] = decode(file, policy)
        except Exception as error:
            bad.append(Bad(row, _reason(error, row, pictures)))
    digests = pixel_digests(pixels)
    if target.path is None:
        return pixels, digests, bad
    with target.path.open("rb+") as out:  # plain writes: a full disk is an error here, and a signal in mapped memory
        out.seek(target.offset)
        out.write(pixels.data)
    return None, digests, bad


def _reason(error: Exception, row: int, pictures: Pictures) -> str:
    """Why a picture is left out; raised again where the fault is not the picture's.

    PIL's decoders raise exceptions of many kinds on damaged files, so any that is not known to mean something else
    counts as damage.
    """
    if isinstance(error, InputError):  # a decompression bomb
        raise InputError(f"{pictures.name_of(row)} is refused: {error}") from error
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, OSError) and error.errno:
        raise InputError(f"cannot read {pictures.name_of(row)}: {error.strerror}") from error
    if type(error).__name__ == "UnidentifiedImageError":
        return "not a picture, or its header is damaged"
    return f"damaged: {str(error) or type(error).__name__}".replace("\n", " ")[:200]


def _write_header(path: Path, shape: tuple[int, ...]) -> int:
    """Begin an .npy file of uint8 and return where its data start; the rest of it is reserved."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()
        file.truncate(start + int(np.prod(shape)))
    return start


def _drop_rows(path: Path, kept: np.ndarray) -> None:
    """Rewrite an .npy file with some of its rows."""
    whole = np.load(path, mmap_mode="r")
    fewer = path.with_name("kept.npy")
    _write_header(fewer, (len(kept), *whole.shape[1:]))
    with fewer.open("rb+") as file:
        file.seek(fewer.stat().st_size - len(kept) * int(np.prod(whole.shape[1:])))
        for chunk in chunks(len(kept), _CHUNK):
            file.write(np.ascontiguousarray(whole[kept[chunk.start : chunk.stop]]).data)
    del whole  # Windows cannot replace a mapped file
    fewer.replace(path)


def disk_error(error: OSError, cache: Path) -> InputError | None:
    """The refusal for a disk that filled up while the cache was written; `None` for other errors."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return None
    return InputError(
        f"the disk of the cache {cache} is full ({error.strerror}); free space, or set LATENTRY_CACHE to another folder"
    )
