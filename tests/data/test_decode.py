"""The policy: each kind of file gives the pixels that the report promises."""

import io

import numpy as np
import pytest
from PIL import Image

from latentry.data import decode as module
from latentry.data.decode import Facts, Policy
from latentry.errors import InputError
from latentry.settings.data import Fit

RED = (220, 10, 30)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def gradient(height: int, width: int) -> Image.Image:
    """Red rises to the right, green downwards, so that every pixel tells where it came from."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([x * 20, y * 20, x * 0], axis=2).astype(np.uint8))


def decode(file: io.BytesIO, policy: Policy) -> np.ndarray:
    with module.open_picture(file) as image:
        return module.decode(image, policy)


def read_facts(file: io.BytesIO) -> Facts:
    with module.open_picture(file) as image:
        return module.read_facts(image)


def policy(height: int, width: int, channels: int = 3, fit: Fit = "crop") -> Policy:
    return Policy(height, width, channels, fit)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    upright = gradient(4, 6)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        file = encoded(stored, kind, exif=exif.tobytes() if kind == "PNG" else exif)
        assert read_facts(file) == Facts("RGB", 6, 4, orientation != 1, False)
        file.seek(0)
        np.testing.assert_array_equal(decode(file, policy(4, 6)), np.asarray(upright).transpose(2, 0, 1))


def test_cmyk_becomes_the_colour_it_prints() -> None:
    image = Image.new("CMYK", (4, 4), (0, 255, 255, 0))  # magenta and yellow make red
    pixels = decode(encoded(image, "TIFF"), policy(4, 4))
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]


def test_16_bit_grey_is_divided_by_257_with_rounding() -> None:
    values = np.array([[0, 128, 129, 257], [25700, 32768, 65406, 65535]], np.uint16)
    pixels = decode(encoded(Image.fromarray(values)), policy(2, 4, 1))
    np.testing.assert_array_equal(pixels[0], np.rint(values / 257))
    assert pixels.max() == 255


def test_palette_becomes_its_colours() -> None:
    image = Image.new("P", (3, 3), 1)
    image.putpalette([0, 0, 0, *RED])
    assert decode(encoded(image, "GIF"), policy(3, 3))[:, 1, 1].tolist() == list(RED)


def test_transparency_is_composited_on_white_or_kept() -> None:
    image = Image.new("RGBA", (2, 2), (*RED, 51))  # a fifth
    on_white = [round(0.2 * c + 0.8 * 255) for c in RED]
    assert np.abs(decode(encoded(image), policy(2, 2))[:, 0, 0].astype(int) - on_white).max() <= 1
    assert decode(encoded(image), policy(2, 2, 4))[:, 0, 0].tolist() == [*RED, 51]


def test_transparent_colour_of_a_palette_is_white() -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, *RED])
    file = encoded(image, "PNG", transparency=1)
    assert read_facts(file).transparent
    file.seek(0)
    assert (decode(file, policy(2, 2)) == 255).all()


def test_opaque_pictures_get_full_alpha() -> None:
    assert (decode(encoded(gradient(2, 2)), policy(2, 2, 4))[3] == 255).all()


def test_grey_with_alpha_becomes_grey() -> None:
    image = Image.new("LA", (2, 2), (100, 255))
    assert read_facts(encoded(image)).grey
    assert (decode(encoded(image), policy(2, 2, 1)) == 100).all()


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert decode(encoded(image), policy(1, 2, 1)).tolist() == [[[255, 0]]]


def test_colour_becomes_grey_by_luma() -> None:
    image = Image.new("RGB", (1, 1), RED)
    assert decode(encoded(image), policy(1, 1, 1)).item() == int(0.299 * 220 + 0.587 * 10 + 0.114 * 30)


def test_crop_takes_the_centre_without_blurring() -> None:
    pixels = decode(encoded(gradient(4, 10)), policy(4, 4))
    np.testing.assert_array_equal(pixels[0, 0], np.arange(3, 7) * 20)


def test_crop_of_an_odd_remainder_stays_sharp() -> None:
    pixels = decode(encoded(gradient(4, 5)), policy(4, 4))
    np.testing.assert_array_equal(pixels[0, 0], np.arange(0, 4) * 20)


def test_crop_scales_the_shorter_side() -> None:
    image = Image.new("RGB", (40, 20))
    image.paste(RED, (10, 0, 30, 20))  # the centre square
    assert (decode(encoded(image), policy(10, 10)).reshape(3, -1).T[33] == RED).all()
    assert decode(encoded(image), policy(10, 10))[0].min() > 150  # no black from the sides but ringing at the edge


def test_pictures_of_every_size_are_cropped() -> None:
    """By rounding a crop could be an ulp larger than the picture, which then counted as damaged: 98, 103, 196, ..."""
    for side in range(1, 1025):
        for width, height in ((side, side), (side, side + 131), (side + 131, side)):
            assert module._fit(Image.new("L", (width, height)), policy(64, 64, 1)).size == (64, 64)


def test_pad_keeps_everything_on_white() -> None:
    pixels = decode(encoded(Image.new("RGB", (8, 4), RED)), policy(8, 8, fit="pad"))
    assert (pixels[:, :2] == 255).all() and (pixels[:, 6:] == 255).all()
    assert (pixels[:, 2:6] == np.array(RED)[:, None, None]).all()


def test_stretch_fills_the_target() -> None:
    image = Image.new("RGB", (8, 4), RED)
    image.paste((0, 0, 255), (4, 0, 8, 4))
    pixels = decode(encoded(image), policy(8, 8, fit="stretch"))
    assert pixels[:, 3, 0].tolist() == list(RED) and pixels[:, 3, 7].tolist() == [0, 0, 255]


def test_large_jpegs_are_drafted_to_nearly_the_same_pixels() -> None:
    wave = np.sin(np.linspace(0, 6, 640))[None] * np.cos(np.linspace(0, 5, 480))[:, None]
    image = Image.fromarray((wave * 100 + 128).astype(np.uint8)).convert("RGB")
    jpeg = decode(encoded(image, "JPEG", quality=95), policy(32, 32)).astype(int)
    png = decode(encoded(image), policy(32, 32)).astype(int)
    assert np.abs(jpeg - png).max() <= 4


def test_one_pixel_is_enlarged() -> None:
    assert (decode(encoded(Image.new("RGB", (1, 1), RED)), policy(4, 4)) == np.array(RED)[:, None, None]).all()


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentry.data.decode.MAX_PIXELS", 15)
    with pytest.raises(InputError, match="claims"):
        read_facts(encoded(gradient(4, 4)))


def test_floats_out_of_range_are_an_error() -> None:
    image = Image.fromarray(np.array([[0.0, 7.0]], np.float32))
    with pytest.raises(ValueError, match="float pixels from 0 to 7"):
        decode(encoded(image, "TIFF"), policy(1, 2, 1))
    image = Image.fromarray(np.array([[0.0, 0.5]], np.float32))
    assert decode(encoded(image, "TIFF"), policy(1, 2, 1)).tolist() == [[[0, 128]]]
