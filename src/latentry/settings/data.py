"""What pictures a model is trained on, and how they are brought to one size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from latentry.errors import InputError, unknown_name

Channels = Literal["auto", "grey", "rgb", "rgba"]
Fit = Literal["crop", "pad", "stretch"]
Flip = Literal["auto", "yes", "no"]
CHANNELS: dict[Channels, int] = {"grey": 1, "rgb": 3, "rgba": 4}
SMALL_DATA = 2000  # pictures; below, a generator can learn them by heart in minutes


@dataclass(frozen=True)
class DataSettings:
    """The pictures: where they are, what size and channels they get, and how many are held out."""

    data: str = "faces"
    """faces, digits, shapes, ring, grid, stacked:digits; a folder, zip, IDX, npy, npz, parquet; or hf:OWNER/NAME."""
    size: str | int | None = None
    """side in pixels, such as 64, or HEIGHTxWIDTH, such as 64x48; None keeps a common size of up to 128, else 64."""
    channels: Channels = "auto"
    """auto is grey where every picture is grey, else rgb."""
    fit: Fit = "crop"
    """pictures of other proportions are cut to the centre, padded with white, or stretched."""
    holdout: float = 0.05
    """share of the pictures that is held out to score on; not read where the data bring their own split."""

    flip: Flip = "auto"
    """mirror training pictures at random; auto does below 2,000 pictures that look no different mirrored."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not self.data:
            raise InputError("data is empty; give a name such as faces, or the path of a folder or zip")
        if self.channels not in get_args(Channels):
            raise unknown_name("channels", self.channels, get_args(Channels))
        if self.fit not in get_args(Fit):
            raise unknown_name("fit", self.fit, get_args(Fit))
        if self.flip not in get_args(Flip):
            raise unknown_name("flip", self.flip, get_args(Flip))
        if not 0 <= self.holdout < 1:
            raise InputError(f"holdout (={self.holdout}) is a share of the pictures, at least 0 and below 1")
        _ = self.size_px  # refuse a size that cannot be read

    @property
    def size_px(self) -> tuple[int, int] | int | None:
        """The size as `open_images` takes it: one side, (height, width), or `None`."""
        if self.size is None:
            return None
        match = re.fullmatch(r"(\d+)(?:\s*[xX]\s*(\d+))?", str(self.size).strip())
        if match is None or min(int(side) for side in match.groups() if side is not None) < 1:
            raise InputError(
                f"size (={self.size!r}) must be a side such as 64, or HEIGHTxWIDTH such as 64x48, in pixels"
            )
        return int(match[1]) if match[2] is None else (int(match[1]), int(match[2]))
