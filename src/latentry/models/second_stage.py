"""The two-stage VAE: a second VAE that learns the distribution of the first one's latents.

    Dai and Wipf 2019, "Diagnosing and enhancing VAE models" (arXiv:1903.05789), section 4.

Differs from the paper in: two hidden layers, not three; latents are standardised first. D is the latent of both.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.losses import importance_weighted_bound
from latentry.models.contract import Batch
from latentry.models.noise import NoiseSize
from latentry.models.sampler import Noise, draw_noise
from latentry.models.vae import VAE, VAEMethod, log_weights
from latentry.nn import build_decoder, build_encoder
from latentry.settings.models import VAESettings
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec, ImageSpec
from latentry.settings.training import TrainingSettings

_BOUND_SAMPLES = 64  # importance samples for the held-out bound on log p(z)
_BATCH = 256


class TwoStage(nn.Module):
    """A VAE over latents [D], seen as pictures of D channels and one pixel.

    Args:
        latent: D.
        units: hidden units in each of its two layers.
        condition: what the first VAE is told, which this one is told too.
    """

    def __init__(self, latent: int, units: int, condition: ConditionSpec | None = None) -> None:
        super().__init__()
        self.units = units
        self.noise_size = NoiseSize(uniform=0, normal=2 * latent)
        image = ImageSpec(channels=latent, height=1, width=1)
        network = NetworkSettings(backbone="mlp", hidden=(units, units))
        self.settings = VAESettings(latent=latent, likelihood="gaussian-learned")
        self.vae = VAE(
            build_encoder(network, image, 2 * latent, condition),
            build_decoder(network, latent, image, beside=condition),
            image,
            self.settings,
        )
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))

    def draw(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D] under conditions [n, K]: u from N(0, I), then z from what the decoder makes of it."""
        return self.from_noise(draw_noise(n, self.noise_size, rng), condition)

    def from_noise(self, noise: Noise, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D] under conditions [n, K]; the first D normal numbers are u, the rest the decoder's own."""
        u, epsilon = noise.normal.chunk(2, dim=1)
        mean = self.vae.decoder_output(u, condition).flatten(1)
        sigma = self.vae.likelihood.log_sigma.exp()
        return (mean + sigma * epsilon) * self.scale + self.mean

    def log_prob(self, z: Tensor, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """A lower bound on the log density in nats, [B], of latents [B, D], by importance sampling."""
        x = self._standardise(z)
        q = self.vae.posterior(x, condition)
        log_w, _ = log_weights(self.vae, Batch(x, condition), q, _BOUND_SAMPLES, rng)
        return importance_weighted_bound(log_w) - self.scale.log().sum()

    def fit(self, z: Tensor, steps: int, rng: torch.Generator, condition: Tensor | None = None) -> None:
        """Train on latents [N, D], under conditions [N, K], for `steps` steps of Adam along a cosine."""
        self.mean.copy_(z.mean(dim=0))
        self.scale.copy_(z.std(dim=0).clamp(min=1e-4))
        method = VAEMethod(self.vae, self.settings, TrainingSettings(), n_data=len(z))
        optimiser = method.optimisers["vae"]
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        self.vae.train()
        for step in range(steps):
            rows = torch.randint(len(z), (min(_BATCH, len(z)),), generator=rng, device=rng.device)
            told = None if condition is None else condition[rows]
            method.step(Batch(self._standardise(z[rows]), told), rng, progress=step / steps)
            schedule.step()
        self.vae.eval()

    def _standardise(self, z: Tensor) -> Tensor:
        return ((z - self.mean) / self.scale)[:, :, None, None]
