"""Walks in a world where each dimension is known to change half of the picture."""

from typing import Any

import numpy as np
import pytest

import latentry
from latentry.api.walks import morph, traverse
from latentry.errors import InputError
from latentry.models.vectors import Vector, Vectors
from tests.api.halves import SETTINGS, Halves, Painted, halves


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    own: dict[str, Any] = {"encoder": Halves(), "decoder": Painted()}
    run = latentry.train("autoencoder", halves(), out=tmp_path_factory.mktemp("runs"), **own, **SETTINGS)
    return latentry.load(run.path, **own)


def sides(images):
    """Mean brightness of the left and of the right halves, [n, 2]."""
    return np.stack([images[..., :4].mean(axis=(1, 2, 3)), images[..., 4:].mean(axis=(1, 2, 3))], axis=1)


def test_a_straight_morph_changes_brightness_evenly_and_a_loop_comes_back(model):
    z = np.array([[-0.5, 0.0], [0.5, 0.0]], np.float32)
    shown = sides(morph(model, z, frames=5, way="straight"))
    np.testing.assert_allclose(shown[:, 0], 127.5 * (1 + np.linspace(-0.5, 0.5, 5)), atol=0.5)
    np.testing.assert_allclose(shown[:, 1], 127.5, atol=0.5)
    there_and_back = morph(model, z, frames=8, way="straight", loop=True)
    np.testing.assert_array_equal(there_and_back[0], morph(model, z, frames=5, way="straight")[0])
    np.testing.assert_allclose(
        sides(there_and_back)[:, 0], 127.5 + 63.75 * np.array([-2, -1, 0, 1, 2, 1, 0, -1]) / 2, atol=0.5
    )


def test_the_same_walk_is_the_same_pictures(model):
    np.testing.assert_array_equal(traverse(model, 2, seed=3).images, traverse(model, 2, seed=3).images)


def test_each_dimension_moves_its_own_half_by_its_own_spread(model):
    found = traverse(model, 2, seed=1, reach=1.0, stops=3)
    assert (found.by, found.stops) == ("change", [-1, 0, 1])
    for row, name in enumerate(found.names):
        moved = sides(found.images[row])
        other = 1 - int(name)
        assert np.ptp(moved[:, other]) < 0.5  # the other half stays
        assert np.ptp(moved[:, int(name)]) > 60  # brightness is 60 or 180, so one standard deviation is about 60
        assert (np.diff(moved[:, int(name)]) > 0).all()
    assert found.scores == sorted(found.scores, reverse=True)


def test_a_vector_is_followed_by_its_doses_and_what_changes_more_comes_first(model):
    faint = Vector("faint", "balanced", np.array([0.1, 0.0], np.float32), "a step")
    strong = Vector("strong", "balanced", np.array([0.0, 0.4], np.float32), "a step")
    model.vectors = Vectors([faint, strong])
    found = traverse(model, vectors=[], seed=1, reach=1.0, stops=3)  # a latent that doses leave in range
    assert found.names == ["strong", "faint"]
    left, right = sides(found.images[1]), sides(found.images[0])
    np.testing.assert_allclose(np.diff(left[:, 0]), 12.75, atol=1.1)
    np.testing.assert_allclose(np.diff(right[:, 1]), 51, atol=1.1)
    np.testing.assert_allclose(found.scores, [51, 12.75], rtol=0.1)  # half of the picture moves by twice the dose
    with pytest.raises(InputError, match="did you mean strong"):
        traverse(model, vectors=["strnog"])
    model.vectors = Vectors()
    with pytest.raises(InputError, match="latentry attributes"):
        traverse(model, vectors=[])


def test_what_no_walk_can_be(model):
    z = np.zeros((2, 2), np.float32)
    for frames in (1, 0):
        with pytest.raises(InputError, match="frames"):
            morph(model, z, frames=frames)
    with pytest.raises(InputError, match="two"):
        morph(model, z[:1])
    for settings in ({"dims": 0}, {"stops": 1}, {"reach": 0.0}, {"reach": float("nan")}):
        with pytest.raises(InputError, match="must be at least 1"):
            traverse(model, **settings)
