"""Conversion between uint8 and [-1, 1], in numpy and in torch."""

import numpy as np
import pytest
import torch

from latentry.data import to_float, to_uint8

ALL = np.arange(256, dtype=np.uint8)


def test_ends_and_middle() -> None:
    assert to_float(np.array([0, 255], np.uint8)).tolist() == [-1.0, 1.0]
    assert to_float(ALL).dtype == np.float32
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_there_and_back_is_exact() -> None:
    np.testing.assert_array_equal(to_uint8(to_float(ALL)), ALL)
    np.testing.assert_array_equal(to_uint8(to_float(torch.from_numpy(ALL))).numpy(), ALL)


@pytest.mark.parametrize(("value", "expected"), [(-1.5, 0), (1.5, 255), (0.0039, 128), (0.9999, 255), (-0.9999, 0)])
def test_rounds_and_clips(value: float, expected: int) -> None:
    assert to_uint8(np.array([value])).tolist() == [expected]
    assert to_uint8(torch.tensor([value])).tolist() == [expected]


def test_numpy_and_torch_agree() -> None:
    values = np.random.default_rng(0).uniform(-1.2, 1.2, 10_000).astype(np.float32)
    np.testing.assert_array_equal(to_uint8(values), to_uint8(torch.from_numpy(values)).numpy())
