"""Decode a source once, on every core, into one array on disk or in memory."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentry.data.contents import Pictures
from latentry.data.decode import Facts, Policy, decode, open_picture, read_facts
from latentry.data.duplicates import pixel_digests
from latentry.data.labels import Labels
from latentry.data.workers import Workers, chunks, n_workers
from latentry.errors import InputError
from latentry.settings.data import CHANNELS, Channels, Fit

Progress = Callable[[int, int], None]
"""Called with how many pictures are decoded, of how many."""

_CHUNK = 256
_FIRST = 32  # pictures whose headers predict the policy
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
class Built:
    """Decoded pictures, and what was learnt on the way."""

    images: np.ndarray  # uint8 [M, C, H, W]; memory-mapped where they were written to a file
    digests: np.ndarray  # uint8 [M, 16]
    rows: np.ndarray  # int64 [M], which of the source's pictures these are
    facts: list[Facts]  # of these
    bad: list[Bad]  # of the others
    policy: Policy
    notes: tuple[str, ...]  # how the policy was chosen


class _Mispredicted(Exception):
    """The headers ask for another policy than the first few of them did."""


def decode_all(
    pictures: Pictures, rows: Sequence[int], request: Request, path: Path | None, progress: Progress | None
) -> Built:
    """Decode pictures in order into `path` (an .npy file), or into memory where it is `None`.

    What the headers leave to decide (channels, size) is predicted from the first few, so that most sets are read once;
    where a later header asks for something else, all headers are read first. The policy is the same either way.

    Returns:
        The pictures; with none of them (M = 0) where all are damaged.
    """
    first = [facts for _, facts in _probe_chunk(pictures, rows[:_FIRST]) if isinstance(facts, Facts)]
    if first:
        try:
            return _decode_rows(pictures, rows, request, choose_policy(request, first)[0], path, progress)
        except _Mispredicted:
            pass
    tasks = [[rows[k] for k in chunk] for chunk in chunks(len(rows), _CHUNK)]
    with start_workers(pictures) as workers:
        found = [item for part in workers.map(_probe_chunk, tasks) for item in part]
    readable = [facts for _, facts in found if isinstance(facts, Facts)]
    if not readable:
        bad = [Bad(row, reason) for row, reason in found if isinstance(reason, str)]
        return _nothing(bad, Policy(1, 1, 1, request.fit))
    return _decode_rows(pictures, rows, request, choose_policy(request, readable)[0], path, progress)


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
        channels = CHANNELS[request.channels]
    return Policy(size[0], size[1], channels, request.fit), tuple(notes)


def _decode_rows(
    pictures: Pictures,
    rows: Sequence[int],
    request: Request,
    policy: Policy,
    path: Path | None,
    progress: Progress | None,
) -> Built:
    """Decode under a policy; raises `_Mispredicted` as soon as a header asks for another."""
    shape = (len(rows), policy.channels, policy.height, policy.width)
    offset = _write_header(path, shape) if path else 0
    bytes_each = int(np.prod(shape[1:]))
    tasks = [
        _Task(policy, [rows[k] for k in chunk], path, offset + chunk.start * bytes_each)
        for chunk in chunks(len(rows), _CHUNK)
    ]
    parts: list[_Part] = []
    known: dict[Facts, Facts] = {}  # one object for equal facts
    kinds: dict[tuple[bool, bool], Facts] = {}  # by grey or not, of the first size or not: what decides the policy
    done = 0
    with start_workers(pictures) as workers:
        for task, part in zip(tasks, workers.map(_decode_chunk, tasks), strict=True):
            part.facts[:] = [facts and known.setdefault(facts, facts) for facts in part.facts]
            parts.append(part)
            for facts in part.facts:
                if facts is not None:
                    first = next(iter(known))
                    kinds.setdefault((facts.grey, facts[1:3] == first[1:3]), facts)
            if kinds and choose_policy(request, list(kinds.values()))[0] != policy:
                raise _Mispredicted
            done += len(task.rows)
            if progress:
                progress(done, len(rows))
    all_facts = [facts for part in parts for facts in part.facts]
    bad = [item for part in parts for item in part.bad]
    failed = {item.row for item in bad}
    kept = np.array([row not in failed for row in rows], dtype=bool)
    if not kept.any():
        return _nothing(bad, policy)
    if path:
        if failed:
            _drop_rows(path, np.flatnonzero(kept))
        images = np.load(path, mmap_mode="r")
    else:
        images = np.concatenate([part.pixels for part in parts if part.pixels is not None])
        images = images if not failed else images[kept]
    _, notes = choose_policy(request, [facts for facts in all_facts if facts is not None])
    return Built(
        images=images,
        digests=np.concatenate([part.digests for part in parts])[kept],
        rows=np.array(rows, dtype=np.int64)[kept],
        facts=[facts for facts, keep in zip(all_facts, kept, strict=True) if keep and facts is not None],
        bad=bad,
        policy=policy,
        notes=notes,
    )


def _nothing(bad: list[Bad], policy: Policy) -> Built:
    """What comes of pictures that are all damaged."""
    empty = np.zeros((0, policy.channels, policy.height, policy.width), np.uint8)
    return Built(empty, np.zeros((0, 16), np.uint8), np.zeros(0, np.int64), [], bad, policy, ())


def start_workers(pictures: Pictures) -> Workers:
    """As many processes as decoding these pictures is worth."""
    return Workers(pictures, n_workers(pictures.cost_sec()))


def fingerprint(digests: np.ndarray, labels: Labels | None, policy_key: str) -> str:
    """A sha256 of the pictures' pixels, in order, their labels, and the policy that made them."""
    total = hashlib.sha256(policy_key.encode())
    total.update(np.ascontiguousarray(digests).tobytes())
    total.update(labels.digest() if labels else b"no labels")
    return total.hexdigest()


@dataclass(frozen=True)
class _Task:
    """Some pictures to decode; their pixels go into the file at byte `offset`, or without a file back to the caller."""

    policy: Policy
    rows: Sequence[int]
    path: Path | None
    offset: int


@dataclass(frozen=True)
class _Part:
    """What became of a task; rows of damaged pictures are black."""

    pixels: np.ndarray | None
    digests: np.ndarray
    facts: list[Facts | None]  # `None` where the header is damaged
    bad: list[Bad]


def _probe_chunk(pictures: Pictures, rows: Sequence[int]) -> list[tuple[int, Facts | str]]:
    out: list[tuple[int, Facts | str]] = []
    for row in rows:
        try:
            with pictures.open(row) as file, open_picture(file) as image:
                out.append((row, read_facts(image)))
        except Exception as error:
            out.append((row, _reason(error, row, pictures)))
    return out


def _decode_chunk(pictures: Pictures, task: _Task) -> _Part:
    policy = task.policy
    pixels = np.zeros((len(task.rows), policy.channels, policy.height, policy.width), np.uint8)
    all_facts: list[Facts | None] = []
    bad = []
    for at, row in enumerate(task.rows):
        facts = None
        try:
            with pictures.open(row) as file, open_picture(file) as image:
                facts = read_facts(image)
                pixels[at] = decode(image, policy)
        except Exception as error:
            bad.append(Bad(row, _reason(error, row, pictures)))
        all_facts.append(facts)
    digests = pixel_digests(pixels)
    if task.path is None:
        return _Part(pixels, digests, all_facts, bad)
    with task.path.open("rb+") as out:  # plain writes: a full disk is an error here, and a signal in mapped memory
        out.seek(task.offset)
        out.write(pixels.data)
    return _Part(None, digests, all_facts, bad)


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
