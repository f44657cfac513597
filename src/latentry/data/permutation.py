"""A random order of so many things that nobody wants to write it down.

    Luby and Rackoff 1988, "How to construct pseudorandom permutations from pseudorandom functions" (SIAM J. Comput.).
    Black and Rogaway 2002, "Ciphers with arbitrary finite domains" (CT-RSA): cycle walking.
    Steele et al. 2014, "Fast splittable pseudorandom number generators" (OOPSLA): the mixing function.

A Feistel network permutes the numbers of b bits; what falls on n or above is sent through again until it falls below.
Of thousands of things its orders are as random ones; of a handful, some come more often than others.
Letters: b bits, a of them in the lower part.
"""

from __future__ import annotations

import numpy as np

_ROUNDS = 8  # four make it indistinguishable with perfect functions; ours are hashes


def permuted(positions: np.ndarray, n: int, key: tuple[int, ...]) -> np.ndarray:
    """What stands at some positions of a random order of 0..n-1; memory is that of the positions alone.

    Args:
        positions: int64 [m], each in 0..n-1.
        n: how many there are to order.
        key: what the order is drawn from; whole numbers from 0.

    Returns:
        int64 [m]; all positions together give each number once.
    """
    bits = max(2, (n - 1).bit_length())
    keys = np.random.default_rng(list(key)).integers(0, 2**64, size=_ROUNDS, dtype=np.uint64, endpoint=False)
    x = _feistel(positions.astype(np.uint64), bits, keys)
    while len(outside := np.flatnonzero(x >= n)):
        x[outside] = _feistel(x[outside], bits, keys)
    return x.astype(np.int64)


def _feistel(x: np.ndarray, bits: int, keys: np.ndarray) -> np.ndarray:
    """One pass through the network: numbers of so many bits to numbers of so many bits, one to one."""
    for turn, key in enumerate(keys):
        low = np.uint64(bits // 2 if turn % 2 else bits - bits // 2)  # parts take turns, and differ where b is odd
        high = np.uint64(bits) - low
        left, right = x >> low, x & ((np.uint64(1) << low) - np.uint64(1))
        left ^= _mixed(right ^ key) >> (np.uint64(64) - high)
        x = (right << high) | left
    return x


def _mixed(x: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of x; Steele et al. 2014, Figure 16 (splitmix64)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
