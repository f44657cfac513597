"""Where pictures change between uint8, as disk and metrics see them, and float, as models do.

Only `export/onnx_model.py`, which imports numpy and onnxruntime alone, has these two lines of its own. The points of a
toy world are float32 on both sides, in the plane's own coordinates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from latentry.settings.specs import ImageSpec


@overload
def to_float(pixels: np.ndarray) -> np.ndarray: ...
@overload
def to_float(pixels: Tensor) -> Tensor: ...
def to_float(pixels: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Pixels in 0..255 as float32 in [-1, 1], `x / 127.5 - 1`; a tensor stays on its device.

    Args:
        pixels: uint8, any shape; float32, the points of a toy world, are given back as they are.
    """
    if str(pixels.dtype).endswith("float32"):  # numpy's and torch's; this module does not import torch
        return pixels
    if isinstance(pixels, np.ndarray):
        return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return pixels.float().div_(127.5).sub_(1)


@overload
def to_uint8(values: np.ndarray) -> np.ndarray: ...
@overload
def to_uint8(values: Tensor) -> Tensor: ...
def to_uint8(values: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Values in [-1, 1] as uint8: `(x + 1) * 127.5`, rounded, and clipped to 0..255; undoes `to_float` exactly.

    Args:
        values: floats, any shape; values beyond [-1, 1] are clipped, as a picture cannot show them.
    """
    if isinstance(values, np.ndarray):
        return np.rint((values.astype(np.float32) + 1) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    return ((values.float() + 1) * 127.5).round().clamp(0, 255).byte()


@overload
def to_stored(values: np.ndarray, image: ImageSpec) -> np.ndarray: ...
@overload
def to_stored(values: Tensor, image: ImageSpec) -> Tensor: ...
def to_stored(values: np.ndarray | Tensor, image: ImageSpec) -> np.ndarray | Tensor:
    """What a model made, as `ImageSet.images` holds it; undoes `to_float`.

    Args:
        values: floats [n, C, H, W].
        image: what they are: pictures in [-1, 1] become uint8, points float32.
    """
    if not image.points:
        return to_uint8(values)
    return values.astype(np.float32, copy=False) if isinstance(values, np.ndarray) else values.float()
