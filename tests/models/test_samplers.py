import math

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference

from latentry.errors import InputError
from latentry.models.fit_samplers import Latents, fit_mixture, fit_samplers
from latentry.models.sampler import GaussianMixture, Samplers
from latentry.models.second_stage import TwoStage
from latentry.nn import initialise
from latentry.settings.models import SamplerSettings
from latentry.settings.specs import ConditionSpec


def two_clusters(n, seed=0):
    rng = torch.Generator().manual_seed(seed)
    side = torch.randint(2, (n, 1), generator=rng) * 8.0 - 4.0
    return torch.cat([side + torch.randn(n, 1, generator=rng), 0.1 * torch.randn(n, 2, generator=rng)], dim=1)


def test_mixture_density_is_scikit_learns():
    z = two_clusters(500)
    ours = fit_mixture(z, components=2, seed=3)
    reference = Reference(2)
    reference.weights_ = ours.log_weights.exp().double().numpy()
    reference.means_ = ours.means.double().numpy()
    covariances = (ours.scale_tril @ ours.scale_tril.mT).double().numpy()
    reference.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(covariances))
    expected = reference.score_samples(z.double().numpy())
    np.testing.assert_allclose(ours.log_prob(z, torch.Generator()).numpy(), expected, atol=1e-3)


def test_mixture_finds_the_clusters_and_draws_from_them():
    mixture = fit_mixture(two_clusters(2000), components=2, seed=0)
    assert sorted(round(m) for m in mixture.means[:, 0].tolist()) == [-4, 4]
    drawn = mixture.draw(4000, rng=torch.Generator().manual_seed(1))
    assert (drawn[:, 0] > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert drawn[:, 1].std().item() == pytest.approx(0.1, abs=0.01)
    assert (drawn[:, 0].abs() - 4).std().item() == pytest.approx(1.0, abs=0.06)


def test_standard_normal_component_density():
    mixture = GaussianMixture(1, 2)
    at_zero = mixture.log_prob(torch.zeros(1, 2), torch.Generator()).item()
    assert at_zero == pytest.approx(-math.log(2 * math.pi), abs=1e-6)


def test_latents_under_a_condition_follow_it():
    """c and z jointly normal with correlation 0.8: z given c is normal around 0.8 c with variance 1 - 0.64."""
    mixture = GaussianMixture(1, 1, told=1)
    mixture.scale_tril.copy_(torch.tensor([[[1.0, 0.0], [0.8, 0.6]]]))
    c = torch.linspace(-2, 2, 5)[:, None]
    expected = torch.distributions.Normal(0.8 * c, 0.6).log_prob(torch.ones(5, 1)).squeeze(1)
    torch.testing.assert_close(mixture.log_prob(torch.ones(5, 1), torch.Generator(), c), expected)
    drawn = mixture.draw(20_000, rng=torch.Generator().manual_seed(0), condition=torch.full((20_000, 1), 1.5))
    assert drawn.mean().item() == pytest.approx(1.2, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.6, abs=0.02)
    regardless = mixture.draw(20_000, rng=torch.Generator().manual_seed(0))
    assert regardless.std().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("second_stage", [False, True])
def test_each_class_is_drawn_from_its_own_latents(second_stage):
    """The class is the side that a latent is on; the samplers are told it, and must not draw from the other side."""
    z = two_clusters(2000)
    told = torch.nn.functional.one_hot((z[:, 0] > 0).long(), 2).float()
    asked = told[:500]
    rng = torch.Generator().manual_seed(0)
    if second_stage:
        second = TwoStage(3, 32, ConditionSpec("class", ("left", "right")))
        initialise(second, rng)
        second.fit(z, 300, rng, told)
        with torch.no_grad():
            drawn = second.draw(500, rng=rng, condition=asked)
            right, wrong = second.log_prob(z[:500], rng, asked), second.log_prob(z[:500], rng, 1 - asked)
    else:
        mixture = fit_mixture(z, 4, 0, told)
        drawn = mixture.draw(500, rng=rng, condition=asked)
        right, wrong = mixture.log_prob(z[:500], rng, asked), mixture.log_prob(z[:500], rng, 1 - asked)
    assert ((drawn[:, 0] > 0) == (asked[:, 1] == 1)).float().mean() > 0.95
    assert (right - wrong).mean() > 5  # nats


def test_second_stage_finds_clusters_that_no_single_gaussian_has():
    """Two clusters along (1, 1, 1): the bound lies between a single Gaussian's fit and the truth, near the truth."""

    def clusters(n, seed):
        rng = torch.Generator().manual_seed(seed)
        return (torch.randint(2, (n, 1), generator=rng) * 2.0 - 1.0) + 0.2 * torch.randn(n, 3, generator=rng)

    rng = torch.Generator().manual_seed(0)
    second = TwoStage(latent=3, units=64)
    initialise(second, rng)
    second.fit(clusters(2000, 1), steps=2500, rng=rng)
    held_out = clusters(500, 2)
    with torch.no_grad():
        bound = second.log_prob(held_out, rng).mean().item()
        drawn = second.draw(2000, rng=rng)
    gaussian = torch.distributions.MultivariateNormal(torch.zeros(3), torch.ones(3, 3) + 0.04 * torch.eye(3))
    cluster = torch.distributions.Normal(held_out.mean(1, keepdim=True).sign(), 0.2)
    truth = cluster.log_prob(held_out).sum(1).mean().item() - math.log(2)
    single = gaussian.log_prob(held_out).mean().item()
    assert (single + truth) / 2 < bound < truth + 0.05
    assert (drawn.mean(1).abs() < 0.3).float().mean() < 0.1  # a single Gaussian would put 24 % there


def fit(samplers, z, held_out, settings, own_log_prob):
    fit_samplers(samplers, Latents(z), Latents(held_out), settings, condition=None, own_log_prob=own_log_prob, seed=0)


def normal_log_prob(z):
    return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)


def test_the_prior_is_chosen_where_latents_follow_it_and_another_where_not():
    settings = SamplerSettings(mixture_components=5, second_stage_steps=50, second_stage_units=16)
    rng = torch.Generator().manual_seed(0)
    normal, normal_held_out = torch.randn(400, 3, generator=rng), torch.randn(200, 3, generator=rng)
    samplers = Samplers(3)
    fit(samplers, normal, normal_held_out, settings, normal_log_prob)
    assert samplers.chosen == "prior"
    assert set(samplers.scores) == {"prior", "mixture", "two-stage"}
    samplers = Samplers(3)
    fit(samplers, two_clusters(400), two_clusters(200, 1), settings, normal_log_prob)
    assert samplers.chosen == "mixture"


def test_few_latents_bear_few_components():
    assert len(fit_mixture(torch.randn(12, 5), components=10, seed=0).means) == 2
    assert len(fit_mixture(torch.randn(2, 5), components=10, seed=0).means) == 1


def test_an_autoencoder_has_no_prior():
    samplers = Samplers(2)
    with pytest.raises(InputError, match="no sampler"):
        samplers.draw(1, own=None, rng=torch.Generator())
    with pytest.raises(InputError, match="sampler=prior"):
        fit(samplers, torch.randn(9, 2), torch.randn(9, 2), SamplerSettings(sampler="prior"), None)
    samplers.fitted["mixture"] = GaussianMixture(1, 2)
    with pytest.raises(InputError, match="did you mean mixture"):
        samplers.draw(1, own=None, rng=torch.Generator(), name="mixtures")
