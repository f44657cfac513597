import numpy as np
import numpy.typing as npt
import pytest

from latentry.data.shapes import AREA, NUMBERS, SHAPES, ShapeGrid, render_shapes, shapes
from latentry.errors import InputError


def moments(pictures: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], ...]:
    """Brightness [N, S, S] and each pixel's place x + iy from the centroid, and the centroid, in picture sizes."""
    weight = pictures[:, 0] / 255
    size = weight.shape[-1]
    place = (np.arange(size) + 0.5) / size
    z = place[None, None, :] + 1j * place[None, :, None]
    centroid = (weight * z).sum(axis=(1, 2)) / weight.sum(axis=(1, 2))
    return weight, z - centroid[:, None, None], centroid


def drawn(
    n: int = 120, size_px: int = 64
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    pictures, labels = shapes(size_px, n, seed=3)
    assert labels.classes is not None and labels.numbers is not None and labels.attributes is None
    assert labels.classes.names == SHAPES and labels.numbers.names == NUMBERS
    return pictures, labels.classes.values, labels.numbers.values


def test_x_and_y_are_the_centroid() -> None:
    pictures, _, numbers = drawn()
    _, _, centroid = moments(pictures)
    np.testing.assert_allclose(centroid.real, numbers[:, 2], atol=0.001)
    np.testing.assert_allclose(centroid.imag, numbers[:, 3], atol=0.001)


def test_area_goes_with_the_square_of_scale_whatever_the_shape() -> None:
    pictures, _, numbers = drawn()
    area = pictures.mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(area, AREA * numbers[:, 0].astype(float) ** 2, rtol=0.025)


def test_orientation_turns_the_moments_clockwise() -> None:
    """The moment of z^k turns k times as fast: k = 4 for the square, 2 for the ellipse.

    For the heart it is |z|^2 z, which points to the lobes.
    """
    pictures, classes, numbers = drawn(size_px=96)
    weight, z, _ = moments(pictures)
    for shape, fold, start in (("square", 4, np.pi), ("ellipse", 2, 0.0), ("heart", 1, -np.pi / 2)):
        rows = classes == SHAPES.index(shape)
        power = z[rows] ** fold if fold > 1 else np.abs(z[rows]) ** 2 * z[rows]
        phase = np.angle((weight[rows] * power).sum(axis=(1, 2)))
        expected = fold * numbers[rows, 1] + start
        error = np.angle(np.exp(1j * (phase - expected))) / fold
        assert rows.sum() > 20
        assert np.abs(error).max() < np.deg2rad(3), shape


def test_shapes_stay_inside_the_picture() -> None:
    grid = ShapeGrid()
    at_edges = [
        (scale, turn, x, y)
        for scale in grid.scale[-1:]
        for turn in grid.orientation
        for x in (0.25, 0.75)
        for y in (0.25, 0.75)
    ]
    numbers = np.tile(np.array(at_edges, np.float32), (3, 1))
    classes = np.repeat(np.arange(3), len(at_edges))
    pictures = render_shapes(classes, numbers, 64)
    border = np.concatenate(
        [pictures[..., 0, :], pictures[..., -1, :], pictures[..., :, 0], pictures[..., :, -1]], axis=-1
    )
    assert border.max() == 0


def test_the_grid_holds_every_combination_once() -> None:
    grid = ShapeGrid()
    assert len(grid) == 3 * 6 * 40 * 32 * 32
    classes, numbers = grid.at(np.array([0, 1, 32, 32 * 32, len(grid) - 1]))
    np.testing.assert_array_equal(classes, [0, 0, 0, 0, 2])
    first = [grid.scale[0], grid.orientation[0], grid.x[0], grid.y[0]]
    expected = np.array([first] * 5)
    expected[1, 3], expected[2, 2], expected[3, 1] = grid.y[1], grid.x[1], grid.orientation[1]
    expected[4] = [grid.scale[-1], grid.orientation[-1], grid.x[-1], grid.y[-1]]
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)


def test_points_are_drawn_without_repetition_and_the_first_do_not_depend_on_n() -> None:
    few, _, numbers = drawn(30, 16)
    many, all_classes, all_numbers = drawn(3000, 16)
    np.testing.assert_array_equal(few, many[:30])
    np.testing.assert_array_equal(numbers, all_numbers[:30])
    points = np.concatenate([all_classes[:, None], all_numbers], axis=1)
    assert len(np.unique(points, axis=0)) == 3000


def test_edges_are_anti_aliased_and_agree_between_sizes() -> None:
    small, _, _ = drawn(60, 32)
    large, _, _ = drawn(60, 256)
    averaged = large.reshape(60, 1, 32, 8, 32, 8).mean(axis=(3, 5))
    assert ((small > 25) & (small < 230)).any(axis=(1, 2, 3)).all()
    assert np.abs(small - averaged).mean() / 255 < 0.002


@pytest.mark.parametrize("size_px", [8, 33])
def test_small_and_odd_sizes_keep_the_centroid(size_px: int) -> None:
    pictures, _, numbers = drawn(60, size_px)
    assert pictures.shape == (60, 1, size_px, size_px)
    np.testing.assert_allclose(moments(pictures)[2].real, numbers[:, 2], atol=0.15 / size_px)


def test_what_cannot_be_drawn_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="737280"):
        shapes(16, 737_281)
    with pytest.raises(InputError, match="size_px"):
        shapes(4, 1)
    with pytest.raises(InputError, match="must be 0 to 2; received"):
        render_shapes(np.array([3]), np.ones((1, 4)), 16)
    with pytest.raises(InputError, match=r"\[N, 4\]"):
        render_shapes(np.array([1]), np.ones((1, 3)), 16)
    with pytest.raises(InputError, match="scale positive"):
        render_shapes(np.array([1]), np.zeros((1, 4)), 16)
