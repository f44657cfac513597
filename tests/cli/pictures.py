"""Small pictures on disk."""

from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, pixels: np.ndarray) -> None:
    """Write pixels [H, W] or [H, W, 3] as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def size(path: Path) -> tuple[int, int]:
    """Width and height."""
    with Image.open(path) as picture:
        return picture.size
