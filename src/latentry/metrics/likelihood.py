"""What a variational autoencoder says of pictures that it has not seen: likelihood, rate, distortion, information.

    Burda et al. 2015, "Importance weighted autoencoders" (arXiv:1509.00519): likelihood from k weights, active units.
    Hoffman and Johnson 2016, "ELBO surgery" (NIPS workshop): the rate is mutual information and the prior's misfit.
    Alemi et al. 2018, "Fixing a broken ELBO" (arXiv:1711.00464): rate and distortion.

Letters: B batch, N pictures, C H W picture, D latent, k importance samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.losses import active_units
from latentry.metrics.estimates import Estimate, estimate, row_blocks
from latentry.models.contract import Batch
from latentry.models.vae import VAE, kl_to_prior, log_weights
from latentry.precision import float64

_CHUNK = 4096  # pictures that the decoder is asked for at once, over importance samples
_LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood in nats per picture, estimated from k importance samples.

    Attributes:
        nll: mean over pictures. Its error is that of the pictures and of the samples together: the latter scatter each
            picture's estimate. Biased upwards, to first order by `bias`.
        bias: what more samples would take off, to first order: the mean of var(w) / (2 k mean(w)^2). Above .1 or so the
            first order is not enough: take more samples.
        effective_share: mean over pictures of the effective sample size over k; 1 where the posterior is exact.
        elbo: mean evidence lower bound, from the same weights.
        k: importance samples.
        n: pictures.
    """

    nll: Estimate
    bias: float
    effective_share: float
    elbo: float
    k: int
    n: int


@dataclass(frozen=True)
class Information:
    """Where the nats of the evidence lower bound go, per picture.

    Attributes:
        rate: KL(q(z | x) || p(z)).
        distortion: -log p(x | z) for z from q(z | x). Rate and distortion together are the negative bound.
        mutual_information: of picture and latent under q; at most the rate, and at most `ceiling`.
        prior_misfit: rate less mutual information, KL(q(z) || p(z)): what samples of the prior suffer from.
        ceiling: ln N, which no estimate from N pictures can exceed.
        active_units: latent dimensions whose posterior mean varies by more than .01 over pictures.
        latent: dimensions in all, D.
        n: pictures.
    """

    rate: Estimate
    distortion: Estimate
    mutual_information: Estimate
    prior_misfit: float
    ceiling: float
    active_units: int
    latent: int
    n: int


