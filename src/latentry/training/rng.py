"""Randomness as a function of what it is for: no global seed is set or read."""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, *purpose: int | str) -> int:
    """A seed of 63 bits that depends on `seed` and on every part of the purpose, e.g. `("step", 17, rank)`."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def rng_for(seed: int, *purpose: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose, on `device`."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))
