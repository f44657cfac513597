import subprocess
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from latentry.data.faces import ATTRIBUTES, NUMBERS, canvas, face_factors, faces, render, render_faces
from latentry.data.faces.factors import Attributes, Numbers
from latentry.data.faces.scene import Scene
from latentry.errors import InputError

Pixels = npt.NDArray[np.uint8]
Where = Callable[[npt.NDArray[np.floating], npt.NDArray[np.floating]], npt.NDArray[np.bool_]]


def usual(n: int = 1, /, **numbers: float) -> tuple[Attributes, Numbers]:
    """Faces that wear nothing, every number in the middle of its range unless given."""
    middle = [(spec.low + spec.high) / 2 for spec in NUMBERS.values()]
    values = np.tile(np.array(middle, np.float32), (n, 1))
    for name, value in numbers.items():
        values[:, list(NUMBERS).index(name)] = value
    return np.zeros((n, len(ATTRIBUTES)), np.uint8), values


def toggled(attributes: Attributes, name: str) -> tuple[Attributes, Attributes]:
    on, off = attributes.copy(), attributes.copy()
    on[:, list(ATTRIBUTES).index(name)], off[:, list(ATTRIBUTES).index(name)] = 1, 0
    return on, off


def change(a: Pixels, b: Pixels) -> npt.NDArray[np.float64]:
    """The largest difference of a channel at each pixel, in [0, 1], [N, S, S]."""
    return np.abs(a.astype(float) - b).max(axis=1) / 255


def test_the_same_seed_draws_the_same_faces_and_another_seed_others() -> None:
    first, labels = faces(40, 16, seed=3)
    again, same_labels = faces(40, 16, seed=3)
    other, _ = faces(40, 16, seed=4)
    np.testing.assert_array_equal(first, again)
    assert labels.attributes is not None and same_labels.attributes is not None
    np.testing.assert_array_equal(labels.attributes.values, same_labels.attributes.values)
    assert (change(first, other) > 0.1).any(axis=(1, 2)).all()


def test_the_first_faces_do_not_depend_on_how_many_are_asked_for() -> None:
    few, few_labels = faces(7, 24, seed=1)
    many, many_labels = faces(150, 24, seed=1)
    np.testing.assert_array_equal(few, many[:7])
    assert few_labels.numbers is not None and many_labels.numbers is not None
    np.testing.assert_array_equal(few_labels.numbers.values, many_labels.numbers.values[:7])


def test_global_random_state_is_neither_read_nor_moved() -> None:
    np.random.seed(5)  # noqa: NPY002 - the state that must be left alone
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    a, _ = faces(3, 8)
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    np.testing.assert_array_equal(before, after)
    np.random.seed(6)  # noqa: NPY002
    np.testing.assert_array_equal(a, faces(3, 8)[0])


def test_importing_the_renderer_loads_no_torch() -> None:
    code = "import latentry.data.faces, latentry.data.shapes, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_picture_depends_on_its_own_factors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong if threads, chunks or the neighbours in a chunk left a trace."""
    attributes, numbers = face_factors(60, 2)
    together = render_faces(attributes, numbers, 32)
    monkeypatch.setattr(render, "CHUNK_PX", 1)
    monkeypatch.setattr(render, "_cpus", lambda: 1)
    np.testing.assert_array_equal(together, render_faces(attributes, numbers, 32))


def test_no_feature_is_cut_off_by_the_box_it_is_painted_in(monkeypatch: pytest.MonkeyPatch) -> None:
    attributes, numbers = face_factors(150, 11)
    extreme = np.random.default_rng(0).integers(0, 2, numbers.shape)
    low, high = (np.array([getattr(spec, end) for spec in NUMBERS.values()]) for end in ("low", "high"))
    numbers = np.concatenate([numbers, low + extreme * (high - low)])
    attributes = np.concatenate([attributes, attributes])
    boxed = render_faces(attributes, numbers, 48)
    monkeypatch.setattr(canvas.Frame, "pixels", lambda frame, box: (slice(None), slice(None)))
    np.testing.assert_array_equal(boxed, render_faces(attributes, numbers, 48))


