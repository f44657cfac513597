"""Which pictures a step trains on: a pure function of its arguments, so there is no state to save or restore."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from latentry.data.duplicates import pixel_digests
from latentry.data.in_place import LARGE_BYTES
from latentry.data.permutation import permuted
from latentry.errors import InputError

if TYPE_CHECKING:
    from latentry.data.images import ImageSet

_WRITTEN_DOWN = 1 << 22  # pictures; the order of an epoch of more is worked out where it is asked for
_BLOCK = 1 << 13  # positions of it at a time
_HOLDOUT_STREAM, _EPOCH_STREAM = 0x401D, 0xE90C  # keeps the two uses of one seed apart


def batch_indices(n: int, batch: int, *, seed: int, step: int, rank: int = 0, world_size: int = 1) -> np.ndarray:
    """The pictures of one rank's batch at one step.

    Epoch after epoch, each in an order drawn from `(seed, epoch)`, the pictures form one endless sequence; step and
    rank cut consecutive batches out of it, across the ends of epochs. So every picture appears exactly once an epoch,
    and the ranks of a step together see the batch that one rank of `batch * world_size` would have seen.

    Args:
        n: pictures in the set.
        batch: pictures in one rank's batch.
        seed: of the order.
        step: counted from 0.
        rank, world_size: which of how many processes asks.

    Returns:
        int64 [batch], each in 0..n-1.
    """
    if n < 1 or batch < 1:
        raise InputError(f"n (={n}) and batch (={batch}) must be at least 1")
    if step < 0 or not 0 <= rank < world_size:
        raise InputError(f"step (={step}) must be at least 0, and rank (={rank}) from 0 to world_size - 1")
    position = (step * world_size + rank) * batch
    parts = []
    left = batch
    while left:
        epoch, offset = divmod(position, n)
        part = _epoch_part(n, seed, epoch, offset, min(n, offset + left))
        parts.append(part)
        position += len(part)
        left -= len(part)
    return np.concatenate(parts)


def _epoch_part(n: int, seed: int, epoch: int, start: int, end: int) -> np.ndarray:
    """Some of the order of one epoch, int64 [end - start]."""
    if n <= _WRITTEN_DOWN:
        return _epoch_order(n, seed, epoch)[start:end]
    blocks = range(start // _BLOCK, (end - 1) // _BLOCK + 1)
    first = blocks.start * _BLOCK
    return np.concatenate([_epoch_block(n, seed, epoch, block) for block in blocks])[start - first : end - first]


@lru_cache(maxsize=16)
def _epoch_block(n: int, seed: int, epoch: int, block: int) -> np.ndarray:
    """Some of the order of one epoch of many pictures, int64, at most `_BLOCK`; for a batch alone it takes as long."""
    positions = np.arange(block * _BLOCK, min(n, (block + 1) * _BLOCK))
    return permuted(positions, n, (_EPOCH_STREAM, seed, epoch))


@lru_cache(maxsize=4)
def _epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order of one epoch, int64 [n], read-only."""
    order = np.random.default_rng([_EPOCH_STREAM, seed, epoch]).permutation(n)
    order.flags.writeable = False
    return order


def holdout_indices(images: ImageSet, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures to train on and those held out, each sorted.

    A set that brings its own split keeps it, but for held-out pictures whose exact copy is trained on: they are in
    neither part. Otherwise pictures are drawn, and exact copies of one picture fall on the same side. Of a set that is
    too large to be read as a whole, copies are not known.

    Args:
        images: the set.
        fraction: of the pictures, to hold out; 0 holds none out, and above 0 at least one is held out and one kept.
            Not read where the set brings its own split.
        seed: of the draw.

    Returns:
        `(train, held_out)`, int64.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"holdout (={fraction}) is a share of the pictures, at least 0 and below 1")
    n = len(images)
    if images.digests is None and images.images.nbytes > LARGE_BYTES:
        return _drawn(n, min(max(1, round(fraction * n)), n - 1) if fraction else 0, seed)
    digests = pixel_digests(images.images) if images.digests is None else images.digests
    _, picture = np.unique(digests.view("V16").reshape(-1) if digests.size else digests, return_inverse=True)
    if images.split is not None and images.split.any() and not images.split.all():
        held = images.split == 1
        leaked = np.zeros(n, bool)
        leaked[held] = np.isin(picture[held], picture[~held])
        return np.flatnonzero(~held), np.flatnonzero(held & ~leaked)
    groups = int(picture.max()) + 1 if n else 0
    if fraction == 0 or groups < 2:
        return np.arange(n), np.arange(0)
    sizes = np.bincount(picture, minlength=groups)
    order = np.random.default_rng([_HOLDOUT_STREAM, seed]).permutation(groups)
    wanted = min(max(1, round(fraction * n)), n - 1)
    taken, left = [], wanted
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        if size <= left:
            taken.append(group)
            left -= size
        if left == 0:
            break
    held = np.isin(picture, taken or [int(sizes.argmin())])
    return np.flatnonzero(~held), np.flatnonzero(held)


def _drawn(n: int, n_held_out: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows held out, each sorted, where no two pictures are known to be one."""
    kept = np.ones(n, bool)
    kept[permuted(np.arange(n_held_out), n, (_HOLDOUT_STREAM, seed))] = False
    return np.flatnonzero(kept), np.flatnonzero(~kept)
