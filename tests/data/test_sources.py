"""Input that cannot be opened: one line each, nothing written."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from latentry.data import open_images
from latentry.data.sources import in_full
from latentry.errors import InputError
from tests.data.pictures import Save, noise, png, png_bomb, zipped


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def refused(spec: object, match: str, cache: Path) -> None:
    with pytest.raises(InputError, match=match) as caught:
        open_images(spec)
    assert "\n" not in str(caught.value)
    assert not list(cache.iterdir())


def test_no_such_path(tmp_path: Path, cache: Path) -> None:
    refused(tmp_path / "nowhere", "no such path", cache)
    refused("facs", "did you mean faces", cache)
    refused("x\0y", "is no path", cache)
    refused("faces:many", "after the colon", cache)
    refused(7, "cannot open pictures from a int", cache)


def test_a_spec_in_full_means_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for same in ("faces", "digits:50", "stacked:digits", "stacked@50:digits:20", "hf:someone/faces:train"):
        assert in_full(same) == same
    assert in_full("a/b.zip") == str(tmp_path / "a" / "b.zip") == in_full(str(tmp_path / "a" / "b.zip"))
    assert in_full("stacked@50:a") == f"stacked@50:{tmp_path / 'a'}"
    assert in_full("~/a") == str(Path.home() / "a")


def test_folders_without_pictures(root: Path, cache: Path) -> None:
    refused(root, "it is empty", cache)
    (root / "notes.txt").write_text("x")
    refused(root, r"it has 1 files \(.txt\)", cache)


def test_files_of_unknown_kind(save: Save, root: Path, cache: Path) -> None:
    (root / "set.tar").write_text("x")
    refused(root / "set.tar", "not a picture or set of pictures", cache)


def test_all_pictures_damaged(root: Path, cache: Path) -> None:
    for name in "ab":
        (root / f"{name}.png").write_bytes(b"broken")
    refused(root, "none of the 2 pictures .* first, a.png, is not a picture", cache)


def test_all_pictures_truncated(save: Save, root: Path, cache: Path) -> None:
    path = save("a.png", noise(0, 40, 40))
    path.write_bytes(path.read_bytes()[:1000])
    refused(root, "none of the 1 pictures .* truncated", cache)


def test_zips_that_are_not_whole(save: Save, root: Path, cache: Path) -> None:
    save("a.png", 0)
    whole = zipped(root).read_bytes()
    path = root.parent / "bad.zip"
    path.write_bytes(b"not a zip")
    refused(path, "not a whole zip", cache)
    path.write_bytes(whole[:-30])
    refused(path, "not a whole zip", cache)
    path.write_bytes(make_zip(root / "x.zip", {"notes.txt": b"x"}).read_bytes())
    refused(path, "no pictures in .* 1 other files", cache)


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/etc/a.png", "..\\a.png", "C:/a.png"])
def test_zips_that_point_outside(tmp_path: Path, cache: Path, name: str) -> None:
    refused(make_zip(tmp_path / "bad.zip", {"ok.png": png(), name: png(1)}), "points outside", cache)


def test_a_zip_bomb(tmp_path: Path, cache: Path) -> None:
    refused(make_zip(tmp_path / "bomb.zip", {"a.bmp": bytes(20_000_000)}), "decompression bomb", cache)


def test_a_picture_bomb(root: Path, cache: Path) -> None:
    for side in (13_500, 200_000):  # PIL refuses the second itself
        (root / "bomb.png").write_bytes(png_bomb(side))
        refused(root, "bomb.png is refused: it claims .* pixels, and at most 180 million", cache)


def test_an_encrypted_zip(tmp_path: Path, cache: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.png": png()})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    refused(path, "encrypted", cache)


def test_a_damaged_entry_is_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", png(0))
        archive.writestr("b.png", png(1))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[100] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    images = open_images(tmp_path / "a.zip")
    assert images.files == ("b.png",) and images.report.skipped[0].file == "a.png"
    np.testing.assert_array_equal(images.images[0], noise(1).transpose(2, 0, 1))


def test_built_in_digits() -> None:
    images = open_images("digits:10")
    assert images.images.shape == (10, 1, 8, 8) and images.name == "digits"
    assert images.labels is not None and images.labels.classes is not None
    assert open_images("digits:10").fingerprint == images.fingerprint
    assert open_images("digits:10", size=16).images.shape == (10, 1, 16, 16)
    with pytest.raises(InputError, match="more than the 1797"):
        open_images("digits:2000")
