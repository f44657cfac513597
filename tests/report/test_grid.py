import numpy as np
import pytest
from PIL import Image

from latentry.errors import InputError
from latentry.report.grid import pairs, save_picture, save_pictures, tile


def coloured(n, size=50):
    """n pictures, picture i all of grey level i."""
    return np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 1, size, size)).copy()


def test_pictures_stand_row_by_row_with_white_between():
    sheet = tile(coloured(5), columns=3)
    assert sheet.shape == (1, 2 * 50 + 2, 3 * 50 + 2 * 2)
    assert [sheet[0, 10, 10], sheet[0, 10, 62], sheet[0, 10, 114], sheet[0, 62, 10], sheet[0, 62, 62]] == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert sheet[0, 51, 51] == 255
    assert sheet[0, 80, 130] == 255  # nothing in the last place


def test_small_pictures_are_enlarged_by_whole_pixels():
    picture = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    sheet = tile(picture)
    assert sheet.shape == (1, 48, 48)
    assert np.array_equal(sheet[0, ::6, ::6], picture[0, 0])


def test_each_row_stands_above_its_reconstructions():
    sheet = pairs(coloured(3), coloured(3) + 100, columns=2)
    assert [sheet[0, 10 + 52 * row, 10] for row in range(4)] == [0, 100, 2, 102]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_files_hold_the_pixels(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (2, channels, 60, 55), dtype=np.uint8)
    save_pictures(tmp_path / "out", pixels, ["a", "b"])
    with Image.open(tmp_path / "out" / "b.png") as image:
        read = np.asarray(image).reshape(60, 55, channels)
    assert np.array_equal(read.transpose(2, 0, 1), pixels[1])
    save_picture(tmp_path / "one.jpg", pixels[0])
    with Image.open(tmp_path / "one.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (55, 60))


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.png or \.jpg"):
        save_picture(tmp_path / "a.gif", coloured(1)[0])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_pictures(tmp_path / "file" / "below", coloured(1), ["a"])
