"""How alike two pictures are: PSNR and SSIM.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity" (IEEE TIP 13).

Differs from the paper in: colour pictures are compared channel by channel and averaged, not as luminance; nothing is
shrunk before, pictures here being small; of pictures under 11 pixels the window is the largest odd number that fits.

Letters: N pictures, C H W one.
"""

from __future__ import annotations

import numpy as np

from latentry.errors import InputError

_LARGEST = 255.0
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * _LARGEST) ** 2, (0.03 * _LARGEST) ** 2


def psnr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair, float64 [N], in dB; infinite for equal pictures.

    Args:
        x, y: uint8 [N, C, H, W].

    Raises:
        InputError: they are not pictures of one shape.
    """
    x, y = _pairs(x, y)
    error = np.square(x - y).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(_LARGEST**2 / error)


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair, float64 [N]; 1 for equal pictures.

    The mean over every place where the whole window fits: Gaussian, 11 pixels, sigma 1.5.

    Args:
        x, y: uint8 [N, C, H, W].

    Raises:
        InputError: they are not pictures of one shape.
    """
    x, y = _pairs(x, y)
    window = min(_WINDOW, *(side - 1 + side % 2 for side in x.shape[2:]))
    mean_x, mean_y = _local_mean(x, window), _local_mean(y, window)
    variance_x = _local_mean(x * x, window) - mean_x**2
    variance_y = _local_mean(y * y, window) - mean_y**2
    covariance = _local_mean(x * y, window) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)  # Eq. 6
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)  # Eq. 9 and 10 with C3 = C2 / 2
    return (luminance * structure).mean(axis=(1, 2, 3))  # Eq. 13 and 17


def _local_mean(x: np.ndarray, window: int) -> np.ndarray:
    """Means under a Gaussian window wherever it fits, [N, C, H - window + 1, W - window + 1]."""
    weights = np.exp(-0.5 * np.square((np.arange(window) - window // 2) / _SIGMA))
    weights /= weights.sum()
    for axis in (2, 3):
        x = np.lib.stride_tricks.sliding_window_view(x, window, axis=axis) @ weights
    return x


def _pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if x.dtype != np.uint8 or y.dtype != np.uint8 or x.ndim != 4 or x.shape != y.shape:
        raise InputError(
            f"pictures are {x.dtype} {list(x.shape)} and {y.dtype} {list(y.shape)}; give two uint8 [N, C, H, W] alike"
        )
    return x.astype(np.float64), y.astype(np.float64)
