"""Pictures side by side in one PNG."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from latentry.errors import InputError
from latentry.files import make_folder, write_file
from latentry.report.scatter import draw_points

if TYPE_CHECKING:
    from latentry.settings.config import Config
    from latentry.training.doctor import Finding
    from latentry.training.observer import Pace, Pictures
    from latentry.training.run import Run

_GAP_PX = 2
_SMALLEST_SIDE_PX = 48  # smaller pictures are enlarged by a whole factor, so that one can see them


def tile(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """One picture of all, uint8 [C, H', W'], row by row on white; of points, a scatter plot.

    Args:
        images: uint8 [n, C, H, W], or float32 points [n, 2, 1, 1]; at least one.
        columns: pictures in a row; None for about twice as wide as high.
    """
    if _are_points(images):
        return draw_points(images.reshape(-1, 2))
    n, channels, height, width = images.shape
    columns = columns or min(n, math.ceil(math.sqrt(2 * n)))
    zoom = max(1, math.ceil(_SMALLEST_SIDE_PX / min(height, width)))
    images = images.repeat(zoom, axis=2).repeat(zoom, axis=3)
    rows, (height, width) = -(-n // columns), images.shape[2:]
    sheet = np.full(
        (channels, rows * (height + _GAP_PX) - _GAP_PX, columns * (width + _GAP_PX) - _GAP_PX), 255, np.uint8
    )
    for index, image in enumerate(images):
        top, left = index // columns * (height + _GAP_PX), index % columns * (width + _GAP_PX)
        sheet[:, top : top + height, left : left + width] = image
    return sheet


def pairs(reals: np.ndarray, reconstructions: np.ndarray, columns: int = 8) -> np.ndarray:
    """Rows of pictures, each above the row of its reconstructions; uint8 [C, H', W'].

    Of points, which may differ in number, a scatter plot with the reals below.
    """
    if _are_points(reals):
        return draw_points(reconstructions.reshape(-1, 2), reals.reshape(-1, 2))
    rows = []
    for start in range(0, len(reals), columns):
        for part in (reals[start : start + columns], reconstructions[start : start + columns]):
            filler = np.full((columns - len(part), *part.shape[1:]), 255, np.uint8)
            rows.append(np.concatenate([part, filler]))
    return tile(np.concatenate(rows), columns)


def _are_points(images: np.ndarray) -> bool:
    """Whether these are points of a toy world: pictures on disk and on show are uint8."""
    return images.dtype == np.float32 and images.shape[1:] == (2, 1, 1)


def to_png(picture: np.ndarray) -> bytes:
    """A picture, uint8 [C, H, W] with 1, 3 or 4 channels, as the bytes of a PNG file."""
    pixels = picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 [C, H, W], as a PNG file that is whole or absent."""
    write_file(path, to_png(picture))


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 [C, H, W], as a PNG or JPEG file by its ending.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    match path.suffix.lower():
        case ".png":
            write_file(path, to_png(picture))
        case ".jpg" | ".jpeg":
            buffer = io.BytesIO()
            Image.open(io.BytesIO(to_png(picture))).convert("RGB").save(buffer, format="JPEG", quality=92)
            write_file(path, buffer.getvalue())
        case other:
            raise InputError(f"cannot write a picture as {other or 'a name without ending'!r}; end -o in .png or .jpg")


def save_pictures(path: Path, images: np.ndarray, names: list[str], columns: int | None = None) -> Path:
    """Write pictures, uint8 [n, C, H, W], as one grid (.png, .jpg), their pixels (.npy), or one PNG each in a folder.

    Points, float32 [n, 2, 1, 1], become one scatter plot or their coordinates.

    Raises:
        InputError: another ending, a folder for points, or it cannot be written.
    """
    if path.suffix.lower() == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, images)
        write_file(path, buffer.getvalue())
    elif path.suffix:
        save_picture(path, tile(images, columns))
    elif _are_points(images):
        raise InputError(
            f"cannot write points as pictures in a folder ({path}): each is one place of the plane; "
            "end -o in .png for a scatter plot of all, or in .npy for their coordinates"
        )
    else:
        make_folder(path)
        for name, image in zip(names, images, strict=True):
            save_png(path / f"{name}.png", image)
    return path


class GridWriter:
    """An observer that writes `samples/`: fixed-latent grids and reconstructions, named by images seen; reals once."""

    def __init__(self) -> None:
        self._samples: Path | None = None

    def started(self, run: Run, config: Config, resumed_at: int | None) -> None:
        """Remember where."""
        self._samples = run.samples

    def advanced(self, pace: Pace) -> None:
        """Nothing between ticks."""

    def ticked(self, record: dict[str, Any], pictures: Pictures) -> None:
        """Write this tick's pictures."""
        assert self._samples is not None
        name = f"{record['images']:012d}.png"
        if not (self._samples / "reals.png").exists():
            save_png(self._samples / "reals.png", tile(pictures.reals))
        if pictures.samples is not None:
            points = _are_points(pictures.samples)  # over the data, within the same limits all run
            shown = pairs(pictures.reals, pictures.samples) if points else tile(pictures.samples)
            save_png(self._samples / name, shown)
        if pictures.reconstructions is not None:
            save_png(self._samples / f"reconstructions-{name}", pairs(pictures.reals, pictures.reconstructions))

    def found(self, finding: Finding) -> None:
        """Nothing to draw."""

    def ended(self) -> None:
        """Nothing to close."""
