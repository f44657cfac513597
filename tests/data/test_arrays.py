"""Arrays: layouts, ranges, labels, .npy, .npz and torch Datasets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from latentry.data import open_images, to_float
from latentry.errors import InputError

RGB = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 7), np.uint8)
GREY = RGB[:, :1]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (RGB, RGB),
        (RGB.transpose(0, 2, 3, 1), RGB),
        (GREY[:, 0], GREY),
        (GREY.transpose(0, 2, 3, 1), GREY),
        (RGB.astype(np.float32) / 255, RGB),
        (RGB.astype(np.float64) / 127.5 - 1, RGB),
        (RGB.astype(np.int64), RGB),
        (RGB.astype(np.uint16) * 257, RGB),
        (GREY > 127, (GREY > 127) * np.uint8(255)),
        (torch.from_numpy(RGB), RGB),
        (to_float(torch.from_numpy(RGB)).requires_grad_(), RGB),
    ],
)
def test_layouts_and_ranges(array: object, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(open_images(array).images, expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RGB.astype(np.float32), "floats from 0 to 25.; give uint8"),
        (np.full((2, 4, 4), np.nan), "floats from nan"),
        (RGB.astype(np.int32) - 5, "whole numbers from -"),
        (RGB[0, 0], r"has the shape \[6, 7\]"),
        (RGB[:, :2], r"has the shape \[5, 2, 6, 7\]"),
        (RGB[:0], "no pictures"),
        (RGB[:, :, :0], "without pixels"),
        (RGB.astype("U3"), "values of type <U3"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_images(array)


def test_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RGB)
    np.testing.assert_array_equal(open_images(tmp_path / "a.npy").images, RGB)
    np.savez(tmp_path / "b.npz", x=GREY, y=np.array([3, 1, 3, 1, 9]))
    images = open_images(tmp_path / "b.npz", size=3)
    assert images.images.shape == (5, 1, 3, 3) and images.name == "b"
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.classes.names == ("1", "3", "9") and images.labels.classes.values.tolist() == [1, 0, 1, 0, 2]


def test_files_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, faces=RGB)
    with pytest.raises(InputError, match="has the arrays faces; name the pictures 'images'"):
        open_images(path)
    np.savez(path, images=RGB, labels=np.arange(4))
    with pytest.raises(InputError, match="5 pictures and 4 labels"):
        open_images(path)
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(InputError, match="pickle, which is refused"):
        open_images(tmp_path / "a.npy")
    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 broken")
        with pytest.raises(InputError, match="cannot read"):
            open_images(tmp_path / name)


class Pairs:
    """A torch Dataset in all but name."""

    classes = ("cat", "dog", "emu")

    def __init__(self, items: list[object]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> object:
        return self.items[row]


def test_datasets_of_tensors_and_labels() -> None:
    images = open_images(Pairs([(to_float(torch.from_numpy(x)), k % 2) for k, x in enumerate(RGB)]))
    np.testing.assert_array_equal(images.images, RGB)
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.classes.names == ("cat", "dog", "emu")
    assert images.labels.classes.values.tolist() == [0, 1, 0, 1, 0]
    vectors = torch.tensor([[0.5, 1], [2, 3], [4, 5], [6, 7], [8, 9]])
    numbers = open_images(TensorDataset(torch.from_numpy(RGB), vectors)).labels
    assert numbers is not None and numbers.numbers is not None
    np.testing.assert_array_equal(numbers.numbers.values, vectors)


def test_datasets_of_images_of_several_sizes() -> None:
    pictures = [Image.new("RGB", (9, 9), (10, 20, 30)), Image.new("RGB", (9, 12), (10, 20, 30))]
    images = open_images(Pairs(list(pictures)), size=4)
    assert (images.images == np.array([10, 20, 30])[None, :, None, None]).all() and images.labels is None
    assert pictures[0].getpixel((0, 0)) == (10, 20, 30)  # still open
    signed = [np.full((3, 4, 4), -1.0), np.full((3, 5, 5), 0.0), np.full((3, 6, 6), 1.0)]
    assert open_images(Pairs(list(signed)), size=4).images[:, 0, 0, 0].tolist() == [0, 128, 255]


def test_datasets_that_are_refused() -> None:
    uneven: list[object] = [(RGB[0], [1]), (RGB[1], [1, 2])]
    cases: list[tuple[list[object], str]] = [
        ([], "is empty"),
        (["x"], "items of type str"),
        (uneven, "several lengths"),
    ]
    for items, message in cases:
        with pytest.raises(InputError, match=message):
            open_images(Pairs(items))


def test_what_was_assumed_is_said() -> None:
    ambiguous = np.zeros((2, 3, 4, 3), np.uint8)
    images = open_images(ambiguous)
    assert images.spec.shape == (3, 4, 3) and "read as [N, C, H, W]" in images.report.notes[0]
