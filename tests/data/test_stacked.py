"""Stacked MNIST: what is in a stack, and what its class is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentry.data import ImageSet, open_images
from latentry.data.stacked import DEFAULT_N, parse_stacked, stacked_names
from latentry.errors import InputError
from tests.data.pictures import noise


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """Six training pictures and two test pictures; picture k has all pixels k and is of class k % 3."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    level = np.arange(8, dtype=np.uint8)
    pixels = np.broadcast_to(level[:, None, None], (8, 5, 4))
    for part, rows in (("train", slice(6)), ("t10k", slice(6, 8))):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels[rows]))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(level[rows] % 3))
    return folder


def class_names(images: ImageSet) -> np.ndarray:
    assert images.labels is not None and images.labels.classes is not None
    return np.array(images.labels.classes.names)[images.labels.classes.values]


def test_the_class_of_a_stack_is_that_of_its_channels_in_turn(mnist: Path) -> None:
    images = open_images(f"stacked@2000:{mnist}")
    assert images.images.shape == (2000, 3, 5, 4) and images.name == "stacked-mnist"
    levels = images.images[:, :, 0, 0].astype(int)
    assert (images.images == levels[:, :, None, None]).all()  # a channel is one picture
    assert images.labels is not None and images.labels.classes is not None
    np.testing.assert_array_equal(images.labels.classes.values, levels % 3 @ [9, 3, 1])
    assert images.labels.classes.names[:4] == ("000", "001", "002", "010")
    assert class_names(images)[0] == "".join(str(level % 3) for level in levels[0])


def test_channels_are_drawn_independently_and_evenly(mnist: Path) -> None:
    levels = open_images(f"stacked@6000:{mnist}").images[:, :, 0, 0].astype(int)
    counts = np.stack([np.bincount(channel, minlength=6) for channel in levels.T])
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(1000)
    for one, two in ((0, 1), (0, 2), (1, 2)):
        together = np.bincount(levels[:, one] * 6 + levels[:, two], minlength=36)
        assert ((together - 6000 / 36) ** 2 / (6000 / 36)).sum() < 35 + 4 * np.sqrt(70)


def test_held_out_pictures_are_in_no_stack(mnist: Path) -> None:
    """Else a model would be scored on digits that it was trained on."""
    images = open_images(f"stacked@500:{mnist}")
    assert set(np.unique(images.images)) == set(range(6)) and images.split is None
    assert "500 stacks are drawn from 6 grey pictures; 2 others, held out or damaged, are in none" in (
        images.report.notes
    )


def test_a_thousand_modes_from_real_digits() -> None:
    images = open_images("stacked@20000:digits")
    digits = open_images("digits")
    assert images.spec.shape == (3, 8, 8) and images.labels is not None and images.labels.classes is not None
    names = images.labels.classes.names
    assert len(names) == 1000 and (names[0], names[57], names[999]) == ("000", "057", "999")
    assert digits.labels is not None and digits.labels.classes is not None
    known = {
        picture.tobytes(): int(label)
        for picture, label in zip(digits.images[:, 0], digits.labels.classes.values, strict=True)
    }
    for row in range(0, 20000, 1999):
        said = tuple(str(known[channel.tobytes()]) for channel in images.images[row])
        assert "".join(said) == class_names(images)[row]


def test_the_same_stacks_every_time_and_fewer_are_the_first_of_more(mnist: Path, cache: Path) -> None:
    few, many = open_images(f"stacked@40:{mnist}"), open_images(f"stacked@90:{mnist}")
    np.testing.assert_array_equal(few.images, many.images[:40])
    anew = open_images(f"stacked@40:{mnist}", cache=cache / "other")
    assert anew.fingerprint == few.fingerprint and isinstance(anew.images, np.memmap)


def test_other_pictures_below_make_other_stacks(mnist: Path) -> None:
    """The cache must notice: its key holds the files that stacks are made of."""
    before = open_images(f"stacked@40:{mnist}").fingerprint
    (mnist / "train-images-idx3-ubyte").write_bytes(idx(np.full((6, 5, 4), 200, np.uint8)))
    assert open_images(f"stacked@40:{mnist}").fingerprint != before


def test_a_size_is_given_to_each_channel(mnist: Path) -> None:
    images = open_images(f"stacked@30:{mnist}", size=12)
    own = open_images(f"stacked@30:{mnist}")
    np.testing.assert_array_equal(images.images[:, :, 0, 0], own.images[:, :, 0, 0])
    assert images.spec.shape == (3, 12, 12)


def test_a_folder_of_grey_files_by_class(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.fromarray(noise(len(name) + ord(name[0]), channels=1)).save(tmp_path / "set" / name / "a.png")
    (tmp_path / "set" / "bee" / "broken.png").write_bytes(b"no picture")
    images = open_images(f"stacked@64:{tmp_path / 'set'}")
    pictures = {name: noise(3 + ord(name[0]), channels=1) for name in ("ant", "bee")}
    for stack, name in zip(images.images, class_names(images), strict=True):
        np.testing.assert_array_equal(stack, np.stack([pictures[part] for part in name.split("-")]))
    assert len(set(class_names(images))) == 8
    assert any("1 others, held out or damaged" in note for note in images.report.notes)


def test_the_grammar() -> None:
    assert parse_stacked("stacked:digits") == (DEFAULT_N, "digits") == (128_000, "digits")
    assert parse_stacked("stacked@500:digits:90") == (500, "digits:90")  # of the first 90 digits
    assert parse_stacked("stacked:C:/my:mnist") == (DEFAULT_N, "C:/my:mnist")
    assert [parse_stacked(text) for text in ("stacked", "./stacked:x", "stacked-2:x", "faces:3")] == [None] * 4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("stacked:", "names no pictures; write stacked:digits"),
        ("stacked@:digits", "after the @ comes how many stacks"),
        ("stacked@0:digits", "after the @ comes how many stacks"),
        ("stacked:nowhere", "no such path: nowhere"),
        ("stacked:digit", "did you mean digits"),
        ("stacked@9:faces:9", "not grey"),
        ("stacked:ring", "stacks are made of grey pictures"),
        ("stacked:stacked:digits", "stacks are made of grey pictures"),
    ],
)
def test_what_cannot_be_stacked_is_refused_in_one_line(spec: str, message: str, cache: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_images(spec)
    assert "\n" not in str(caught.value) and not list(cache.iterdir())


def test_sets_without_classes_or_of_several_sizes_are_refused(mnist: Path, tmp_path: Path) -> None:
    for path in mnist.glob("*labels*"):
        path.unlink()
    with pytest.raises(InputError, match="have no classes, which name the modes"):
        open_images(f"stacked:{mnist}")
    for side in (8, 9):
        (tmp_path / "set" / str(side)).mkdir(parents=True)
        Image.fromarray(noise(0, side, side, 1)).save(tmp_path / "set" / str(side) / "a.png")
    with pytest.raises(InputError, match="pictures of one size"):
        open_images(f"stacked:{tmp_path / 'set'}")


def test_too_many_classes_are_refused() -> None:
    with pytest.raises(InputError, match="65 classes would make 274,625 kinds"):
        stacked_names(tuple(str(k) for k in range(65)), "x")
    assert stacked_names(("a", "bc"), "x")[:3] == ("a-a-a", "a-a-bc", "a-bc-a")
