"""Duplicating the batch leaves the mean loss unchanged: every loss is a mean over images, and no other reduction hides.

Exempt is `total_correlation_terms(estimator="mss")`: it takes the other images of the batch for independent draws from
the rest of the data, which the copies are not. "exact" holds with n_data doubled (the data are duplicated too), "mws"
with n_data as it was (the batch doubles, the data do not).
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from latentry import losses

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
SCALE = torch.tensor(-0.3, dtype=torch.float64)

LOSSES: dict[str, Loss] = {
    "bernoulli": lambda a, b, c, d: losses.bernoulli_nll(a, b.sigmoid()),
    "continuous-bernoulli": lambda a, b, c, d: losses.continuous_bernoulli_nll(a, b.sigmoid()),
    "gaussian": lambda a, b, c, d: losses.gaussian_nll(a, b, SCALE),
    "gaussian, a sigma per pixel": lambda a, b, c, d: losses.gaussian_nll(a, b, c),
    "laplace": lambda a, b, c, d: losses.laplace_nll(a, b, SCALE),
    "discretised-logistic": lambda a, b, c, d: losses.discretised_logistic_nll(a, SCALE, levels(b)),
    "kl": lambda a, b, c, d: losses.kl_standard_normal(a, b),
    "kl per dimension": lambda a, b, c, d: losses.kl_standard_normal_per_dimension(a, b).sum(dim=1),
    "kl between gaussians": losses.kl_diagonal_gaussians,
    "log-density": lambda a, b, c, d: losses.log_diagonal_gaussian(a, b, c),
    "vampprior": lambda a, b, c, d: losses.log_vampprior(a, torch.eye(3).double(), torch.zeros(3, 3).double()),
    "monte carlo kl": lambda a, b, c, d: losses.kl_monte_carlo(a.T, b.T),
    "importance-weighted": lambda a, b, c, d: losses.importance_weighted_bound(a.T),
    "free bits": lambda a, b, c, d: losses.free_bits(losses.kl_standard_normal_per_dimension(a, b), 0.8),
    "slope of a critic": lambda a, b, c, d: losses.unit_norm(losses.score_and_gradient(bowl, a)[1]),
    "zero-centred slope of a critic": lambda a, b, c, d: losses.zero_centred(losses.score_and_gradient(bowl, a)[1]),
    # Of a plane, whose slope is the same wherever the noise puts the pictures.
    "gradient penalty": lambda a, b, c, d: losses.gradient_penalty(plane, a, b, rng=torch.Generator()),
    "dragan penalty": lambda a, b, c, d: losses.dragan_penalty(plane, a, rng=torch.Generator()),
    "total correlation, mws": lambda a, b, c, d: weighted(losses.total_correlation_terms(a, b, c, 100, "mws")),
    "total correlation, exact": lambda a, b, c, d: weighted(losses.total_correlation_terms(a, b, c, len(a), "exact")),
}


def critic_of(name: str) -> Loss:
    """One score a row, with targets that are neither 1 nor 0."""
    return lambda a, b, c, d: losses.ADVERSARIAL[name].critic(a[:, 0], b[:, 0], c[:, 0].sigmoid(), d[:, 0].sigmoid())


def generator_of(name: str) -> Loss:
    return lambda a, b, c, d: losses.ADVERSARIAL[name].generator(a[:, 0], b[:, 0])


def bowl(x: Tensor) -> Tensor:
    return x.square().sum(dim=1)


def plane(x: Tensor) -> Tensor:
    return 3 * x.sum(dim=1)


def levels(x: Tensor) -> Tensor:
    return (x.tanh() * 127.5 + 127.5).round() / 127.5 - 1


def weighted(parts: losses.TotalCorrelationTerms) -> Tensor:
    """Different weights, so that an error in one part cannot cancel in the sum."""
    return parts.mutual_information + 4 * parts.total_correlation + 0.7 * parts.dimension_wise_kl


LOSSES |= {f"{name}, critic": critic_of(name) for name in losses.ADVERSARIAL}
LOSSES |= {f"{name}, generator": generator_of(name) for name in losses.ADVERSARIAL}


@pytest.mark.parametrize("name", LOSSES)
def test_duplicating_the_batch_leaves_the_mean_loss_unchanged(name: str) -> None:
    rng = torch.Generator().manual_seed(1)
    inputs = [torch.randn(6, 3, generator=rng, dtype=torch.float64) for _ in range(4)]
    once = LOSSES[name](*inputs)
    twice = LOSSES[name](*(torch.cat([x, x]) for x in inputs))
    assert once.shape == (6,)
    torch.testing.assert_close(twice.mean(), once.mean())
    torch.testing.assert_close(twice, torch.cat([once, once]))