def test_everything_is_painted_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong if a double slipped in: the same pictures at half the speed."""
    paint, seen = canvas.Patch.paint, set()

    def spy(patch: canvas.Patch, share: canvas.Plane, colour: canvas.Plane) -> None:
        seen.update({share.dtype, colour.dtype, patch.u.dtype})
        paint(patch, share, colour)

    monkeypatch.setattr(canvas.Patch, "paint", spy)
    faces(64, 16)
    assert seen == {np.dtype(np.float32)}


def test_factors_are_independent_and_as_frequent_as_stated() -> None:
    attributes, numbers = face_factors(20_000)
    np.testing.assert_allclose(attributes.mean(axis=0), list(ATTRIBUTES.values()), atol=0.012)
    for column, spec in enumerate(NUMBERS.values()):
        quantiles = np.quantile(numbers[:, column], [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(quantiles, np.linspace(spec.low, spec.high, 5), atol=0.015 * (spec.high - spec.low))
    correlation = np.corrcoef(np.concatenate([attributes, numbers], axis=1).T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.03  # four standard errors of 20 000


# Where an attribute may change a face, in the head's own units (u right, v down; the head is about 0.9 by 1.06).
REGIONS: dict[str, Where] = {
    "smiling": lambda u, v: (np.abs(u) < 0.26) & (v > 0.22) & (v < 0.47),
    "glasses": lambda u, v: (np.abs(u) < 0.56) & (v > -0.25) & (v < 0.16),
    "hat": lambda u, v: v < -0.2,
    "long_hair": lambda u, v: (u / 0.36) ** 2 + (v / 0.45) ** 2 > 1,
    "fringe": lambda u, v: (np.abs(u) < 0.5) & (v < -0.05),
    "beard": lambda u, v: (v > -0.06) & ((u / 0.55) ** 2 + (v / 0.6) ** 2 < 1),
    "blush": lambda u, v: (np.abs(u) > 0.14) & (np.abs(u) < 0.5) & (v > 0.08) & (v < 0.32),
    "winking": lambda u, v: (u > 0) & (u < 0.36) & (v > -0.2) & (v < 0.14),
    "earrings": lambda u, v: (np.abs(u) > 0.35) & (v > 0.12) & (v < 0.3),
    "striped_shirt": lambda u, v: v > 0.5,
    "dark_background": lambda u, v: (u / 0.36) ** 2 + (v / 0.45) ** 2 > 1,
}


@pytest.mark.parametrize("size_px", [32, 64])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_shows_whatever_else_there_is_and_only_where_it_belongs(name: str, size_px: int) -> None:
    attributes, numbers = face_factors(250, seed=9)
    on, off = toggled(attributes, name)
    difference = change(render_faces(on, numbers, size_px), render_faces(off, numbers, size_px))
    changed = (difference > 0.1).mean(axis=(1, 2))
    assert changed.min() > 0.0028, "an attribute is hidden: hardly a pixel of some face changes"
    assert difference.max(axis=(1, 2)).min() > 0.11, "an attribute is too faint on some face"
    head = Scene.of(attributes, numbers, size_px).head
    u = head.u_column[:, None, :] + head.u_row[:, :, None]
    v = head.v_column[:, None, :] + head.v_row[:, :, None]
    reach = 2.5 / size_px  # edges are a pixel wide
    near = [REGIONS[name](u + du, v + dv) for du in (-reach, 0, reach) for dv in (-reach, 0, reach)]
    assert (difference * ~np.any(near, axis=0)).max() == 0, "an attribute changes the face where it should not"


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_changes_the_picture(name: str) -> None:
    spec = NUMBERS[name]
    attributes, numbers = usual(2)
    numbers[:, list(NUMBERS).index(name)] = spec.low, spec.low + 0.6 * (spec.high - spec.low)  # hues come round again
    on, _ = toggled(attributes, {"hat_hue": "hat", "mouth_width": "smiling"}.get(name, "earrings"))
    first, second = render_faces(on, numbers, 64)
    assert (change(first[None], second[None]) > 0.1).sum() >= 10


def figure(picture: Pixels) -> npt.NDArray[np.bool_]:
    """Which pixels are neither background nor the disc behind the head, [S, S]."""
    size = picture.shape[1]
    plain = [picture[:, 0, 0], picture[:, 3 * size // 8, size // 8]]
    distance = [np.abs(picture.astype(int) - colour[:, None, None]).max(axis=0) for colour in plain]
    ring = np.hypot(*np.mgrid[1 - size : size : 2, 1 - size : size : 2]) / size
    return (np.minimum(*distance) > 12) & (np.abs(ring - 0.86) > 0.05)


def test_an_upright_face_has_a_symmetric_outline() -> None:
    for wearing in range(2):
        attributes, numbers = usual(skin=0.2, hair=0.1)
        shape = figure(render_faces(attributes + np.uint8(wearing), numbers, 128)[0])
        assert (shape != shape[:, ::-1]).mean() < 0.0005  # the shade on one side colours a pixel or two of the edge
        tilted = figure(render_faces(attributes, usual(skin=0.2, hair=0.1, tilt=8)[1], 128)[0])
        assert (tilted != tilted[:, ::-1]).mean() > 0.02


def test_position_tilt_and_scale_move_the_face_by_what_they_say() -> None:
    """Told by the earrings. Wrong if a sign or a unit were."""
    size = 256
    rows, columns = np.mgrid[0:size, 0:size]

    def centre(name: str = "x", value: float = 0) -> npt.NDArray[np.float64]:
        attributes, values = usual(**{name: value})
        on, off = toggled(attributes, "earrings")  # two discs, level with the mouth
        weight = change(render_faces(on, values, size), render_faces(off, values, size))[0]
        left, right = weight * (columns < size / 2), weight * (columns >= size / 2)
        points = [[(w * columns).sum() / w.sum(), (w * rows).sum() / w.sum()] for w in (left, right)]
        return np.array(points) * (2 / size)  # half picture widths

    still = centre()
    np.testing.assert_allclose(centre("x", 0.06) - still, [[0.06, 0]] * 2, atol=0.004)
    np.testing.assert_allclose(centre("y", -0.05) - still, [[0, -0.05]] * 2, atol=0.004)
    spread = np.diff(still[:, 0])[0] / ((NUMBERS["scale"].low + NUMBERS["scale"].high) / 2)
    np.testing.assert_allclose(np.diff(centre("scale", 1.07)[:, 0]), 1.07 * spread, rtol=0.01)
    across, down = np.diff(centre("tilt", 10.0), axis=0)[0]
    assert np.rad2deg(np.arctan2(down, across)) == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("size_px", [8, 33, 120])
def test_any_size_shows_the_same_face(size_px: int) -> None:
    """Wrong if anything were measured in pixels: a size is the picture at 8 times that size, averaged."""
    attributes, numbers = face_factors(6, seed=5)
    picture = render_faces(attributes, numbers, size_px)
    assert picture.shape == (6, 3, size_px, size_px)
    large = render_faces(attributes, numbers, 8 * size_px).astype(float)
    averaged = large.reshape(6, 3, size_px, 8, size_px, 8).mean(axis=(3, 5))
    error = np.abs(picture - averaged) / 255
    assert error.mean() < 0.004


def test_edges_take_the_share_of_the_pixel_that_is_covered() -> None:
    attributes, numbers = face_factors(20, seed=0)
    small = render_faces(attributes, numbers, 64).astype(float)
    averaged = render_faces(attributes, numbers, 256).reshape(20, 3, 64, 4, 64, 4).mean(axis=(3, 5))
    assert np.abs(small - averaged).mean() / 255 < 0.004
    assert np.quantile(np.abs(small - averaged) / 255, 0.99) < 0.08


def test_the_outline_has_grey_levels_between_two_plain_colours() -> None:
    picture = render_faces(*usual(), 64)[0].astype(float)
    row = picture[:, 6, :]  # crosses the disc behind the head, and nothing else
    sky, glow = row[:, 0], row[:, 32]
    share = ((row.T - sky) @ (glow - sky)) / ((glow - sky) @ (glow - sky))
    assert ((share > 0.1) & (share < 0.9)).any()
    assert share.min() > -0.01 and share.max() < 1.01


def test_what_cannot_be_drawn_is_refused_with_the_reason() -> None:
    attributes, numbers = usual()
    with pytest.raises(InputError, match="at least 1 face"):
        faces(0)
    with pytest.raises(InputError, match=r"size_px \(=7\)"):
        faces(1, 7)
    with pytest.raises(InputError, match=r"attributes of shape \(1, 10\)"):
        render_faces(attributes[:, 1:], numbers, 16)
    with pytest.raises(InputError, match="equally many"):
        render_faces(attributes, np.tile(numbers, (2, 1)), 16)
    with pytest.raises(InputError, match="0 or 1; received"):
        render_faces(attributes + 2, numbers, 16)
    with pytest.raises(InputError, match=r"tilt \(=90.0\) must lie between"):
        render_faces(attributes, usual(tilt=90)[1], 16)
    with pytest.raises(InputError, match="scale"):
        render_faces(attributes, usual(scale=float("nan"))[1], 16)
