"""A folder of small pictures that a test writes itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import Save, noise


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """`save("a/b.png", seed_or_pixels)` writes a picture under `tmp_path / "set"` and returns its path."""

    def write(name: str, pixels: int | np.ndarray, **options: object) -> Path:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(pixels) if isinstance(pixels, int) else pixels).save(path, **options)  # type: ignore[arg-type]
        return path

    return write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that `save` writes to."""
    folder = tmp_path / "set"
    folder.mkdir(exist_ok=True)
    return folder
