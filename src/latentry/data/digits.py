"""Real handwritten digits, 8x8 pixels, that come with scikit-learn (UCI, Alpaydin and Kaynak 1998)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latentry.data.labels import ClassLabels, Labels

NAMES = tuple("0123456789")

STEPS = 16
"""Ink in the file counts the dark pixels of a 4x4 cell of the scan."""


def digits() -> tuple[npt.NDArray[np.uint8], Labels]:
    """All 1797 digits in the order of the file.

    Returns:
        pictures, uint8 [1797, 1, 8, 8], white ink on black, 0 to 16 spread over 0 to 255; and the digits as classes.
    """
    from sklearn.datasets import load_digits  # not needed to import this module, and slow

    ink, digit = load_digits(return_X_y=True)
    pictures = np.rint(ink * (255 / STEPS)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return pictures, Labels(classes=ClassLabels(digit.astype(np.int64), NAMES))
