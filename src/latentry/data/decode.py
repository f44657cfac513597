"""From one undecoded picture to uint8 [C, H, W]: the single policy for channels, rotation and fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from latentry.errors import InputError
from latentry.settings.data import Fit
from latentry.settings.specs import COLOURS

MAX_PIXELS = 180_000_000  # a picture that claims more is refused as a decompression bomb
GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_ORIENTATION = 0x0112


class Facts(NamedTuple):
    """What a picture's header says: PIL's mode, its size as displayed, rotation by EXIF, transparency."""

    mode: str
    width: int
    height: int
    rotated: bool
    transparent: bool

    @property
    def grey(self) -> bool:
        """Whether it has no colour; RGB pictures count as coloured, whatever their pixels."""
        return self.mode in GREY_MODES


@dataclass(frozen=True)
class Policy:
    """What every picture of a set is turned into."""

    height: int
    width: int
    channels: int
    fit: Fit

    @property
    def key(self) -> str:
        """The policy in short, for fingerprints."""
        return f"{self.channels}x{self.height}x{self.width} {self.fit}"

    def describe(self) -> tuple[str, ...]:
        """The policy in words, one statement a line."""
        shorter = {
            "crop": "scaled until both sides cover the target, then the centre is cropped",
            "pad": "scaled until the whole picture fits, then padded with "
            + ("transparent white" if self.channels == 4 else "white"),
            "stretch": "stretched to the target, whatever its proportions",
        }
        alpha = "transparency is kept" if self.channels == 4 else "transparent pictures are composited on white"
        colour = "colours become grey by ITU-R 601 luma" if self.channels == 1 else "palettes and CMYK become RGB"
        return (
            f"{self.width} x {self.height} pixels, {COLOURS[self.channels]}",
            f"fit {self.fit}: {shorter[self.fit]} (Lanczos)",
            "rotation stated in EXIF is applied; the first frame of an animation is taken",
            f"{colour}; 16-bit grey becomes 8-bit by rounding x / 257; {alpha}",
        )


def open_picture(file: IO[bytes] | Image.Image) -> Image.Image:
    """The picture with its header read, or an image in memory as it is.

    Raises:
        InputError: it claims more than `MAX_PIXELS` pixels.
        Exception: whatever PIL raises on a damaged header.
    """
    if isinstance(file, Image.Image):
        return file
    try:
        image = Image.open(file)
    except Image.DecompressionBombError as error:
        raise InputError(_bomb("more")) from error
    if image.width * image.height > MAX_PIXELS:
        raise InputError(_bomb(f"{image.width * image.height / 1e6:.0f} million"))
    return image


def read_facts(image: Image.Image) -> Facts:
    """The facts of a picture whose header is read."""
    orientation = _orientation(image)
    swapped = orientation >= 5 and image.format != "TIFF"  # PIL reports TIFF sizes as displayed
    width, height = image.size[::-1] if swapped else image.size
    return Facts(image.mode, width, height, orientation != 1, _transparent(image))


def decode(image: Image.Image, policy: Policy) -> np.ndarray:
    """One picture under the policy, uint8 [C, H, W].

    Raises:
        Exception: whatever PIL raises on a damaged file.
    """
    _draft(image, policy)
    image.load()
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    pixels = np.asarray(_fit(_to_channels(_to_8_bit(image), policy.channels), policy))
    return pixels[None] if policy.channels == 1 else pixels.transpose(2, 0, 1)


def _bomb(claimed: str) -> str:
    return f"it claims {claimed} pixels, and at most {MAX_PIXELS // 1_000_000} million are decoded; scale it down first"


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1, upright, where it is absent or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to refuse the pixels, and PIL's parsers raise all sorts
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _draft(image: Image.Image, policy: Policy) -> None:
    """Let a large JPEG decode at a fraction of its size, at least twice what is needed."""
    if image.format not in ("JPEG", "MPO"):
        return
    height, width = policy.height, policy.width
    if _orientation(image) >= 5:
        height, width = width, height
    across, down = width / image.width, height / image.height
    if policy.fit != "stretch":
        across = down = max(across, down) if policy.fit == "crop" else min(across, down)
    image.draft(None, (math.ceil(2 * across * image.width), math.ceil(2 * down * image.height)))


def _to_8_bit(image: Image.Image) -> Image.Image:
    """The same picture in one of the modes L, LA, RGB, RGBA."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"32-bit pixels from {values.min()} to {values.max()}; save it with 8 or 16 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        floats = np.asarray(image)
        if not (floats.min() >= 0 and floats.max() <= 1):
            raise ValueError(f"float pixels from {floats.min():g} to {floats.max():g}; scale them to [0, 1]")
        return Image.fromarray(np.rint(floats * 255).astype(np.uint8))
    if image.mode in ("L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image
    if _transparent(image):
        return image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_channels(image: Image.Image, channels: int) -> Image.Image:
    """Grey, RGB or RGBA; what loses its transparency is composited on white."""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    if image.mode in ("LA", "RGBA") and channels != 4:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)


def _fit(image: Image.Image, policy: Policy) -> Image.Image:
    """The picture at the policy's size."""
    target = (policy.width, policy.height)
    width, height = image.size
    if (width, height) == target:
        return image
    if policy.fit == "stretch":
        return _resize(image, target)
    scales = (policy.width / width, policy.height / height)
    if policy.fit == "crop":
        scale = max(scales)
        # Of the picture, what is kept; by rounding it can be an ulp more than there is, which is refused.
        across, down = min(width, policy.width / scale), min(height, policy.height / scale)
        left, top = (width - across) / 2, (height - down) / 2
        if scale == 1:  # whole pixels, so that nothing is blurred
            left, top = math.floor(left), math.floor(top)
            return image.crop((left, top, left + policy.width, top + policy.height))
        return _resize(image, target, (left, top, left + across, top + down))
    scale = min(scales)
    inside = _resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    fill = (255, 255, 255, 0)[: len(image.getbands())]
    padded = Image.new(image.mode, target, fill)
    padded.paste(inside, ((target[0] - inside.width) // 2, (target[1] - inside.height) // 2))
    return padded


def _resize(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Lanczos; large pictures are first reduced by whole factors, to no less than three times the size."""
    return image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
