"""Scatter plots of points, and the grids that become one."""

import numpy as np
import pytest
from PIL import Image

from latentry.errors import InputError
from latentry.report.grid import GridWriter, pairs, save_pictures, tile
from latentry.report.scatter import draw_points
from latentry.settings.recipes import find_recipe
from latentry.training.observer import Pictures
from latentry.training.run import Run

CORNERS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)
MODEL, DATA = (37, 99, 235), (182, 188, 198)  # the colours of an opaque mark


def near(picture, colour, tolerance=30):
    """Where the picture has about this colour, as (rows, columns)."""
    distance = np.abs(picture.astype(int) - np.array(colour)[:, None, None]).max(axis=0)
    return np.nonzero(distance <= tolerance)


def place(picture, colour):
    """The mean row and column of a colour within the axes, below the legend."""
    rows, columns = near(picture[:, 40:], colour)
    return rows.mean() + 40, columns.mean()


def test_up_is_up_and_right_is_right():
    at = {name: place(draw_points(CORNERS[[k]], CORNERS), MODEL) for k, name in enumerate(("sw", "nw", "se", "ne"))}
    assert at["sw"][0] == pytest.approx(at["se"][0], abs=1) and at["sw"][1] == pytest.approx(at["nw"][1], abs=1)
    down, right = at["sw"][0] - at["nw"][0], at["se"][1] - at["sw"][1]
    assert down == pytest.approx(right, abs=2)  # as wide as high: a ring is round
    assert down == pytest.approx(560 * 0.88 / 1.16, abs=2)  # the axes hold the data and a margin of 8 % each side


def test_limits_are_those_of_the_data_whatever_the_points():
    """Else pictures of one run could not be compared."""
    middle = np.array([[0.5, 0.5]], np.float32)
    alone = place(draw_points(middle, CORNERS), MODEL)
    with_outlier = place(draw_points(np.concatenate([middle, [[900, 0], [np.nan, 0]]]), CORNERS), MODEL)
    assert alone == pytest.approx(with_outlier, abs=0.5)


def test_a_mode_that_is_missed_shows_the_data():
    picture = draw_points(CORNERS[:3], CORNERS)
    rows, columns = near(picture[:, 40:500, 60:], DATA, 5)  # without the legend and the numbers on the axes
    assert len(rows) > 5 and rows.max() + 40 < 280 and columns.min() + 60 > 280  # only in the corner north-east


def test_the_picture_has_the_size_asked_for_and_the_same_pixels_every_time():
    points = np.random.default_rng(0).normal(size=(3000, 2))
    one, two = draw_points(points, side_px=301), draw_points(points, side_px=301)
    assert one.shape == (3, 301, 301) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.full((4, 2), np.nan), np.full((9, 2), 3.0)])
def test_points_without_extent_are_drawn(points):
    picture = draw_points(points)
    assert picture.shape == (3, 560, 560)
    assert (len(near(picture[:, 40:], MODEL)[0]) > 0) == bool(np.isfinite(points).all())


def test_a_grid_of_points_is_a_scatter_plot():
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    pictures = points.reshape(50, 2, 1, 1)
    np.testing.assert_array_equal(tile(pictures), draw_points(points))
    np.testing.assert_array_equal(pairs(pictures, pictures[:20]), draw_points(points[:20], points))


def test_files_of_points(tmp_path):
    pictures = np.random.default_rng(0).normal(size=(5, 2, 1, 1)).astype(np.float32)
    names = list("abcde")
    read = np.load(save_pictures(tmp_path / "points.npy", pictures, names))
    assert read.dtype == np.float32 and np.array_equal(read, pictures)
    with Image.open(save_pictures(tmp_path / "points.png", pictures, names)) as image:
        assert (image.size, image.mode) == ((560, 560), "RGB")
    with pytest.raises(InputError, match="cannot write points as pictures in a folder"):
        save_pictures(tmp_path / "folder", pictures, names)
    assert not (tmp_path / "folder").exists()


def test_a_run_on_points_writes_samples_over_the_data(tmp_path):
    reals = CORNERS.reshape(4, 2, 1, 1)
    run = Run(tmp_path)
    run.samples.mkdir()
    writer = GridWriter()
    writer.started(run, find_recipe("vae").config, None)
    writer.ticked({"images": 64}, Pictures(reals[:2], reals, reals[2:]))
    for name, shown in (("000000000064.png", CORNERS[:2]), ("reconstructions-000000000064.png", CORNERS[2:])):
        with Image.open(run.samples / name) as image:
            np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), draw_points(shown, CORNERS))
