"""IDX: MNIST's files, one at a time or a folder of them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from latentry.data import open_images
from latentry.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
LABELS = np.array([7, 2, 1, 7, 2, 9], np.uint8)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS[:4])))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:4])))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[4:]))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[4:]))
    return folder


def test_a_folder_of_both_parts(mnist: Path) -> None:
    images = open_images(mnist)
    np.testing.assert_array_equal(images.images[:, 0], PIXELS)
    assert images.split is not None and images.split.tolist() == [0, 0, 0, 0, 1, 1] and images.name == "mnist"
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.classes.names == ("1", "2", "7", "9")
    assert images.labels.classes.values.tolist() == [2, 1, 0, 2, 1, 3]


@pytest.mark.parametrize(
    ("name", "rows"), [("train-images-idx3-ubyte.gz", slice(4)), ("t10k-images-idx3-ubyte", slice(4, 6))]
)
def test_one_file_finds_its_labels(mnist: Path, name: str, rows: slice) -> None:
    images = open_images(mnist / name)
    np.testing.assert_array_equal(images.images[:, 0], PIXELS[rows])
    assert images.labels is not None and images.labels.classes is not None and images.split is None
    names = np.array(images.labels.classes.names)
    assert names[images.labels.classes.values].tolist() == [str(label) for label in LABELS[rows]]


def test_without_labels(mnist: Path) -> None:
    (mnist / "train-labels-idx1-ubyte.gz").unlink()
    assert open_images(mnist / "train-images-idx3-ubyte.gz").labels is None
    images = open_images(mnist)
    assert images.labels is None and "labels are not read" in " ".join(images.report.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "cannot read"),
        (gzip.compress(idx(PIXELS))[:50], "cannot read"),
        (gzip.compress(b"\0\0\x0d\3" + idx(PIXELS)[4:]), "does not begin like an IDX file of pictures"),
        (gzip.compress(idx(PIXELS)[:-1]), "has 119 bytes of data"),
        (gzip.compress(idx(PIXELS[:0])), "no pictures"),
        (gzip.compress(idx(PIXELS)), "4 labels for 6 pictures"),
    ],
)
def test_damaged_files_are_refused(mnist: Path, content: bytes, message: str) -> None:
    (mnist / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_images(mnist / "train-images-idx3-ubyte.gz")


def test_other_files_are_refused(mnist: Path) -> None:
    with pytest.raises(InputError, match="holds labels"):
        open_images(mnist / "t10k-labels-idx1-ubyte")
    (mnist / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[4:, :3]))
    with pytest.raises(InputError, match="several sizes"):
        open_images(mnist)
