"""What new latents are drawn from when the model's own prior does not fit its data.

A VAE whose aggregated posterior is not its prior draws mush from the one and pictures from the other (Dai and Wipf
2019, arXiv:1903.05789; Ghosh et al. 2019, arXiv:1903.12436). A sampler is a distribution over latents that is fitted
to the encoded data after training and stored with the model. Of a conditional model it is the distribution of latents
under a condition: where a latent still says which class it is of, one drawn regardless of the class contradicts it.

Letters: n latents drawn, D latent, K numbers in a condition, M mixture components.
"""

from __future__ import annotations

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from latentry.errors import InputError, unknown_name


class Draw(Protocol):
    """Draws n latents [n, D], under conditions [n, K] where there are such."""

    def __call__(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D]."""
        ...


class LogDensity(Protocol):
    """The log density in nats, [B], of latents [B, D], under conditions [B, K] where there are such."""

    def __call__(self, z: Tensor, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Log densities [B]."""
        ...


class FittedSampler(Protocol):
    """A distribution over latents."""

    draw: Draw
    log_prob: LogDensity


class Samplers(nn.Module):
    """The samplers fitted to one model's latents, by name, and which of them `prior()` uses.

    Args:
        latent: numbers in one latent, D.
    """

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.chosen = "prior"
        self.scores: dict[str, float] = {}  # held-out log-likelihood of latents, nats each
        self.fitted = nn.ModuleDict()

    def names(self, own: Draw | None) -> list[str]:
        """The samplers that can be drawn from."""
        return (["prior"] if own is not None else []) + list(self.fitted)

    def draw(
        self,
        n: int,
        *,
        own: Draw | None,
        rng: torch.Generator,
        name: str | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Latents [n, D] from the named sampler, or from the chosen one.

        Args:
            n: how many.
            own: draws from the model's own prior; None where it has none.
            rng: source of randomness.
            name: "prior", or the name of a fitted sampler.
            condition: what a conditional model is told, [n, K].

        Raises:
            InputError: the model has no such sampler.
        """
        name = name or self.chosen
        if name == "prior" and own is not None:
            return own(n, rng=rng, condition=condition)
        if name == "prior" and not self.fitted:
            raise InputError("this autoencoder has no sampler fitted yet; finish its training to sample from it")
        if name not in self.fitted:
            raise unknown_name("sampler of this model", name, self.names(own))
        return cast(FittedSampler, self.fitted[name]).draw(n, rng=rng, condition=condition)


class GaussianMixture(nn.Module):
    """A mixture of M Gaussians with full covariances over conditions and latents together, [K + D].

    The condition comes first, so that the distribution of latents under one is read off the Cholesky factors: with
    L = [[A, 0], [B, C]] and c = mean_c + A e, the latent is mean_z + B e + C times standard normal numbers.

    Args:
        components: M.
        latent: D.
        told: K; 0 for a model that is told nothing.
    """

    def __init__(self, components: int, latent: int, told: int = 0) -> None:
        super().__init__()
        self.told = told
        self.log_weights: Tensor
        self.means: Tensor
        self.scale_tril: Tensor
        size = told + latent
        self.register_buffer("log_weights", torch.full((components,), -math.log(components)))  # [M]
        self.register_buffer("means", torch.zeros(components, size))  # [M, K + D]
        self.register_buffer("scale_tril", torch.eye(size).repeat(components, 1, 1))  # [M, K + D, K + D], lower

    def draw(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D], under conditions [n, K], or under whichever occur."""
        k = self.told
        if condition is None:
            which = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=rng)
            e = torch.randn((n, k, 1), generator=rng, device=rng.device) if k else None
        else:
            whitened, log_normal = self._whitened(condition, k)
            share = torch.softmax(self.log_weights[:, None] + log_normal, dim=0)  # of each component, [M, n]
            which = torch.multinomial(share.T, 1, generator=rng).squeeze(1)
            e = whitened[which, :, torch.arange(n, device=which.device)].unsqueeze(2)
        noise = torch.randn((n, self.means.shape[1] - k, 1), generator=rng, device=rng.device)
        z = self.scale_tril[which, k:, k:] @ noise
        if e is not None:
            z = z + self.scale_tril[which, k:, :k] @ e
        return self.means[which, k:] + z.squeeze(2)

    def log_prob(self, z: Tensor, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Log density in nats, [B], of latents [B, D] under conditions [B, K]; exact, so `rng` is not used."""
        x = z if condition is None else torch.cat([condition, z], dim=1)
        joint = torch.logsumexp(self.log_weights[:, None] + self._whitened(x, x.shape[1])[1], dim=0)
        if condition is None:
            return joint
        return joint - torch.logsumexp(self.log_weights[:, None] + self._whitened(condition, self.told)[1], dim=0)

    def _whitened(self, x: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """The first numbers of all, x [B, size], whitened by each component, [M, size, B]; their log density [M, B]."""
        scale = self.scale_tril[:, :size, :size]
        centred = (x.unsqueeze(0) - self.means[:, None, :size]).transpose(1, 2)
        whitened = torch.linalg.solve_triangular(scale, centred, upper=False)
        log_determinant = scale.diagonal(dim1=1, dim2=2).log().sum(dim=1)  # [M]
        log_normal = -0.5 * whitened.square().sum(dim=1) - 0.5 * size * math.log(2 * math.pi)
        return whitened, log_normal - log_determinant[:, None]
