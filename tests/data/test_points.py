"""Toy worlds: where their points lie, and that all that is done to pictures can be done to them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from latentry.data import ImageSet, batch_indices, holdout_indices, inspect_set, open_images, to_float, to_uint8
from latentry.data.convert import to_stored
from latentry.data.points import WORLDS
from latentry.errors import InputError
from latentry.settings.specs import ImageSpec


def modes_of(images: ImageSet) -> np.ndarray:
    assert images.labels is not None and images.labels.classes is not None
    return images.labels.classes.values


def test_the_ring_is_eight_places_on_the_unit_circle() -> None:
    centres = WORLDS["ring"].centres
    np.testing.assert_allclose(np.hypot(*centres.T), 1, rtol=1e-15)
    np.testing.assert_allclose(np.arctan2(*centres.T[::-1]) % (2 * np.pi), np.arange(8) * np.pi / 4, atol=1e-15)


def test_the_grid_is_five_by_five_places_two_apart() -> None:
    centres = WORLDS["grid"].centres
    assert {tuple(centre) for centre in centres.tolist()} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert len(centres) == 25


@pytest.mark.parametrize(("name", "std"), [("ring", 0.01), ("grid", 0.05)])
def test_points_are_gaussians_about_the_place_of_their_class(name: str, std: float) -> None:
    images = open_images(name)
    assert images.images.shape == (100_000, 2, 1, 1) and images.images.dtype == np.float32
    modes = modes_of(images)
    m = len(WORLDS[name].centres)
    away = images.images.reshape(-1, 2).astype(np.float64) - WORLDS[name].centres[modes]
    np.testing.assert_allclose(away.std(axis=0), std, rtol=0.01)  # 4.5 standard errors
    np.testing.assert_allclose(away.mean(axis=0), 0, atol=4 * std / np.sqrt(1e5))
    assert abs(np.corrcoef(away.T)[0, 1]) < 4 / np.sqrt(1e5)
    within = (np.hypot(*away.T) <= 3 * std).mean()
    assert within == pytest.approx(1 - np.exp(-4.5), abs=0.0013)  # 4 standard errors: 98.89 %
    counts = np.bincount(modes, minlength=m)
    assert ((counts - 1e5 / m) ** 2 / (1e5 / m)).sum() < m - 1 + 4 * np.sqrt(2 * (m - 1))  # chi-squared: equally likely


def test_the_same_points_every_time_and_fewer_are_the_first_of_more(cache: Path) -> None:
    some, more, again = open_images("ring:300"), open_images("ring:700"), open_images("ring:300")
    np.testing.assert_array_equal(some.images, more.images[:300])
    np.testing.assert_array_equal(modes_of(some), modes_of(more)[:300])
    assert some.fingerprint == again.fingerprint != more.fingerprint
    assert some.fingerprint != open_images("grid:300").fingerprint
    assert not some.images.flags.writeable and not list(cache.iterdir())


def test_the_spec_tells_a_point_from_a_picture_of_two_channels() -> None:
    images = open_images("grid:10")
    assert images.spec == ImageSpec(2, 1, 1, points=True) and images.name == "grid"
    assert images.spec != ImageSpec(2, 1, 1)
    assert not open_images(np.zeros((2, 3, 3), np.uint8)).spec.points


def test_points_keep_their_coordinates_between_disk_and_model() -> None:
    points = np.array([[-4.05, 3.98], [1e-3, 300.0]], np.float32).reshape(2, 2, 1, 1)
    spec = ImageSpec(2, 1, 1, points=True)
    for there in (to_float(points), to_stored(to_float(torch.from_numpy(points)), spec).numpy()):
        np.testing.assert_array_equal(there, points)
    assert to_stored(points.astype(np.float64), spec).dtype == np.float32
    assert to_stored(torch.zeros(1, 2, 1, 1, dtype=torch.bfloat16), spec).dtype == torch.float32


def test_pictures_are_stored_as_bytes() -> None:
    values = np.linspace(-1.1, 1.1, 50).astype(np.float32).reshape(1, 1, 5, 10)
    np.testing.assert_array_equal(to_stored(values, ImageSpec(1, 5, 10)), to_uint8(values))
    np.testing.assert_array_equal(to_stored(torch.from_numpy(values), ImageSpec(1, 5, 10)).numpy(), to_uint8(values))


def test_hold_out_subsets_and_batches_work_on_points() -> None:
    images = open_images("grid:2000")
    train, held_out = holdout_indices(images, 0.1, seed=0)
    assert len(held_out) == 200 and sorted([*train, *held_out]) == list(range(2000))
    rows = held_out[batch_indices(200, 7, seed=0, step=3)]
    part = images.subset(rows)
    np.testing.assert_array_equal(part.images, images.images[rows])
    np.testing.assert_array_equal(modes_of(part), modes_of(images)[rows])
    assert part.spec.points and part.report.points


def test_a_limit_takes_points_evenly() -> None:
    whole, part = open_images("ring:100"), open_images("ring:100", limit=10)
    np.testing.assert_array_equal(part.images, whole.images[::10])
    assert part.report.notes == ("limited to 10 of 100 pictures, spread evenly",)


def test_the_report_says_what_they_are() -> None:
    images = open_images("ring:4000")
    report = inspect_set(images)
    assert report.points and report.n_images == 4000 and report.fingerprint == images.fingerprint
    assert report.classes is not None and sum(report.classes.values()) == 4000 and "mode-3" in report.classes
    assert "8 modes, standard deviation 0.01 in every direction" in report.policy
    assert report.warnings == () and report.notes == ()


def test_only_equal_points_are_copies() -> None:
    """Points of one mode lie close together; to call them near copies would call every mode one."""
    images = open_images("ring:500")
    rows = np.concatenate([np.arange(500), [7]])
    duplicates = inspect_set(images.subset(rows)).duplicates
    assert duplicates is not None and duplicates.near == () and duplicates.exact == (("picture 7", "picture 500"),)


def test_size_and_channels_are_said_not_to_be_read() -> None:
    plain = open_images("ring:50")
    sized = open_images("ring:50", size=64, channels="rgb")
    assert sized.report.notes == ("size and channels are not read: a point of the plane has neither",)
    assert sized.fingerprint == plain.fingerprint
    assert open_images("ring:50", size=1).report.notes == ()  # what a model of points asks for


@pytest.mark.parametrize("spec", ["ring:0", "grid:many", "ring:-3"])
def test_counts_that_are_none_are_refused(spec: str) -> None:
    with pytest.raises(InputError, match="how many points to draw"):
        open_images(spec)
    with pytest.raises(InputError, match="did you mean ring"):
        open_images("rings")
