"""Where to train."""

from __future__ import annotations

import torch

from latentry.errors import InputError
from latentry.ranks import Ranks


def pick_device(name: str, ranks: Ranks | None = None) -> torch.device:
    """The device for a name: "auto" takes CUDA, then MPS, then the CPU.

    Args:
        name: as in the settings.
        ranks: who else trains; each rank on a machine has a CUDA device of its own. None for nobody.

    Raises:
        InputError: torch does not know the name, or this machine has no such device, or too few.
    """
    if ranks is not None and ranks.world > 1:
        return _own_device(name, ranks)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["auto", "cpu", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
        there += ["mps"] if torch.backends.mps.is_available() else []
        raise InputError(f"device {name!r} cannot be used here; there are {', '.join(there)}") from error
    return device


def _own_device(name: str, ranks: Ranks) -> torch.device:
    """One rank's device."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise InputError(f"device {name!r} is one for {ranks.world} ranks; use auto, cuda or cpu")
    n = torch.cuda.device_count()
    if ranks.local >= n:
        raise InputError(
            f"process {ranks.local} of this machine (counted from 0) has no CUDA device: there are {n}; "
            f"use torchrun --nproc-per-node {max(n, 1)}, or --device cpu"
        )
    device = torch.device("cuda", ranks.local)
    torch.cuda.set_device(device)
    return device
