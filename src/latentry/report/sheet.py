"""Pictures in rows and columns that say what they are, in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP_PX, _MARGIN_PX, _TEXT_PX = 3, 8, 13
_SMALLEST_SIDE_PX = 64  # smaller pictures are enlarged by a whole factor
_INK = (28, 29, 33)


def labelled_sheet(images: np.ndarray, columns: Sequence[str] = (), rows: Sequence[str] = ()) -> np.ndarray:
    """One picture on white, uint8 [3, H', W'], with titles above the columns and before the rows.

    Args:
        images: uint8 [rows, columns, C, H, W] with 1, 3 or 4 channels.
        columns, rows: the titles, of one line each; none are left out of the sheet. A column's is cut to its width.
    """
    n_rows, n_columns, _, height, width = images.shape
    zoom = enlargement(height, width, _SMALLEST_SIDE_PX)
    height, width = zoom * height, zoom * width
    font = ImageFont.load_default(_TEXT_PX)
    left = math.ceil(max((font.getlength(row) for row in rows), default=0.0))
    left += 2 * _MARGIN_PX if rows else _MARGIN_PX
    top = 2 * _TEXT_PX if columns else _MARGIN_PX
    size = (left + n_columns * (width + _GAP_PX) + _MARGIN_PX, top + n_rows * (height + _GAP_PX) + _MARGIN_PX)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for j, title in enumerate(columns):
        draw.text((left + j * (width + _GAP_PX), _TEXT_PX // 2), _cut(title, width, font), _INK, font)
    for i in range(n_rows):
        y = top + i * (height + _GAP_PX)
        if rows:
            draw.text((_MARGIN_PX, y + height / 2), rows[i], _INK, font, anchor="lm")
        for j in range(n_columns):
            pixels = as_rgb(images[i, j]).repeat(zoom, axis=0).repeat(zoom, axis=1)
            sheet.paste(Image.fromarray(pixels), (left + j * (width + _GAP_PX), y))
    return np.ascontiguousarray(np.asarray(sheet).transpose(2, 0, 1))


def enlargement(height: int, width: int, side_px: int) -> int:
    """The least whole factor by which the shorter side is at least so many pixels."""
    return max(1, math.ceil(side_px / min(height, width)))


def as_rgb(image: np.ndarray) -> np.ndarray:
    """A picture, uint8 [C, H, W], as [H, W, 3]; what is transparent shows white."""
    pixels = image.transpose(1, 2, 0)
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3:].astype(np.float64) / 255
        return np.rint(pixels[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _cut(title: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a title as fits."""
    while len(title) > 1 and font.getlength(title) > width:
        title = title[:-1]
    return title
