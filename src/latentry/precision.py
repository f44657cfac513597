"""Arithmetic in float64, wherever a tensor lies."""

from __future__ import annotations

from torch import Tensor


def float64(x: Tensor) -> Tensor:
    """The same numbers in float64, on x's device, or on the CPU where that is Apple's, which knows no float64."""
    return (x.cpu() if x.device.type == "mps" else x).double()