def importance_sampled_nll(
    vae: VAE, batches: Iterable[Batch], *, k: int, rng: torch.Generator, chunk: int = _CHUNK
) -> Likelihood:
    """The likelihood of pictures; Burda et al. 2015, Eq. 8, with k = 5,000 in its tables.

    In chunks of `chunk` decoded pictures, whatever k and the batch. It is an upper bound on the negative
    log-likelihood on average, and tends to it as k grows.

    Args:
        vae: put in evaluation mode while it is measured.
        batches: pictures in [-1, 1], with their conditions where it is told any, on its device.
        k: importance samples a picture, at least 2.
        rng: of the latents, on the same device.
        chunk: decoded pictures at once.

    Raises:
        InputError: no pictures, or k below 2.
    """
    if k < 2:
        raise InputError(f"k (={k}) must be at least 2; 5,000 are usual, 100 show the order")
    log_p, relative_variance, elbo = [], [], []
    with _evaluating(vae):
        for batch in batches:
            for part in batch.split(max(1, chunk)):
                log_mean, log_square, bound = _weigh(vae, part, k, rng, max(1, chunk // len(part.x)))
                log_p.append(log_mean)
                # var(w) / mean(w)^2, unbiased in the variance
                relative_variance.append((torch.exp(log_square - 2 * log_mean) - 1).clamp(min=0) * k / (k - 1))
                elbo.append(bound)
    value, spread = _all(log_p), _all(relative_variance)
    n = len(value)
    error = float(value.std(correction=1)) / math.sqrt(n) if n > 1 else math.nan
    nll = estimate(-float(value.mean()), error, "normal, over pictures")
    effective = float((1 / (1 + spread)).mean())
    return Likelihood(nll, float(spread.mean()) / (2 * k), effective, float(_all(elbo).mean()), k, n)


def information(vae: VAE, batches: Iterable[Batch], *, rng: torch.Generator) -> Information:
    """Rate, distortion, mutual information and active units, with one latent a picture.

    Mutual information compares each latent's density under its own posterior with that under all N together; exact for
    these N pictures but for the one draw a picture, in N^2 D operations: some 10,000 pictures are plenty.

    Args:
        vae: put in evaluation mode while it is measured.
        batches: pictures in [-1, 1], with their conditions where it is told any, on its device.
        rng: of the latents, on the same device.
    """
    rate, distortion, mu, logvar, z = [], [], [], [], []
    with _evaluating(vae):
        for batch in batches:
            q = vae.posterior(batch.x, batch.condition)
            drawn = q.sample(rng)
            rate.append(float64(kl_to_prior(vae, q, drawn)[0]))
            output = vae.decoder_output(drawn, batch.condition)
            distortion.append(float64(vae.likelihood.negative_log(output, batch.x)))
            mu.append(float64(q.mu))
            logvar.append(float64(q.logvar))
            z.append(float64(drawn))
    means, drawn = _all(mu), _all(z)
    gained = mutual_information_terms(drawn, means, _all(logvar))
    mean_rate, mean_gain = _mean(_all(rate), least=0.0), _mean(gained)
    return Information(
        rate=mean_rate,
        distortion=_mean(_all(distortion)),
        mutual_information=mean_gain,
        prior_misfit=mean_rate.value - mean_gain.value,
        ceiling=math.log(len(means)),
        active_units=int(active_units(means).sum()),
        latent=means.shape[1],
        n=len(means),
    )


def mutual_information_terms(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log q(z_n | x_n) - log (1/N) sum_m q(z_n | x_m) in nats, [N]; their mean is the mutual information.

    Args:
        z: one latent a picture, drawn from its posterior, [N, D].
        mu, logvar: of the posteriors, [N, D].
    """
    z, mu, logvar = float64(z), float64(mu), float64(logvar)
    precision = torch.exp(-logvar)
    constant = (mu.square() * precision + logvar + _LOG_TWO_PI).sum(dim=1)
    out = z.new_empty(len(z))
    for rows in row_blocks(len(z), len(z)):
        # -(z - mu)^2 / (2 s^2) multiplied out, so that no [N, N, D] is made
        squares = z[rows].square() @ precision.T - 2 * z[rows] @ (mu * precision).T
        log_q = -0.5 * (squares + constant)
        out[rows] = log_q.diagonal(rows.start) - torch.logsumexp(log_q, dim=1) + math.log(len(z))
    return out


def _weigh(vae: VAE, batch: Batch, k: int, rng: torch.Generator, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Log of the mean weight, log of the mean squared weight, and the mean log-weight, over k draws; [B] each."""
    q = vae.posterior(batch.x, batch.condition)
    log_sum = torch.full_like(float64(batch.x[:, 0, 0, 0]), -math.inf)
    log_square, total = log_sum.clone(), torch.zeros_like(log_sum)
    for start in range(0, k, step):
        log_w = float64(log_weights(vae, batch, q, min(step, k - start), rng)[0])
        log_sum = torch.logaddexp(log_sum, torch.logsumexp(log_w, dim=0))
        log_square = torch.logaddexp(log_square, torch.logsumexp(2 * log_w, dim=0))
        total += log_w.sum(dim=0)
    return log_sum - math.log(k), log_square - math.log(k), total / k


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """No gradients, and evaluation mode: batch statistics would make a picture depend on its neighbours."""
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was_training)


def _all(parts: list[Tensor]) -> Tensor:
    if not parts:
        raise InputError("no pictures to measure; give one batch at least")
    return torch.cat(parts)


def _mean(values: Tensor, least: float = -math.inf) -> Estimate:
    error = float(values.std(correction=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return estimate(float(values.mean()), error, "normal, over pictures", least=least)
