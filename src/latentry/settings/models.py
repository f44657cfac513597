"""What is trained: the settings of each model family, without its networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError

LikelihoodName = Literal[
    "bernoulli", "continuous-bernoulli", "gaussian", "gaussian-learned", "laplace", "discretised-logistic"
]
SamplerName = Literal["auto", "prior", "mixture", "two-stage"]


@dataclass(frozen=True)
class SamplerSettings:
    """What new latents are drawn from: the model's own prior, or a distribution fitted to the encoded data."""

    sampler: SamplerName = "auto"
    """prior, mixture of Gaussians, two-stage VAE; auto takes the one with the best held-out likelihood of latents."""
    mixture_components: int = 10
    """Gaussians in the mixture, each with a full covariance."""
    second_stage_steps: int = 1000
    """optimiser steps of the second VAE, trained on the latents; 0 leaves it out."""
    second_stage_units: int = 256
    """hidden units in each of the second VAE's two layers."""

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        if self.mixture_components < 1:
            raise InputError(f"mixture-components (={self.mixture_components}) must be at least 1")
        if self.second_stage_steps < 0 or self.second_stage_units < 1:
            raise InputError(
                f"second-stage-steps (={self.second_stage_steps}) must be 0 or more and "
                f"second-stage-units (={self.second_stage_units}) at least 1"
            )
        if self.sampler == "two-stage" and self.second_stage_steps == 0:
            raise InputError("sampler=two-stage needs second-stage-steps of at least 1; the default is 1000")


@dataclass(frozen=True)
class AutoencoderSettings:
    """A deterministic autoencoder; a denoising one when the input is corrupted."""

    latent: int = 64
    """numbers in the latent."""
    likelihood: LikelihoodName = "gaussian"
    """reconstruction loss: gaussian is squared error, laplace absolute error, bernoulli cross-entropy."""
    sigma: float = 0.1
    """standard deviation (gaussian) or scale (laplace) of the noise on pixels, in units of the range [-1, 1]."""
    noise: float = 0.0
    """standard deviation of the Gaussian noise added to the encoder's input, in units of the range [-1, 1]."""
    masking: float = 0.0
    """probability that a pixel of the encoder's input is blanked to mid-grey."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        _check_latent(self.latent)
        _check_sigma(self.sigma)
        if self.noise < 0:
            raise InputError(f"noise (={self.noise}) must be 0 or more")
        if not 0 <= self.masking < 1:
            raise InputError(f"masking (={self.masking}) must be at least 0 and below 1")


@dataclass(frozen=True)
class VAESettings:
    """A variational autoencoder; every variant of the family is a choice of these."""

    latent: int = 64
    """numbers in the latent."""
    likelihood: LikelihoodName = "gaussian"
    """distribution of the pixels given the latent; learned: one sigma for all pixels, trained with the rest."""
    sigma: float = 0.1
    """standard deviation (gaussian) or scale (laplace) of the noise on pixels, in units of the range [-1, 1]."""
    binarise: bool = False
    """likelihood=bernoulli: learn from black and white pixels, drawn anew each time with their grey as probability."""
    prior: Literal["normal", "vamp"] = "normal"
    """distribution of latents: standard normal, or VampPrior, a mixture of posteriors of learned pseudo-inputs."""
    pseudo_inputs: int = 500
    """prior=vamp: how many pseudo-inputs."""
    objective: Literal["elbo", "importance-weighted", "total-correlation"] = "elbo"
    """what is maximised: the evidence lower bound, its importance-weighted form, or total correlation weighed apart."""
    beta: float = 1.0
    """weight of the KL term (elbo) or of total correlation; 1 is the evidence lower bound itself, in nats per image."""
    beta_warmup: float = 0.0
    """share of the run over which beta rises linearly from 0."""
    free_bits: float = 0.0
    """nats that each latent dimension may use, on average over the batch, before its KL counts."""
    importance_samples: int = 1
    """objective=importance-weighted: latents drawn for each picture (k)."""
    tc_estimator: Literal["mws", "mss"] = "mws"
    """objective=total-correlation: minibatch-weighted or minibatch-stratified estimate of log q(z)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range, and combinations that no paper defines."""
        _check_latent(self.latent)
        _check_sigma(self.sigma)
        if self.beta < 0:
            raise InputError(f"beta (={self.beta}) must be 0 or more")
        if not 0 <= self.beta_warmup <= 1:
            raise InputError(f"beta-warmup (={self.beta_warmup}) is a share of the run, from 0 to 1")
        if self.free_bits < 0:
            raise InputError(f"free-bits (={self.free_bits}) must be 0 or more, in nats per dimension")
        if self.importance_samples < 1:
            raise InputError(f"importance-samples (={self.importance_samples}) must be at least 1")
        if self.binarise and self.likelihood != "bernoulli":
            raise InputError(f"binarise needs likelihood=bernoulli, whose pixels are 0 or 1, not {self.likelihood}")
        if self.pseudo_inputs < 1:
            raise InputError(f"pseudo-inputs (={self.pseudo_inputs}) must be at least 1")
        if self.objective != "importance-weighted" and self.importance_samples > 1:
            raise InputError(
                f"importance-samples (={self.importance_samples}) needs objective=importance-weighted, "
                f"not {self.objective}"
            )
        if self.objective == "importance-weighted" and (self.beta != 1 or self.beta_warmup or self.free_bits):
            raise InputError(
                "objective=importance-weighted is one bound without a separate KL term: "
                "leave beta at 1, beta-warmup and free-bits at 0"
            )
        if self.objective == "total-correlation" and (self.free_bits or self.prior == "vamp"):
            raise InputError(
                "objective=total-correlation decomposes the KL to a standard normal: leave free-bits at 0, prior=normal"
            )
        if self.prior == "vamp" and self.free_bits:
            raise InputError("free-bits needs the KL of each dimension, which prior=vamp does not have; leave it at 0")


def _check_latent(latent: int) -> None:
    if latent < 1:
        raise InputError(f"latent (={latent}) must be at least 1")


def _check_sigma(sigma: float) -> None:
    if not sigma > 0:
        raise InputError(f"sigma (={sigma}) must be above 0")
