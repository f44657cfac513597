"""Random numbers that follow from a seed alone: in Python on any device, in an exported model, and in a browser.

    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (SC11): Threefry-2x32, 20 rounds.
    Box and Muller 1958, "A note on the generation of random normal deviates" (Ann. Math. Statist. 29).

Numbers are counted, not drawn one after another: the i-th of a seed needs none of those before it. Everything is 32-bit
additions, rotations and exclusive ors, then float64, so that docs/export.md writes the same in 20 lines of JavaScript.
No torch here. Letters: n seeds, U uniform and N normal numbers a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from latentry.errors import InputError

NORMAL, UNIFORM, CONDITION = 0, 1, 2  # what numbers are for: each use counts from 0 on its own
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_MOST = 2**64 - 1


class NoiseSize(NamedTuple):
    """How many numbers one latent is made of: uniform ones in [0, 1) and standard normal ones."""

    uniform: int
    normal: int


def threefry(key: tuple[np.ndarray, np.ndarray], counter: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Threefry-2x32 with 20 rounds; Salmon et al. 2011, section 4.2.

    Args:
        key, counter: two words each, uint32, of shapes that broadcast.

    Returns:
        Two words, uint32, of the broadcast shape.
    """
    keys = (*key, key[0] ^ key[1] ^ np.uint32(_PARITY))
    a, b = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(5):
        for turn in range(4):
            bits = _ROTATIONS[4 * (group % 2) + turn]
            a = a + b
            b = (b << np.uint32(bits) | b >> np.uint32(32 - bits)) ^ a
        a = a + keys[(group + 1) % 3]
        b = b + keys[(group + 2) % 3] + np.uint32(group + 1)
    return a, b


def words(seeds: Sequence[int], purpose: int, n: int) -> np.ndarray:
    """Pairs of random words, uint32 [len(seeds), n, 2]: the seed's halves are the key, (i, purpose) is the counter.

    Raises:
        InputError: a seed is below 0 or has more than 64 bits.
    """
    for seed in seeds:
        if not 0 <= seed <= _MOST:
            raise InputError(f"seed (={seed}) must be from 0 to 2^64 - 1")
    whole = np.array(list(seeds), dtype=np.uint64)[:, None]
    key = (whole & np.uint64(0xFFFFFFFF)).astype(np.uint32), (whole >> np.uint64(32)).astype(np.uint32)
    counter = np.arange(n, dtype=np.uint32)[None], np.full((1, n), purpose, np.uint32)
    return np.stack(threefry(key, counter), axis=-1)


def uniform(seeds: Sequence[int], n: int, purpose: int = UNIFORM) -> np.ndarray:
    """Numbers in [0, 1), float32 [len(seeds), n]: the upper 24 bits of the first word, exact in float32."""
    return ((words(seeds, purpose, n)[..., 0] >> np.uint32(8)) / 2**24).astype(np.float32)


def normal(seeds: Sequence[int], n: int) -> np.ndarray:
    """Standard normal numbers, float32 [len(seeds), n], two from each pair of words by Box and Muller in float64."""
    pairs = words(seeds, NORMAL, -(-n // 2))
    radius = np.sqrt(-2 * np.log((pairs[..., 0] + 0.5) / 2**32))
    angle = 2 * np.pi * (pairs[..., 1] / 2**32)
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return both.reshape(len(pairs), 2 * pairs.shape[1])[:, :n].astype(np.float32)


def seed_noise(seeds: Sequence[int], size: NoiseSize) -> np.ndarray:
    """What the latents of seeds are made of, float32 [len(seeds), U + N]: the uniform numbers, then the normal ones."""
    return np.concatenate([uniform(seeds, size.uniform), normal(seeds, size.normal)], axis=1)


def example_rows(seeds: Sequence[int], n_examples: int) -> np.ndarray:
    """Which of a model's condition examples each seed is given, int64 [len(seeds)]."""
    return np.floor(uniform(seeds, 1, CONDITION)[:, 0].astype(np.float64) * n_examples).astype(np.int64)
