"""Likelihood and information of linear autoencoders, which are probabilistic PCA, against closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.metrics.likelihood import importance_sampled_nll, information, mutual_information_terms
from latentry.models.contract import Batch
from latentry.models.vae import VAE
from latentry.settings.models import VAESettings
from latentry.settings.specs import ImageSpec

PIXELS, LATENT, N = 6, 2, 400
SPECTRUM = np.array([0.3, 0.1, 0.02, 0.02, 0.02, 0.02])
SIGMA2 = 0.02


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Encoder(nn.Module):
    """The posterior of probabilistic PCA, M^-1 W'x and sigma^2 M^-1, its variance widened by a factor."""

    def __init__(self, weight: Tensor, widened: float) -> None:
        super().__init__()
        m = weight.T @ weight + SIGMA2 * torch.eye(LATENT)
        self.matrix = torch.linalg.solve(m, weight.T)
        self.logvar = torch.log(widened * SIGMA2 * torch.linalg.inv(m).diagonal())

    def forward(self, x: Tensor) -> Tensor:
        mu = x.flatten(1) @ self.matrix.T
        return torch.cat([mu, self.logvar.expand(len(x), LATENT)], dim=1)


def linear_vae(widened: float = 1.0) -> tuple[VAE, Tensor]:
    """A model at its optimum for the covariance U diag(SPECTRUM) U', and the pictures drawn from it."""
    source = np.random.default_rng(0)
    basis = np.linalg.qr(source.normal(size=(PIXELS, PIXELS)))[0]
    weight = torch.tensor(basis[:, :LATENT] * np.sqrt(SPECTRUM[:LATENT] - SIGMA2), dtype=torch.float32)
    decoder = nn.Linear(LATENT, PIXELS, bias=False)
    decoder.weight.data = weight
    settings = VAESettings(latent=LATENT, likelihood="gaussian", sigma=math.sqrt(SIGMA2))
    vae = VAE(Encoder(weight, widened), decoder, ImageSpec(1, 2, 3), settings)
    x = torch.tensor(source.normal(size=(N, PIXELS)) * np.sqrt(SPECTRUM) @ basis.T, dtype=torch.float32)
    return vae, x.view(N, 1, 2, 3)


def exact_nll(vae: VAE, x: Tensor) -> Tensor:
    """-log N(x; 0, W W' + sigma^2 I), [N]."""
    assert isinstance(vae.decoder, nn.Linear)
    weight = vae.decoder.weight.data.double()
    law = torch.distributions.MultivariateNormal(
        torch.zeros(PIXELS).double(), weight @ weight.T + SIGMA2 * torch.eye(PIXELS).double()
    )
    return -law.log_prob(x.flatten(1).double())


def batches(x: Tensor, size: int = 150) -> list[Batch]:
    return Batch(x).split(size)


def test_an_exact_posterior_needs_no_samples() -> None:
    """Every weight is p(x): the estimate is the truth, the bound is tight and all samples count."""
    vae, x = linear_vae()
    found = importance_sampled_nll(vae, batches(x), k=7, rng=rng())
    truth = exact_nll(vae, x)
    assert found.nll.value == pytest.approx(float(truth.mean()), abs=1e-4)
    assert found.elbo == pytest.approx(-float(truth.mean()), abs=1e-4)
    assert found.bias == pytest.approx(0, abs=1e-6)
    assert found.effective_share == pytest.approx(1, abs=1e-5)
    assert found.nll.error == pytest.approx(float(truth.std()) / math.sqrt(N), rel=1e-3)
    assert (found.k, found.n) == (7, N)


def test_a_wide_posterior_reaches_probabilistic_pca_with_samples() -> None:
    """With twice the variance var(w) / mean(w)^2 is known: (r^2 / (2r - 1))^(D/2) - 1, at r = 2 a third."""
    vae, x = linear_vae(widened=2.0)
    truth = float(exact_nll(vae, x).mean())
    found = importance_sampled_nll(vae, batches(x), k=200, rng=rng())
    noise = math.sqrt(1 / 3 / 200 / N)
    assert found.nll.value == pytest.approx(truth + found.bias, abs=3 * noise)
    assert found.bias == pytest.approx(1 / 3 / 400, rel=0.1)
    assert found.effective_share == pytest.approx(3 / 4, abs=0.02)
    gap = LATENT * 0.5 * (2 - 1 - math.log(2))  # KL(q || posterior)
    assert -found.elbo == pytest.approx(truth + gap, abs=3 * math.sqrt(LATENT / 2 / 200 / N))


