"""Paths by their geometry: lengths, angles, timing, and that a loop closes."""

import numpy as np
import pytest

from latentry.errors import InputError
from latentry.latent import lerp, slerp, through

T = np.linspace(0, 1, 9)


def unit(*x):
    return np.array(x) / np.linalg.norm(x)


def angles(points):
    """Between neighbours."""
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    return np.arccos(np.clip((points[1:] * points[:-1]).sum(axis=1), -1, 1))


def test_the_quarter_circle():
    points = slerp(np.array([1.0, 0]), np.array([0.0, 1]), T)
    np.testing.assert_allclose(points, np.stack([np.cos(T * np.pi / 2), np.sin(T * np.pi / 2)], axis=1), atol=1e-15)


@pytest.mark.parametrize("d", [2, 3, 64])
def test_slerp_of_unit_vectors_keeps_the_length_and_turns_at_constant_speed(d):
    rng = np.random.default_rng(d)
    a, b = unit(*rng.normal(size=d)), unit(*rng.normal(size=d))
    points = slerp(a, b, T)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(angles(points), np.arccos(a @ b) / 8, rtol=1e-6)


def test_latents_of_different_length_turn_at_constant_speed_too_while_the_length_changes_evenly():
    points = slerp(np.array([1.0, 0, 0]), np.array([0.0, 5, 0]), T)
    np.testing.assert_allclose(angles(points), np.pi / 16, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1 + 4 * T, rtol=1e-12)


def test_shoemakes_formula_for_latents_of_equal_length():
    a, b = 3 * unit(1, 2, 3), 3 * unit(-2, 0, 1)
    angle = np.arccos(unit(*a) @ unit(*b))
    expected = [(np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle) for t in T]
    np.testing.assert_allclose(slerp(a, b, T), expected, rtol=1e-12)


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0, 0.0])
def test_parallel_opposite_and_zero_latents_are_joined_by_exactly_the_straight_line(factor):
    a = np.random.default_rng(0).normal(size=7)
    np.testing.assert_array_equal(slerp(a, factor * a, T), lerp(a, factor * a, T))


@pytest.mark.parametrize("path", [lerp, slerp])
def test_both_ends_are_exact_and_the_shape_is_kept(path):
    a, b = np.random.default_rng(1).normal(size=(2, 4, 3, 3)).astype(np.float32)
    points = path(a, b, np.array([0.0, 0.5, 1.0]))
    assert points.shape == (3, 4, 3, 3)
    np.testing.assert_array_equal(points[0], a)
    np.testing.assert_array_equal(points[2], b)


def test_why_arcs_the_middle_of_a_straight_line_between_draws_has_half_the_squared_length():
    d = 100
    a, b = np.random.default_rng(2).normal(size=(2, 4000, d))
    straight = np.array([lerp(u, v, np.array([0.5]))[0] for u, v in zip(a, b, strict=True)])
    arc = np.array([slerp(u, v, np.array([0.5]))[0] for u, v in zip(a, b, strict=True)])
    assert np.square(straight).sum(axis=1).mean() == pytest.approx(d / 2, rel=0.01)
    assert np.square(arc).sum(axis=1).mean() == pytest.approx(d, rel=0.01)


def test_a_path_begins_and_ends_at_its_keyframes_passes_through_all_and_is_evenly_timed():
    keyframes = np.array([[0.0], [1.0], [5.0]])
    points = through(keyframes, 9, spherical=False)
    np.testing.assert_allclose(points[:, 0], [0, 0.25, 0.5, 0.75, 1, 2, 3, 4, 5])
    assert (points[[0, 4, 8]] == keyframes).all()


def test_a_loop_returns_its_next_point_would_be_the_first():
    keyframes = np.random.default_rng(3).normal(size=(3, 6))
    loop = through(keyframes, 12, spherical=True, loop=True)
    opened = through(np.concatenate([keyframes, keyframes[:1]]), 13, spherical=True)
    np.testing.assert_array_equal(loop, opened[:-1])
    np.testing.assert_array_equal(opened[-1], keyframes[0])


def test_a_loop_through_two_goes_there_and_back():
    points = through(np.array([[0.0], [2.0]]), 4, spherical=False, loop=True)
    np.testing.assert_array_equal(points[:, 0], [0, 1, 2, 1])


def test_the_type_of_the_keyframes_is_kept():
    assert through(np.ones((2, 3), np.float32), 5, spherical=True).dtype == np.float32


@pytest.mark.parametrize(("n", "frames", "words"), [(1, 5, "two keyframes, not 1"), (3, 1, r"frames \(=1\)")])
def test_what_is_no_path_is_refused(n, frames, words):
    with pytest.raises(InputError, match=words):
        through(np.ones((n, 2)), frames, spherical=False)
