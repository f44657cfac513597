"""What new latents are drawn from when the model's own prior does not fit its data.

A VAE whose aggregated posterior is not its prior draws mush from the one and pictures from the other (Dai and Wipf
2019, arXiv:1903.05789; Ghosh et al. 2019, arXiv:1903.12436). A sampler is a distribution over latents that is fitted
to the encoded data after training and stored with the model.

Letters: n latents drawn, D latent, M mixture components.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from latentry.errors import InputError, unknown_name


class Draw(Protocol):
    """Draws n latents [n, D]."""

    def __call__(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Latents [n, D]."""
        ...


class FittedSampler(Protocol):
    """A distribution over latents."""

    draw: Draw
    log_prob: Callable[[Tensor, torch.Generator], Tensor]


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

    def draw(self, n: int, *, own: Draw | None, rng: torch.Generator, name: str | None = None) -> Tensor:
        """Latents [n, D] from the named sampler, or from the chosen one.

        Args:
            n: how many.
            own: draws from the model's own prior; None where it has none.
            rng: source of randomness.
            name: "prior", or the name of a fitted sampler.

        Raises:
            InputError: the model has no such sampler.
        """
        name = name or self.chosen
        if name == "prior" and own is not None:
            return own(n, rng=rng)
        if name == "prior" and not self.fitted:
            raise InputError("this autoencoder has no sampler fitted yet; finish its training to sample from it")
        if name not in self.fitted:
            raise unknown_name("sampler of this model", name, self.names(own))
        return cast(FittedSampler, self.fitted[name]).draw(n, rng=rng)


class GaussianMixture(nn.Module):
    """A mixture of M Gaussians with full covariances over latents [D].

    Args:
        components: M.
        latent: D.
    """

    def __init__(self, components: int, latent: int) -> None:
        super().__init__()
        self.log_weights: Tensor
        self.means: Tensor
        self.scale_tril: Tensor
        self.register_buffer("log_weights", torch.full((components,), -math.log(components)))  # [M]
        self.register_buffer("means", torch.zeros(components, latent))  # [M, D]
        self.register_buffer("scale_tril", torch.eye(latent).repeat(components, 1, 1))  # [M, D, D], lower triangular

    def draw(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Latents [n, D]."""
        which = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=rng)
        noise = torch.randn((n, self.means.shape[1], 1), generator=rng, device=rng.device)
        return self.means[which] + (self.scale_tril[which] @ noise).squeeze(2)

    def log_prob(self, z: Tensor, rng: torch.Generator) -> Tensor:
        """Log density in nats, [B], of latents [B, D]; exact, so `rng` is not used."""
        centred = (z.unsqueeze(0) - self.means.unsqueeze(1)).transpose(1, 2)  # [M, D, B]
        whitened = torch.linalg.solve_triangular(self.scale_tril, centred, upper=False)
        log_determinant = self.scale_tril.diagonal(dim1=1, dim2=2).log().sum(dim=1)  # [M]
        log_normal = -0.5 * whitened.square().sum(dim=1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
        return torch.logsumexp(self.log_weights[:, None] - log_determinant[:, None] + log_normal, dim=0)
