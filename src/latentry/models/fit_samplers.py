"""Fitting the samplers to the encoded data, and choosing among them by held-out likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.models.sampler import GaussianMixture, Samplers
from latentry.models.second_stage import TwoStage
from latentry.nn import initialise
from latentry.settings.models import SamplerSettings


@torch.no_grad()
def fit_mixture(z: Tensor, components: int, seed: int) -> GaussianMixture:
    """A mixture of Gaussians for latents [N, D] by expectation maximisation (scikit-learn), in float64.

    Few latents bear few components: each gets at least D + 1 of them on average.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as ExpectationMaximisation

    n, latent = z.shape
    components = max(1, min(components, n // (latent + 1)))
    mean, scale = z.double().mean(dim=0), z.double().std(dim=0, correction=0).clamp(min=1e-6)
    standard = ((z.double() - mean) / scale).cpu().numpy()
    em = ExpectationMaximisation(components, reg_covar=1e-3, max_iter=60, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 60 iterations are enough to draw from
        em.fit(standard)
    mixture = GaussianMixture(components, latent)
    mixture.log_weights.copy_(torch.from_numpy(em.weights_).log())
    mixture.means.copy_(torch.from_numpy(em.means_) * scale.cpu() + mean.cpu())
    covariance = torch.from_numpy(em.covariances_) * scale.cpu()[:, None] * scale.cpu()
    mixture.scale_tril.copy_(torch.linalg.cholesky(covariance))
    return mixture.to(z.device)


def fit_samplers(
    samplers: Samplers,
    z: Tensor,
    z_held_out: Tensor,
    settings: SamplerSettings,
    *,
    own_log_prob: Callable[[Tensor], Tensor] | None,
    seed: int,
) -> None:
    """Fit every sampler that the settings ask for, score each on held-out latents, and choose.

    Args:
        samplers: the model's samplers, filled in place.
        z: latents of training pictures, [N, D]; for a VAE drawn from the posteriors.
        z_held_out: latents of held-out pictures, likewise.
        settings: which samplers, and which is chosen.
        own_log_prob: log density of the model's own prior, [B, D] to [B]; None where it has none.
        seed: every random choice derives from it.
    """
    if settings.sampler == "prior" and own_log_prob is None:
        raise InputError("sampler=prior: an autoencoder has no prior of its own; use mixture, two-stage or auto")
    rng = torch.Generator(z.device).manual_seed(seed)
    samplers.fitted["mixture"] = mixture = fit_mixture(z, settings.mixture_components, seed)
    scorers: dict[str, Callable[[Tensor], Tensor]] = {"mixture": lambda z: mixture.log_prob(z, rng)}
    if settings.second_stage_steps:
        samplers.fitted["two-stage"] = second = TwoStage(z.shape[1], settings.second_stage_units).to(z.device)
        initialise(second, rng)
        second.fit(z, settings.second_stage_steps, rng)
        scorers["two-stage"] = lambda z: second.log_prob(z, rng)
    if own_log_prob is not None:
        scorers["prior"] = own_log_prob
    with torch.no_grad():
        samplers.scores = {
            name: float(torch.cat([score(part) for part in z_held_out.split(500)]).double().mean())
            for name, score in scorers.items()
        }
    best = max(samplers.scores, key=lambda name: samplers.scores[name])
    samplers.chosen = best if settings.sampler == "auto" else settings.sampler
