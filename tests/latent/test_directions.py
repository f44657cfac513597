"""Directions of linear generators, whose answers are closed forms."""

import numpy as np
import pytest

from latentry.errors import InputError
from latentry.latent import activation_directions, principal_directions, weight_directions


def test_principal_directions_are_the_eigenvectors_of_the_covariance_by_falling_variance():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    # Rows whose covariance is exactly axes diag(9, 4, 1) axes'.
    scores = rng.standard_normal((50, 3))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.sqrt([9, 4, 1]) * np.sqrt(50)
    found = principal_directions(scores @ axes.T + [5.0, -2.0, 1.0])
    assert found.share == pytest.approx([9 / 14, 4 / 14, 1 / 14])
    assert np.abs(np.sum(found.vectors * axes.T, axis=1)) == pytest.approx([1, 1, 1])
    first = principal_directions(scores @ axes.T, 2)
    assert np.array_equal(first.vectors, principal_directions(scores @ axes.T).vectors[:2])


def test_ganspace_in_a_linear_layer_finds_what_moves_its_activations_most():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((4000, 2))
    z = np.linalg.qr(z - z.mean(axis=0))[0]  # exactly white
    layer = np.array([[0.0, 3.0], [1.0, 0.0], [0.0, 4.0]])  # the second coordinate moves activations five times as much
    found = activation_directions(z, z @ layer.T)
    assert np.abs(found.vectors[0]) == pytest.approx([0, 1], abs=1e-9)
    assert found.share[0] == pytest.approx(25 / 26, abs=1e-9)
    assert found.vectors[1] == pytest.approx([1, 0], abs=1e-9)


def test_sefa_is_the_eigenvectors_of_the_weights_gram_matrix():
    weight = np.diag([1.0, 3.0, 2.0])
    found = weight_directions(weight)
    assert found.vectors == pytest.approx(np.eye(3)[[1, 2, 0]])
    assert found.share == pytest.approx(np.array([9, 4, 1]) / 14)
    general = np.random.default_rng(2).standard_normal((7, 4))
    values, vectors = np.linalg.eigh(general.T @ general)
    found = weight_directions(general, 3)
    assert np.abs(np.sum(found.vectors * vectors.T[::-1][:3], axis=1)) == pytest.approx([1, 1, 1])
    assert found.share == pytest.approx(values[::-1][:3] / values.sum())


def test_the_largest_coordinate_is_positive_so_that_a_direction_has_one_sign():
    z = np.random.default_rng(3).standard_normal((30, 5))
    for vectors in (principal_directions(z).vectors, principal_directions(-z).vectors, weight_directions(z).vectors):
        largest = np.abs(vectors).argmax(axis=1)
        assert (vectors[np.arange(len(vectors)), largest] > 0).all()
    assert principal_directions(-z).vectors == pytest.approx(principal_directions(z).vectors)


def test_few_latents_give_as_many_directions_as_they_span():
    assert len(principal_directions(np.random.default_rng(4).standard_normal((3, 10))).vectors) == 2
    with pytest.raises(InputError, match="at least 2"):
        principal_directions(np.zeros((1, 3)))


def test_activations_give_no_more_directions_than_the_latent_has_numbers():
    rng = np.random.default_rng(5)
    z = rng.standard_normal((200, 2))
    activations = np.tanh(z @ rng.standard_normal((2, 20)))
    for k in (None, 7):
        assert activation_directions(z, activations, k).vectors.shape == (2, 2)
    assert activation_directions(z, activations, 1).vectors.shape == (1, 2)
