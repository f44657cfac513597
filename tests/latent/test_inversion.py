"""Inversion where the answer is known: of a linear generator, least squares."""

import numpy as np
import torch

from latentry.latent import Distance, best_of, invert

RNG = torch.Generator().manual_seed(0)
A = torch.randn(12, 3, generator=RNG)


def linear(z):
    return (z @ A.T).view(-1, 1, 3, 4)


def test_a_linear_generator_reaches_the_least_squares_solution():
    x = torch.randn(5, 1, 3, 4, generator=RNG)
    found = invert(linear, x, torch.zeros(5, 3), steps=400)
    expected = torch.linalg.lstsq(A, x.flatten(1).T).solution.T
    torch.testing.assert_close(found.z, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.loss, (linear(expected) - x).square().flatten(1).mean(dim=1), atol=1e-5, rtol=0)


def test_the_prior_term_is_ridge_regression():
    x = torch.randn(4, 1, 3, 4, generator=RNG)
    distance = Distance(prior=lambda z: z.square().sum(dim=1), prior_weight=0.5)
    found = invert(linear, x, torch.zeros(4, 3), distance, steps=400)
    ridge = torch.linalg.solve(A.T @ A / 12 + 0.5 * torch.eye(3), A.T @ x.flatten(1).T / 12).T
    torch.testing.assert_close(found.z, ridge, atol=1e-3, rtol=0)


def test_features_alone_find_what_they_see():
    # Only the first row of pixels counts: the answer is its least-squares solution.
    x = torch.randn(3, 1, 3, 4, generator=RNG)
    distance = Distance(pixel=0.0, features=lambda made: made[:, 0, 0])
    found = invert(linear, x, torch.zeros(3, 3), distance, steps=800)
    expected = torch.linalg.lstsq(A[:4], x[:, 0, 0].T).solution.T
    torch.testing.assert_close(linear(found.z)[:, 0, 0], linear(expected)[:, 0, 0], atol=5e-3, rtol=0)


def bent(z):
    return torch.tanh(linear(z) + 0.5 * linear(z).square())


def test_none_ends_worse_than_it_started_even_when_it_starts_at_the_answer():
    z = torch.randn(6, 3, generator=RNG)
    found = invert(bent, bent(z), z, steps=20)
    assert (found.loss == 0).all()
    assert torch.equal(found.z, z)
    guess = z + 0.3 * torch.randn(z.shape, generator=RNG)
    improved = invert(bent, bent(z), guess, steps=30)
    assert (improved.loss < improved.loss_start).all()


def test_pictures_do_not_influence_each_other_and_the_same_is_found_again():
    x = bent(torch.randn(6, 3, generator=RNG))
    together = invert(bent, x, torch.zeros(6, 3), steps=30)
    alone = torch.cat([invert(bent, x[i : i + 1], torch.zeros(1, 3), steps=30).z for i in range(6)])
    torch.testing.assert_close(together.z, alone, atol=1e-5, rtol=1e-5)
    assert torch.equal(together.z, invert(bent, x, torch.zeros(6, 3), steps=30).z)


def test_no_weight_is_asked_for_a_gradient_or_moved():
    layer = torch.nn.Linear(3, 12)
    before = layer.weight.detach().clone()
    invert(lambda z: layer(z).view(-1, 1, 3, 4), torch.zeros(2, 1, 3, 4), torch.ones(2, 3), steps=3)
    assert layer.weight.grad is None
    assert torch.equal(layer.weight, before)


def test_no_steps_only_measure_the_start():
    x = torch.zeros(2, 1, 3, 4)
    found = invert(linear, x, torch.ones(2, 3), steps=0)
    assert torch.equal(found.z, torch.ones(2, 3))
    np.testing.assert_allclose(found.loss, linear(torch.ones(2, 3)).square().flatten(1).mean(dim=1))


def test_the_nearest_of_many_draws_is_found_across_batches():
    draws = torch.randn(600, 3, generator=RNG)
    wanted = torch.tensor([3, 599, 256])
    assert torch.equal(best_of(linear, linear(draws[wanted]), draws), draws[wanted])
