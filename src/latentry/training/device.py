"""Where to train."""

from __future__ import annotations

import torch

from latentry.errors import InputError


def pick_device(name: str) -> torch.device:
    """The device for a name: "auto" takes CUDA, then MPS, then the CPU.

    Raises:
        InputError: torch does not know the name, or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {name!r} cannot be used here; try auto, cpu, cuda, cuda:1 or mps") from error
    return device
