"""The VAE's objectives on a model whose posterior is known: p(z) = N(0, 1), p(x | z) = N(z, 1), one pixel."""

import math

import pytest
import torch
from torch import nn

from latentry.losses import importance_weighted_bound
from latentry.models.contract import Batch
from latentry.models.vae import VAE, Posterior, VAEMethod, kl_to_prior, log_weights
from latentry.settings.models import VAESettings
from latentry.settings.specs import ImageSpec
from latentry.settings.training import TrainingSettings

PIXEL = ImageSpec(1, 1, 1)
LOG_P_AT_1 = -0.5 * math.log(4 * math.pi) - 0.25  # -1.51551
BOUND_AT_1 = -0.5 * math.log(2 * math.pi) - 1  # -1.91894, with q = the prior


class Fixed(nn.Module):
    """Mean slope * x and a fixed log-variance."""

    def __init__(self, slope, logvar):
        super().__init__()
        self.slope, self.logvar = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(logvar))

    def forward(self, x):
        mu = self.slope * x.flatten(1)
        return torch.cat([mu, self.logvar.expand_as(mu)], dim=1)


def one_pixel(slope, logvar, **settings):
    return VAE(Fixed(slope, logvar), nn.Identity(), PIXEL, VAESettings(latent=1, sigma=1.0, **settings))


def ones(n):
    return torch.ones(n, 1, 1, 1)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_exact_posterior_has_weights_without_variance():
    """Test 3: with q the true posterior N(x / 2, 1 / 2) every weight is p(x), so every bound is log p(x)."""
    vae = one_pixel(0.5, math.log(0.5))
    log_w, _ = log_weights(vae, Batch(ones(4)), vae.posterior(ones(4)), 50, rng())
    torch.testing.assert_close(log_w, torch.full((50, 4), LOG_P_AT_1), atol=1e-5, rtol=0)


def test_bound_gap_is_the_divergence_from_the_posterior():
    """Test 2: with q the prior the bound is 0.40343 below log p(x)."""
    vae = one_pixel(0.0, 0.0)
    method = VAEMethod(vae, VAESettings(latent=1, sigma=1.0), TrainingSettings(), n_data=1)
    n = 200_000
    bound = -method.score(vae, Batch(ones(n)), rng())["loss"]
    assert bound.mean().item() == pytest.approx(BOUND_AT_1, abs=3 * bound.std().item() / math.sqrt(n))
    assert pytest.approx(0.40343, abs=1e-5) == LOG_P_AT_1 - BOUND_AT_1


def test_importance_weighted_bound_rises_to_the_log_likelihood():
    vae = one_pixel(0.0, 0.0)
    bounds = []
    for k in (1, 2, 8, 64):
        log_w, _ = log_weights(vae, Batch(ones(20_000)), vae.posterior(ones(20_000)), k, rng(k))
        bounds.append(importance_weighted_bound(log_w).mean().item())
    assert bounds == sorted(bounds)
    assert bounds[-1] == pytest.approx(LOG_P_AT_1, abs=0.02)


def test_beta_weighs_the_divergence_and_warms_up():
    settings = VAESettings(latent=1, sigma=1.0, beta=4.0, beta_warmup=0.5)
    losses = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        vae = one_pixel(1.0, 0.0)
        terms = VAEMethod(vae, settings, TrainingSettings(), n_data=1).step(Batch(ones(8)), rng(), progress)
        losses.append((terms["loss"] - terms["reconstruction"]).item() / terms["kl"].item())
    assert losses == pytest.approx([0, 2, 4, 4], abs=1e-5)


def test_free_bits_leave_small_divergences_uncounted():
    vae = one_pixel(0.0, 0.0)  # KL 0, below the 0.3 nats that are free
    settings = VAESettings(latent=1, sigma=1.0, free_bits=0.3)
    terms = VAEMethod(vae, settings, TrainingSettings(), n_data=1).step(Batch(ones(8)), rng(), 1.0)
    assert (terms["loss"] - terms["reconstruction"]).item() == pytest.approx(0.3, abs=1e-6)
    assert terms["kl"].item() == 0


def test_vampprior_of_one_pseudo_input_is_its_posterior():
    vae = one_pixel(0.5, math.log(0.5), prior="vamp", pseudo_inputs=1)
    assert vae.vampprior is not None
    with torch.no_grad():
        vae.vampprior.pseudo_inputs.fill_(1.0)
    q = Posterior(torch.full((3, 1), 0.5), torch.full((3, 1), math.log(0.5)))
    kl, per_dimension = kl_to_prior(vae, q, q.sample(rng()))
    assert per_dimension is None
    torch.testing.assert_close(kl, torch.zeros(3), atol=1e-6, rtol=0)
    drawn = vae.own_prior(20_000, rng=rng())
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.02)
    assert drawn.var().item() == pytest.approx(0.5, abs=0.02)


def test_total_correlation_objective_at_beta_one_is_near_the_bound():
    """At beta 1 the three parts add up to the KL; the minibatch estimate cancels between them."""
    settings = VAESettings(latent=1, sigma=1.0, objective="total-correlation", beta=1.0)
    x = torch.randn(512, 1, 1, 1, generator=rng(1))
    vae = one_pixel(0.5, math.log(0.5))
    whole = VAEMethod(vae, settings, TrainingSettings(), n_data=512).score(vae, Batch(x), rng())
    plain = VAEMethod(vae, VAESettings(latent=1, sigma=1.0), TrainingSettings(), n_data=512)
    assert whole["loss"].mean().item() == pytest.approx(
        plain.score(vae, Batch(x), rng())["loss"].mean().item(), abs=0.1
    )


def test_a_learned_sigma_reaches_the_root_mean_square_error():
    """The maximum-likelihood sigma of a decoder that outputs 0 is the pictures' root mean square."""
    vae = VAE(Fixed(0.0, 0.0), nn.Identity(), PIXEL, VAESettings(latent=1, likelihood="gaussian-learned"))
    x = 0.1 * torch.randn(4096, 1, 1, 1, generator=rng())
    output = torch.zeros(4096, 1, 1, 1)
    optimiser = torch.optim.Adam(vae.likelihood.parameters(), lr=0.02)
    for _ in range(500):
        optimiser.zero_grad()
        vae.likelihood.negative_log(output, x).mean().backward()
        optimiser.step()
    assert vae.likelihood.log_sigma.exp().item() == pytest.approx(x.square().mean().sqrt().item(), rel=1e-3)


def test_pixels_are_drawn_anew_with_their_grey_as_the_chance():
    shown = []

    class Watched(Fixed):
        def forward(self, x):
            shown.append(x)
            return super().forward(x)

    settings = VAESettings(latent=1, likelihood="bernoulli", binarise=True)
    vae = VAE(Watched(0.0, 0.0), nn.Linear(1, 1), PIXEL, settings)
    method = VAEMethod(vae, settings, TrainingSettings(), n_data=1)
    n, seed = 20_000, rng()
    grey = torch.tensor([-1.0, -0.4, 0.0, 0.9, 1.0])
    batch = Batch(grey.repeat_interleave(n)[:, None, None, None])
    method.step(batch, seed, 0.5)
    method.score(vae, batch, seed)
    for x in shown:
        assert set(x.unique().tolist()) == {-1.0, 1.0}
        white = (x == 1).view(5, n).float().mean(dim=1)
        assert white[0] == 0 and white[-1] == 1
        torch.testing.assert_close(white, (grey + 1) / 2, atol=4 * 0.5 / math.sqrt(n), rtol=0)
    assert not torch.equal(*shown)
