"""PSNR and SSIM by hand."""

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics.extractors.offline import random_features
from latentry.metrics.similarity import psnr, ssim

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (3, 3, 16, 20), dtype=np.uint8)


def flat(value, side=16):
    return np.full((1, 1, side, side), value, np.uint8)


def test_psnr_in_closed_form():
    assert psnr(flat(100), flat(110))[0] == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(flat(0), flat(255))[0] == 0
    one = flat(0, 10)
    one[0, 0, 0, 0] = 51  # a hundredth of the pixels is off by a fifth
    assert psnr(flat(0, 10), one)[0] == pytest.approx(10 * np.log10(25 * 100))


def test_equal_pictures_have_infinite_psnr_and_an_ssim_of_one():
    assert (psnr(X, X) == np.inf).all()
    np.testing.assert_allclose(ssim(X, X), 1, atol=1e-12)


def test_ssim_of_two_flat_pictures_is_the_luminance_term_alone():
    c1 = (0.01 * 255) ** 2
    assert ssim(flat(100), flat(130))[0] == pytest.approx((2 * 100 * 130 + c1) / (100**2 + 130**2 + c1), rel=1e-9)


def test_a_constant_shift_leaves_contrast_and_structure_alone():
    # A checkerboard's local mean is 100 to a part in a thousand everywhere, so the shift shows in the luminance alone.
    board = np.where(np.indices((32, 32)).sum(axis=0) % 2, 120, 80).astype(np.uint8)[None, None]
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 130 + c1) / (100**2 + 130**2 + c1)
    assert ssim(board, board + 30)[0] == pytest.approx(expected, rel=1e-3)


def test_inverting_a_checkerboard_inverts_its_structure():
    board = np.where(np.indices((32, 32)).sum(axis=0) % 2, 178, 78).astype(np.uint8)[None, None]
    c2 = (0.03 * 255) ** 2
    variance = 50.0**2
    inverted = np.where(board == 178, 78, 178).astype(np.uint8)
    assert ssim(board, inverted)[0] == pytest.approx((-2 * variance + c2) / (2 * variance + c2), rel=1e-3)


def test_ssim_by_the_formula_window_by_window():
    x, y = X[:1, :1], RNG.integers(0, 256, (1, 1, 16, 20), dtype=np.uint8)
    side = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    w = np.outer(side, side) / side.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(6):
        for j in range(10):
            a, b = x[0, 0, i : i + 11, j : j + 11].astype(float), y[0, 0, i : i + 11, j : j + 11].astype(float)
            ma, mb = (w * a).sum(), (w * b).sum()
            va, vb, cov = (w * (a - ma) ** 2).sum(), (w * (b - mb) ** 2).sum(), (w * (a - ma) * (b - mb)).sum()
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    assert ssim(x, y)[0] == pytest.approx(np.mean(values), rel=1e-9)


def test_ssim_is_symmetric_and_the_mean_over_channels():
    y = RNG.integers(0, 256, X.shape, dtype=np.uint8)
    np.testing.assert_allclose(ssim(X, y), ssim(y, X))
    by_channel = [ssim(X[:, c : c + 1], y[:, c : c + 1]) for c in range(3)]
    np.testing.assert_allclose(ssim(X, y), np.mean(by_channel, axis=0))


@pytest.mark.parametrize("side", [1, 2, 8, 10])
def test_pictures_smaller_than_the_window_get_a_smaller_one(side):
    c1 = (0.01 * 255) ** 2
    expected = (2 * 50 * 60 + c1) / (50**2 + 60**2 + c1)
    assert ssim(flat(50, side), flat(60, side))[0] == pytest.approx(expected)


def test_other_shapes_and_types_are_refused():
    with pytest.raises(InputError, match=r"uint8 \[1, 1, 16, 16\] and uint8 \[1, 1, 8, 8\]"):
        psnr(flat(0), flat(0, 8))
    with pytest.raises(InputError, match="float64"):
        ssim(flat(0), flat(0).astype(np.float64))


def test_random_features_are_the_same_everywhere_and_differ_by_seed():
    x = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    once, again, other = (random_features(3, seed)(x) for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert once.shape == (1, 256)
    assert once.std() > 0.01
