"""A photograph that came with a request, as a model takes it."""

from __future__ import annotations

import base64
import io

import numpy as np

from latentry.data.decode import Policy, decode, open_picture, read_facts
from latentry.errors import InputError
from latentry.settings.data import Fit
from latentry.settings.specs import ImageSpec

MOST_PIXELS = 50_000_000
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP")  # what browsers show; PIL's rarer parsers stay unreached


def read_upload(text: str, image: ImageSpec, fit: Fit) -> np.ndarray:
    """The picture in a file that was sent as base64, uint8 [1, C, H, W].

    Args:
        text: the file.
        image: the size and channels that the model takes.
        fit: what becomes of other proportions.

    Raises:
        InputError: it is no picture, of another format, damaged, or claims too many pixels.
    """
    from PIL import Image

    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:  # also of letters beyond ASCII
        raise InputError("the photograph is not base64; send the file's bytes so") from None
    try:
        Image.init()
        opened = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(_too_many("hundreds of millions of")) from None
    except Exception:  # PIL's parsers raise all sorts on a damaged header
        raise InputError("this is no picture that can be read; send a PNG, JPEG, WebP, GIF or BMP file") from None
    facts = read_facts(opened)
    if facts.width * facts.height > MOST_PIXELS:
        raise InputError(_too_many(f"{facts.width} x {facts.height}"))
    try:
        return decode(open_picture(opened), Policy(image.height, image.width, image.channels, fit))[None]
    except Exception as error:  # likewise on a damaged body
        raise InputError(f"the photograph is damaged ({error}); save it again") from None


def _too_many(claimed: str) -> str:
    most = MOST_PIXELS // 1_000_000
    return f"the photograph claims {claimed} pixels, and at most {most} million are decoded; scale it down first"
