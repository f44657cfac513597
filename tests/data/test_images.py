"""Folders and zips: what is found in them, and that both give the same set."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentry.data import open_images
from latentry.errors import InputError
from latentry.settings.specs import ImageSpec
from tests.data.pictures import Save, noise, zipped


def test_pictures_come_in_order_of_their_names_at_any_depth(save: Save, root: Path) -> None:
    for name, seed in [("b.png", 1), ("a/deep/er/x.PNG", 2), ("c.bmp", 3)]:
        save(name, seed)
    (root / "notes.txt").write_text("not a picture")
    save(".hidden/y.png", 4)
    save("__MACOSX/z.png", 5)
    images = open_images(root)
    assert images.files == ("a/deep/er/x.PNG", "b.png", "c.bmp")
    np.testing.assert_array_equal(images.images, [noise(seed).transpose(2, 0, 1) for seed in (2, 1, 3)])
    assert images.labels is None and images.split is None
    assert (images.spec, images.name, len(images)) == (ImageSpec(3, 8, 8), "set", 3)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"])
def test_every_ending_opens(save: Save, root: Path, ending: str) -> None:
    save(f"a.{ending.upper()}", np.full((4, 4, 3), 200, np.uint8))
    assert np.abs(open_images(root).images.astype(int) - 200).max() <= 2


def test_one_picture_opens_as_a_set_of_one(save: Save) -> None:
    images = open_images(save("one.png", 0))
    np.testing.assert_array_equal(images.images, [noise(0).transpose(2, 0, 1)])
    assert (images.name, images.files, images.labels) == ("one", ("one.png",), None)


def test_sub_folders_are_classes(save: Save, root: Path) -> None:
    for k, name in enumerate(["dog/1.png", "cat/1.png", "dog/2.png"]):
        save(name, k)
    labels = open_images(root).labels
    assert labels is not None and labels.classes is not None
    assert labels.classes.names == ("cat", "dog") and labels.classes.values.tolist() == [0, 1, 1]


def test_train_and_test_folders_are_a_split(save: Save, root: Path) -> None:
    for k, name in enumerate(["train/dog/1.png", "train/cat/1.png", "test/dog/1.png", "Valid/cat/9.png"]):
        save(name, k)
    images = open_images(root)
    assert images.labels is not None and images.labels.classes is not None and images.split is not None
    assert images.split.tolist() == [1, 1, 0, 0]  # Valid, test, train, train
    assert images.labels.classes.values.tolist() == [0, 1, 0, 1]
    assert images.report.n_held_out == 2


@pytest.mark.parametrize("names", [["dog/1.png", "dog/2.png"], ["dog/1.png", "2.png"], ["dog/a/1.png", "cat/1.png"]])
def test_other_layouts_have_no_classes(save: Save, root: Path, names: list[str]) -> None:
    for k, name in enumerate(names):
        save(name, k)
    assert open_images(root).labels is None


def test_a_zip_gives_the_same_set_and_fingerprint(save: Save, root: Path) -> None:
    for k, name in enumerate(["dog/1.png", "cat/1.png", "dog/2.png"]):
        save(name, k)
    folder, archive = open_images(root), open_images(zipped(root))
    wrapped = open_images(zipped(root, prefix="pets/", name="wrapped.zip"))
    for other in (archive, wrapped):
        np.testing.assert_array_equal(other.images, folder.images)
        assert other.fingerprint == folder.fingerprint
    assert len(folder.fingerprint) == 64 and wrapped.name == "wrapped"


def test_the_fingerprint_tells_pixels_labels_and_policy_apart(save: Save, root: Path) -> None:
    save("a/1.png", 0)
    save("b/1.png", 1)
    prints = {open_images(root).fingerprint, open_images(root, size=4).fingerprint}
    prints.add(open_images(root, size=4, fit="pad").fingerprint)
    (root / "b").rename(root / "c")
    prints.add(open_images(root).fingerprint)
    save("c/1.png", 2)
    prints.add(open_images(root).fingerprint)
    assert len(prints) == 5


def test_auto_channels_and_size(save: Save, root: Path) -> None:
    save("a.png", noise(0, channels=1))
    assert open_images(root).spec == ImageSpec(1, 8, 8)
    save("b.png", np.repeat(noise(0, channels=1)[..., None], 3, axis=2))  # grey pixels, but RGB
    images = open_images(root)
    assert images.spec == ImageSpec(3, 8, 8)
    np.testing.assert_array_equal(images.images[0], images.images[1])
    assert any("1 of 2 pictures are grey" in note for note in images.report.notes)
    save("c.png", noise(2, 200, 100))
    assert open_images(root).spec == ImageSpec(3, 64, 64)
    assert open_images(root, size=(5, 7), channels="rgba").spec == ImageSpec(4, 5, 7)


@pytest.mark.parametrize("odd", ["colour", "size"])
def test_a_late_picture_of_another_kind_is_reckoned_with(save: Save, root: Path, odd: str) -> None:
    for k in range(40):
        save(f"{k:02}.png", noise(k, channels=1))
    save("z.png", noise(40) if odd == "colour" else noise(40, 9, 9, 1))
    images = open_images(root)
    assert images.spec == (ImageSpec(3, 8, 8) if odd == "colour" else ImageSpec(1, 64, 64))
    np.testing.assert_array_equal(
        images.images, open_images(root, images.spec.height, "rgb" if odd == "colour" else "grey").images
    )


def test_mixed_modes_in_one_folder(save: Save, root: Path) -> None:
    flat: dict[str, tuple[str, Any]] = {
        "grey.png": ("L", 90),
        "rgb.png": ("RGB", (90, 90, 90)),
        "la.png": ("LA", (90, 255)),
    }
    for name, (mode, colour) in flat.items():
        Image.new(mode, (4, 4), colour).save(root / name)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    palette.save(root / "p.gif")
    Image.fromarray(np.full((4, 4), 90 * 257, np.uint16)).save(root / "deep.png")
    Image.new("CMYK", (4, 4), (165, 165, 165, 0)).save(root / "cmyk.tif")
    images = open_images(root)
    assert len(images) == 6 and (images.images == 90).all()
    assert set(images.report.modes) >= {"L", "RGB", "LA", "CMYK"}


def test_limit_is_spread_over_the_source(save: Save, root: Path) -> None:
    for k in range(10):
        save(f"{'ab'[k // 5]}/{k}.png", k)
    images = open_images(root, limit=4)
    assert images.files == ("a/0.png", "a/2.png", "b/5.png", "b/7.png")
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.classes.values.tolist() == [0, 0, 1, 1]


def test_a_subset_keeps_names_and_gets_its_own_fingerprint(save: Save, root: Path) -> None:
    for k in range(4):
        save(f"{'ab'[k // 2]}/{k}.png", k)
    images = open_images(root)
    part = images.subset(np.array([3, 0]))
    np.testing.assert_array_equal(part.images, images.images[[3, 0]])
    assert part.files == ("b/3.png", "a/0.png") and part.report.classes == {"a": 1, "b": 1}
    assert part.fingerprint != images.fingerprint
    assert images.subset(np.arange(4)).fingerprint == images.fingerprint


def test_damaged_files_are_named_skipped_and_counted(save: Save, root: Path) -> None:
    for k in range(6):
        save(f"{'ab'[k % 2]}/{k}.png", noise(k, 40, 40))
    whole = (root / "a/2.png").read_bytes()
    (root / "a/2.png").write_bytes(whole[: len(whole) // 2])
    (root / "b/1.png").write_bytes(b"no picture at all")
    (root / "b/3.png").write_bytes(b"")
    images = open_images(root)
    assert images.files == ("a/0.png", "a/4.png", "b/5.png")
    np.testing.assert_array_equal(images.images[2], noise(5, 40, 40).transpose(2, 0, 1))
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.classes.values.tolist() == [0, 0, 1]
    assert [item.file for item in images.report.skipped] == ["a/2.png", "b/1.png", "b/3.png"]
    assert "truncated" in images.report.skipped[0].reason and "not a picture" in images.report.skipped[1].reason
    assert images.report.n_skipped == 3 and open_images(root).report == images.report
    in_memory = open_images([Image.open(root / name) for name in images.files])
    np.testing.assert_array_equal(in_memory.images, images.images)


def test_report_of_a_small_set(save: Save, root: Path) -> None:
    save("a.png", noise(0, 1, 1))
    save("b.png", noise(1, 10, 30))
    images = open_images(root, size=8)
    text = " ".join(images.report.warnings)
    assert "2 pictures are few" in text and "1 x 1" in text and "enlarged" in text and "cuts away" in text
    assert {(s.width, s.height) for s in images.report.sizes} == {(1, 1), (30, 10)}
    assert "crop" in " ".join(images.report.policy)
    assert dataclasses.asdict(images.report) == images.report.to_json()


def test_importing_and_opening_needs_no_torch(save: Save, root: Path) -> None:
    save("a.png", 0)
    code = (
        "import sys; from latentry.data import open_images; assert len(open_images(sys.argv[1])) == 1; "
        "assert not {'torch', 'pyarrow', 'datasets', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], check=True)


def test_the_user_s_array_is_not_made_read_only() -> None:
    array = np.zeros((3, 1, 4, 4), np.uint8)
    open_images(array)
    array[:] = 1


def test_size_channels_and_fit_are_checked(save: Save, root: Path) -> None:
    save("a.png", 0)
    bad: list[dict[str, Any]] = [{"size": 0}, {"size": (4, -1)}, {"channels": "blue"}, {"fit": "fill"}, {"limit": 0}]
    for options in bad:
        with pytest.raises(InputError):
            open_images(root, **options)
