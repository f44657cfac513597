"""Pictures that occur more than once: exact copies by hash, near copies by perceptual hash and comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

_CHUNK = 1024
_SIDE = 16  # of the thumbnails that near copies are compared by, pixels
_BANDS = ((0, 13), (13, 13), (26, 13), (39, 13), (52, 12))  # start and width in bits: finds all within 4 bits
_MAX_DISTANCE = 4
_MIN_CORRELATION = 0.995
_MAX_SHIFT = 4096  # pictures that share a band of the hash and are compared with each; more look all alike


def pixel_digests(images: np.ndarray) -> np.ndarray:
    """A 128-bit hash of each picture's pixels; equal where the pictures are equal.

    Args:
        images: uint8 [N, C, H, W], or float32 points.

    Returns:
        uint8 [N, 16].
    """
    out = np.empty((len(images), 16), np.uint8)
    for row, picture in enumerate(images):
        content = np.ascontiguousarray(picture)
        out[row] = np.frombuffer(hashlib.blake2b(content.data, digest_size=16).digest(), np.uint8)
    return out


def exact_groups(digests: np.ndarray) -> list[list[int]]:
    """Rows with equal digests, as sorted groups of two and more."""
    if len(digests) == 0:
        return []
    _, index, counts = np.unique(
        np.ascontiguousarray(digests).view("V16").reshape(-1), return_inverse=True, return_counts=True
    )
    order = np.argsort(index, kind="stable")
    groups = np.split(order, np.cumsum(counts)[:-1])
    return sorted([group.tolist() for group in groups if len(group) > 1])


def near_groups(images: np.ndarray, rows: np.ndarray) -> list[list[int]]:
    """Pictures that look the same though their pixels differ: re-encoded, rescaled, slightly brighter.

    Two pictures are near when their 64-bit perceptual hashes differ in at most 4 bits and their 16 x 16 thumbnails
    correlate by at least 0.995 and differ by less than 16 levels on average; groups are chains of such pairs.

    Args:
        images: uint8 [N, C, H, W].
        rows: which to compare, int64 [M]; leave exact copies out.

    Returns:
        Groups of two and more of `rows`, sorted.
    """
    hashes, thumbnails = _hash_and_shrink(images, rows)
    pairs = [pair for pair in _candidates(hashes) if len(pair)]
    if not pairs:
        return []
    both = np.unique(np.concatenate(pairs), axis=0)
    near = np.concatenate([_alike(thumbnails, both[at : at + 65536]) for at in range(0, len(both), 65536)])
    return [sorted(rows[group].tolist()) for group in _chains(both[near])]


def _hash_and_shrink(images: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Perceptual hashes uint64 [M], and thumbnails uint8 [M, C * 16 * 16]."""
    _, channels, height, width = images.shape
    down, across = _area_mean(32, height), _area_mean(32, width)
    waves = np.cos(np.pi / 32 * (np.arange(32) + 0.5) * np.arange(8)[:, None]).astype(np.float32)  # DCT-II, 8 lowest
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    hashes = np.empty(len(rows), np.uint64)
    thumbnails = np.empty((len(rows), channels * _SIDE * _SIDE), np.uint8)
    for at in range(0, len(rows), _CHUNK):
        some = images[rows[at : at + _CHUNK]].astype(np.float32)
        small = down @ some @ across.T  # [m, C, 32, 32]
        halves = small.reshape(len(some), channels, _SIDE, 2, _SIDE, 2).mean(axis=(3, 5))
        thumbnails[at : at + _CHUNK] = np.rint(halves).reshape(len(some), -1)
        waves_of = (waves @ small[:, :3].mean(axis=1) @ waves.T).reshape(len(some), 64)
        waves_of = np.rint(waves_of / 8)  # rounding errors are no waves: flat pictures hash alike
        bits = waves_of > np.median(waves_of[:, 1:], axis=1, keepdims=True)
        hashes[at : at + _CHUNK] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return hashes, thumbnails


def _area_mean(side: int, size: int) -> np.ndarray:
    """The matrix [side, size] that averages `size` pixels into `side` equal parts."""
    edges = np.linspace(0, size, side + 1)
    pixel = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.clip(overlap, 0, None) * side / size).astype(np.float32)


def _candidates(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of rows [P, 2] whose hashes share a band and differ in few bits; a pair may come more than once."""
    for start, width in _BANDS:
        band = (hashes >> np.uint64(start)) & np.uint64((1 << width) - 1)
        order = np.argsort(band, kind="stable")
        band, ordered = band[order], hashes[order]
        for shift in range(1, min(len(order), _MAX_SHIFT)):
            same = np.flatnonzero(band[shift:] == band[:-shift])
            if len(same) == 0:
                break
            few = same[np.bitwise_count(ordered[same] ^ ordered[same + shift]) <= _MAX_DISTANCE]
            yield np.sort(np.stack([order[few], order[few + shift]], axis=1), axis=1)


def _alike(thumbnails: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Whether the two thumbnails of each pair show the same, bool [P]."""
    one, two = (thumbnails[pairs[:, side]].astype(np.float32) for side in (0, 1))
    close = np.abs(one - two).mean(axis=1) < 16
    one, two = (x - x.mean(axis=1, keepdims=True) for x in (one, two))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    flat = norms < len(thumbnails[0])  # standard deviation below one level: nothing to correlate
    correlated = (one * two).sum(axis=1) >= _MIN_CORRELATION * norms
    return close & (correlated | flat)


def _chains(pairs: np.ndarray) -> list[list[int]]:
    """Connected groups of the pairs' members (union-find)."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.setdefault(row, row)) != row:
            parent[row] = parent[above]
            row = above
        return row

    for one, two in pairs.tolist():
        parent[root(two)] = root(one)
    groups: dict[int, list[int]] = {}
    for row in parent:
        groups.setdefault(root(row), []).append(row)
    return sorted(sorted(group) for group in groups.values())