def test_chunks_change_memory_only() -> None:
    """The same draws in other pieces: seven at a time, also where a batch alone is more than a chunk."""
    vae, x = linear_vae(widened=2.0)
    truth = float(exact_nll(vae, x).mean())
    for chunk in (7, 450, 10**6):
        found = importance_sampled_nll(vae, batches(x), k=30, rng=rng(), chunk=chunk)
        assert found.nll.value == pytest.approx(truth + 1 / 3 / 60, abs=4 * math.sqrt(1 / 3 / 30 / N))


def test_rate_distortion_and_information_in_closed_form() -> None:
    """z | x is N(mu, s^2): the aggregate is N(0, I) where the model is right, so information is the rate."""
    vae, x = linear_vae()
    found = information(vae, batches(x), rng=rng())
    posterior = vae.posterior(x)
    s2, mu = posterior.logvar[0].exp().double(), posterior.mu.double()
    rate = 0.5 * float((mu.square().mean(0) + s2 - 1 - s2.log()).sum())
    expected = 0.5 * float(-s2.log().sum())  # ln of the ratio of aggregate (1) and posterior spreads
    assert found.rate.value == pytest.approx(rate, abs=1e-5)
    assert found.mutual_information.value == pytest.approx(expected, abs=4 * found.mutual_information.error + 0.02)
    assert abs(found.prior_misfit) < 0.1
    assert found.rate.value + found.distortion.value == pytest.approx(float(exact_nll(vae, x).mean()), abs=0.25)
    assert (found.active_units, found.latent, found.n) == (2, 2, N)
    assert found.ceiling == math.log(N)


def test_a_collapsed_dimension_is_not_active_and_carries_nothing() -> None:
    vae, x = linear_vae()
    encoder = vae.encoder
    assert isinstance(encoder, Encoder)
    encoder.matrix[1], encoder.logvar[1] = 0, 0
    found = information(vae, batches(x), rng=rng())
    assert found.active_units == 1
    assert found.mutual_information.value == pytest.approx(-0.5 * float(encoder.logvar[0]), abs=0.15)


def test_information_is_that_of_loops_and_stops_at_the_log_of_the_count() -> None:
    source = rng()
    mu, logvar = torch.randn(9, 3, generator=source), torch.randn(9, 3, generator=source)
    z = mu + torch.exp(logvar / 2) * torch.randn(9, 3, generator=source)
    density = [
        [float(torch.distributions.Normal(mu[m], torch.exp(logvar[m] / 2)).log_prob(z[n]).sum()) for m in range(9)]
        for n in range(9)
    ]
    expected = [density[n][n] - math.log(np.mean(np.exp(density[n]))) for n in range(9)]
    np.testing.assert_allclose(mutual_information_terms(z, mu, logvar), expected, atol=1e-4)
    far = torch.arange(9.0)[:, None] * 100
    np.testing.assert_allclose(mutual_information_terms(far, far, torch.zeros(9, 1)), math.log(9), atol=1e-9)
    same = torch.zeros(9, 1)
    np.testing.assert_allclose(mutual_information_terms(z[:, :1], same, same), 0, atol=1e-12)


def test_leaves_the_model_as_it_was_and_measures_without_batch_statistics() -> None:
    """In training mode batch normalisation would tie a picture's score to its neighbours."""
    vae, x = linear_vae()
    truth = float(exact_nll(vae, x).mean())
    vae.decoder = nn.Sequential(vae.decoder, nn.BatchNorm1d(PIXELS))
    vae.train()
    found = importance_sampled_nll(vae, batches(x), k=3, rng=rng())
    assert vae.training
    assert found.nll.value == pytest.approx(truth, abs=1e-3)  # running statistics are 0 and 1


def test_refuses_nothing_to_measure() -> None:
    vae, x = linear_vae()
    with pytest.raises(InputError, match=r"k \(=1\) must be at least 2"):
        importance_sampled_nll(vae, batches(x), k=1, rng=rng())
    with pytest.raises(InputError, match="no pictures"):
        importance_sampled_nll(vae, [], k=2, rng=rng())
