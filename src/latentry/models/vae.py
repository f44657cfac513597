"""The variational autoencoder and its family.

    Kingma and Welling 2013, "Auto-encoding variational Bayes" (arXiv:1312.6114).
    Higgins et al. 2017, "beta-VAE" (OpenReview Sy2fzU9gl): `beta`.
    Kingma et al. 2016, "Improving variational inference with inverse autoregressive flow" (1606.04934): `free_bits`.
    Rybkin et al. 2021, "Simple and effective VAE training with calibrated decoders" (arXiv:2006.13202): learned sigma.
    Burda et al. 2015, "Importance weighted autoencoders" (arXiv:1509.00519): `objective=importance-weighted`.
    Chen et al. 2018, "Isolating sources of disentanglement" (arXiv:1802.04942): `objective=total-correlation`.
    Tomczak and Welling 2017, "VAE with a VampPrior" (arXiv:1705.07120): `prior=vamp`.
    Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks" (ICML): `binarise`.
    Sohn et al. 2015, "Learning structured output representation" (NeurIPS): encoder and decoder told a condition.

Differs from the papers in: log-variances are clamped to [-14, 8] so that an untrained encoder cannot overflow; the
learned sigma is one weight trained by gradient at ten times the learning rate (in a second stage, whose latents have
nearly its size from the start, at the rate of all), not solved for in each batch.

Letters: B batch, C H W picture, D latent, K pseudo-inputs (or numbers in a condition), k importance samples.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from latentry.losses import (
    free_bits,
    importance_weighted_bound,
    kl_standard_normal_per_dimension,
    log_diagonal_gaussian,
    log_vampprior,
    total_correlation_terms,
)
from latentry.models.conditions import Conditions, tell
from latentry.models.contract import Batch, Progress
from latentry.models.likelihood import Likelihood
from latentry.models.noise import NoiseSize
from latentry.models.optimise import build_optimiser, descend, share_of
from latentry.models.sampler import Noise, Samplers, draw_noise
from latentry.nn import use_rng
from latentry.ranks import alone, gather_rows, in_parts, normal, own_indices, uniform
from latentry.settings.models import VAESettings
from latentry.settings.specs import ConditionSpec, ImageSpec, LatentSpec
from latentry.settings.training import TrainingSettings


class Posterior(NamedTuple):
    """q(z | x), a diagonal Gaussian: mean and log-variance, [B, D] each."""

    mu: Tensor
    logvar: Tensor

    def sample(self, rng: torch.Generator) -> Tensor:
        """One latent a picture by the reparametrisation z = mu + sigma * epsilon, [B, D]."""
        return self.mu + torch.exp(0.5 * self.logvar) * normal(self.mu.shape, rng)


class VampPrior(nn.Module):
    """A mixture of the encoder's posteriors for K learned pseudo-inputs; Tomczak and Welling 2017, Eq. 9.

    Args:
        image: what a pseudo-input looks like.
        k: number of pseudo-inputs.
    """

    def __init__(self, image: ImageSpec, k: int) -> None:
        super().__init__()
        self.pseudo_inputs = nn.Parameter(torch.zeros(k, *image.shape))

    def forward(self) -> Tensor:
        """The pseudo-inputs, pictures in [-1, 1], [K, C, H, W]."""
        return self.pseudo_inputs.clamp(-1, 1)


class VAE(nn.Module):
    """Encoder, decoder, likelihood and prior.

    Args:
        encoder: pictures in [-1, 1], [B, C, H, W], to means and log-variances side by side, [B, 2 D].
        decoder: latents [B, D] to the likelihood's raw parameters, [B, C, H, W].
        image: the size of the pictures.
        settings: the choices that make up the variant.
        condition: what both networks are told, as a second argument [B, K]; None for nothing.
    """

    tempered = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        image: ImageSpec,
        settings: VAESettings,
        condition: ConditionSpec | None = None,
    ) -> None:
        super().__init__()
        self.image, self.latent = image, LatentSpec((settings.latent,), settings.prior)
        self.condition = condition
        self.conditions = None if condition is None else Conditions(condition)
        self.encoder, self.decoder = encoder, decoder
        self.likelihood = Likelihood(settings.likelihood, settings.sigma)
        self.binarise = settings.binarise
        self.vampprior = VampPrior(image, settings.pseudo_inputs) if settings.prior == "vamp" else None
        self.samplers = Samplers(settings.latent)
        self.noise_size = NoiseSize(uniform=0 if self.vampprior is None else 1, normal=settings.latent)

    def drawn(self, batch: Batch, rng: torch.Generator) -> Batch:
        """What the likelihood is about: where `binarise`, pixels are -1 or 1, with their grey as probability of 1."""
        if not self.binarise:
            return batch
        white = 2 * uniform(batch.x.shape, rng) < batch.x + 1
        return batch._replace(x=torch.where(white, 1.0, -1.0))

    def posterior(self, x: Tensor, condition: Tensor | None = None) -> Posterior:
        """q(z | x) for pictures in [-1, 1], [B, C, H, W]."""
        mu, logvar = tell(self.encoder, x, condition).chunk(2, dim=1)
        return Posterior(mu.float(), logvar.float().clamp(-14, 8))

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The posterior's mean [B, D] for pictures in [-1, 1], [B, C, H, W]."""
        return self.posterior(x, condition).mu

    def encode_sample(self, x: Tensor, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """One draw from q(z | x) a picture, [B, D], for pictures in [-1, 1], [B, C, H, W]."""
        return self.posterior(x, condition).sample(rng)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], of latents [B, D]."""
        return self.likelihood.picture(self.decoder_output(z, condition))

    def decoder_output(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """The likelihood's parameters [B, C, H, W] for latents [B, D]."""
        return tell(self.decoder, z, condition).float().view(z.shape[0], *self.image.shape)

    def prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D] from the sampler that the run chose; before one is fitted, from the model's own prior.

        Under conditions [n, K], which are the ones to decode under, or under some that the data have.
        """
        if condition is None and self.conditions is not None:
            condition = self.conditions.draw(n, rng=rng)
        return self.samplers.draw(n, own=self.own_prior, rng=rng, condition=condition)

    def own_prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D] from p(z), which is the same for every condition."""
        if self.vampprior is None:
            return normal((n, *self.latent.shape), rng)
        return self.from_noise(draw_noise(n, self.noise_size, rng), condition)

    def from_noise(self, noise: Noise, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D] from p(z): the normal numbers, or what they make of the posterior of one pseudo-input each."""
        if self.vampprior is None:
            return noise.normal
        pseudo = self.vampprior()
        which = (noise.uniform[:, 0] * len(pseudo)).long().clamp(max=len(pseudo) - 1)
        q = self.posterior(pseudo[which])
        return q.mu + torch.exp(0.5 * q.logvar) * noise.normal

    def log_prior(self, z: Tensor) -> Tensor:
        """Log p(z) in nats, [...], of latents [..., D]."""
        if self.vampprior is None:
            zero = torch.zeros((), device=z.device)
            return log_diagonal_gaussian(z, zero, zero)
        with alone():  # every rank has all pseudo-inputs
            components = self.posterior(self.vampprior())
        return log_vampprior(z, *components)


class VAEMethod:
    """Trains a `VAE`: one step is Algorithm 1 of Kingma and Welling 2013 with Adam.

    Args:
        module: the model to train.
        settings: the objective.
        training: the optimiser's settings.
        n_data: how many pictures there are to train on (total correlation needs it).
    """

    def __init__(self, module: VAE, settings: VAESettings, training: TrainingSettings, n_data: int) -> None:
        self.module, self.settings, self.n_data, self.training = module, settings, n_data, training
        self.model, self.batches = module, 1
        scale = [weight for weight in module.likelihood.parameters() if weight.requires_grad]
        rest = [w for w in module.parameters() if w.requires_grad and not any(w is s for s in scale)]
        # A learned sigma travels far (0.5 to 0.05) in few steps, and every other term is measured by it.
        groups = [{"params": rest, "lr_scale": 1.0}, {"params": scale, "lr_scale": 10.0}]
        self.optimisers = {"vae": build_optimiser([group for group in groups if group["params"]], training)}

    def step(self, batch: Batch, rng: torch.Generator, progress: Progress) -> dict[str, Tensor]:
        """Descend the negative objective; the terms are means over the batch, in nats per image."""
        use_rng(rng)
        beta = self.settings.beta * share_of(self.settings.beta_warmup, progress)
        batch = self.module.drawn(batch, rng)

        def objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
            loss, terms, _ = self._objective(self.module, batch.rows(rows), rng, beta)
            return loss, terms

        loss, terms = descend(self.optimisers["vae"], objective, len(batch.x), rng, self.training)
        return {"loss": loss.mean(), **{name: value.mean(dim=0) for name, value in terms.items()}}

    def score(self, model: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """The objective's terms per picture at the full beta, with the posterior's mean for counting active units."""
        assert isinstance(model, VAE)
        loss, terms, q = self._objective(model, model.drawn(batch, rng), rng, self.settings.beta)
        return {"loss": loss, **terms, "mu": q.mu}

    def _objective(
        self, vae: VAE, batch: Batch, rng: torch.Generator, beta: Progress
    ) -> tuple[Tensor, dict[str, Tensor], Posterior]:
        """What is minimised [B], its terms [B] or [B, D], and q(z | x)."""
        q = vae.posterior(batch.x, batch.condition)
        match self.settings.objective:
            case "elbo":
                loss, terms = self._elbo(vae, batch, q, rng, beta)
            case "importance-weighted":
                loss, terms = self._importance_weighted(vae, batch, q, rng)
            case "total-correlation":
                loss, terms = self._total_correlation(vae, batch, q, rng, beta)
        return loss, terms, q

    def _elbo(
        self, vae: VAE, batch: Batch, q: Posterior, rng: torch.Generator, beta: Progress
    ) -> tuple[Tensor, dict[str, Tensor]]:
        z = q.sample(rng)
        reconstruction = vae.likelihood.negative_log(vae.decoder_output(z, batch.condition), batch.x)
        kl, per_dimension = kl_to_prior(vae, q, z)
        counted = kl
        if self.settings.free_bits and per_dimension is not None:
            counted = free_bits(per_dimension, self.settings.free_bits)
        return reconstruction + beta * counted, _terms(reconstruction, kl, per_dimension)  # Eq. 3 for beta = 1

    def _importance_weighted(
        self, vae: VAE, batch: Batch, q: Posterior, rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        log_w, reconstruction = log_weights(vae, batch, q, self.settings.importance_samples, rng)
        kl, per_dimension = kl_to_prior(vae, q, q.sample(rng))
        return -importance_weighted_bound(log_w), _terms(reconstruction, kl, per_dimension)

    def _total_correlation(
        self, vae: VAE, batch: Batch, q: Posterior, rng: torch.Generator, beta: Progress
    ) -> tuple[Tensor, dict[str, Tensor]]:
        z = q.sample(rng)
        reconstruction = vae.likelihood.negative_log(vae.decoder_output(z, batch.condition), batch.x)
        among = gather_rows(q.mu), gather_rows(q.logvar)  # of the whole batch, where ranks share it
        first, _ = own_indices(len(z))
        parts = total_correlation_terms(z, *among, self.n_data, self.settings.tc_estimator, first=first)
        kl, per_dimension = kl_to_prior(vae, q, z)
        # Chen et al. 2018, Eq. 4 with alpha = gamma = 1.
        loss = reconstruction + parts.mutual_information + beta * parts.total_correlation + parts.dimension_wise_kl
        return loss, {**_terms(reconstruction, kl, per_dimension), "total_correlation": parts.total_correlation}


def log_weights(vae: VAE, batch: Batch, q: Posterior, k: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Log p(x, z) - log q(z | x) for k latents a picture, [k, B], and the mean reconstruction term [B]."""
    mu, logvar = (part.expand(k, *part.shape) for part in q)
    z = mu + torch.exp(0.5 * logvar) * normal(mu.shape, rng, rows=1)  # [k, B, D]
    told = None if batch.condition is None else batch.condition.repeat(k, 1)
    with in_parts(k):
        output = vae.decoder_output(z.flatten(0, 1), told)
    negative_log_p_x = vae.likelihood.negative_log(output, batch.x.repeat(k, 1, 1, 1)).view(k, len(batch.x))
    log_w = vae.log_prior(z) - negative_log_p_x - log_diagonal_gaussian(z, mu, logvar)
    return log_w, negative_log_p_x.mean(dim=0)


def kl_to_prior(vae: VAE, q: Posterior, z: Tensor) -> tuple[Tensor, Tensor | None]:
    """KL(q || p) in nats per image [B], and by dimension [B, D] where the prior has independent ones.

    Closed form for the standard normal; one-sample Monte Carlo, with z from q, for the VampPrior.
    """
    if vae.vampprior is not None:
        return log_diagonal_gaussian(z, q.mu, q.logvar) - vae.log_prior(z), None
    per_dimension = kl_standard_normal_per_dimension(q.mu, q.logvar)
    return per_dimension.sum(dim=1), per_dimension


def _terms(reconstruction: Tensor, kl: Tensor, per_dimension: Tensor | None) -> dict[str, Tensor]:
    terms = {"reconstruction": reconstruction, "kl": kl}
    return terms if per_dimension is None else {**terms, "kl_per_dimension": per_dimension}
