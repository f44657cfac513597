"""What new latents are drawn from when the model's own prior does not fit its data.

A VAE whose aggregated posterior is not its prior draws mush from the one and pictures from the other (Dai and Wipf
2019, arXiv:1903.05789; Ghosh et al. 2019, arXiv:1903.12436). A sampler is a distribution over latents that is fitted
to the encoded data after training and stored with the model. Of a conditional model it is the distribution of latents
under a condition: where a latent still says which class it is of, one drawn regardless of the class contradicts it.

Each is a function of noise: numbers that a run's own source or a seed (noise.py) gives.

Letters: n latents drawn, D latent, K numbers in a condition, M mixture components, U uniform and N normal numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from latentry.errors import InputError, unknown_name
from latentry.models.noise import NoiseSize
from latentry.precision import float64


class Noise(NamedTuple):
    """What n latents are made of: uniform numbers in [0, 1), [n, U], and standard normal ones, [n, N]."""

    uniform: Tensor
    normal: Tensor


def draw_noise(n: int, size: NoiseSize, rng: torch.Generator) -> Noise:
    """Noise for n latents from a source of randomness, on its device."""
    return Noise(
        torch.rand((n, size.uniform), generator=rng, device=rng.device),
        torch.randn((n, size.normal), generator=rng, device=rng.device),
    )


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


class FromNoise(Protocol):
    """A distribution over latents as a function of noise."""

    noise_size: NoiseSize

    def from_noise(self, noise: Noise, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D], under conditions [n, K] where there are such; each row a function of its own noise."""
        ...


class FittedSampler(FromNoise, Protocol):
    """A distribution over latents that was fitted."""

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

    def known(self, name: str | None, *, own: bool) -> str:
        """The name of a sampler that can be drawn from, the chosen one where none is named.

        Args:
            name: "prior", or the name of a fitted sampler.
            own: whether the model has a prior of its own.

        Raises:
            InputError: the model has no such sampler.
        """
        name = name or self.chosen
        if name == "prior" and not own and not self.fitted:
            raise InputError("this autoencoder has no sampler fitted yet; finish its training to sample from it")
        names = (["prior"] if own else []) + list(self.fitted)
        if name not in names:
            raise unknown_name("sampler of this model", name, names)
        return name

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
        name = self.known(name, own=own is not None)
        if name == "prior":
            assert own is not None
            return own(n, rng=rng, condition=condition)
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
        self.noise_size = NoiseSize(uniform=1, normal=size)
        self.register_buffer("log_weights", torch.full((components,), -math.log(components)))  # [M]
        self.register_buffer("means", torch.zeros(components, size))  # [M, K + D]
        self.register_buffer("scale_tril", torch.eye(size).repeat(components, 1, 1))  # [M, K + D, K + D], lower

    def draw(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D], under conditions [n, K], or under whichever occur."""
        return self.from_noise(draw_noise(n, self.noise_size, rng), condition)

    def from_noise(self, noise: Noise, condition: Tensor | None = None, whitening: Tensor | None = None) -> Tensor:
        """Latents [n, D], under conditions [n, K], or under whichever occur.

        Args:
            noise: the uniform number chooses the component, the first K normal ones the condition where none is given,
                the rest the latent.
            condition: what the latents are to go with.
            whitening: what `whitening` gives, where it was computed before.
        """
        k, n = self.told, noise.normal.shape[0]
        if condition is None:
            share = self.log_weights.exp().expand(n, -1)
            e = noise.normal[:, :k, None]
        else:
            whitening = self.whitening() if whitening is None else whitening
            e = whitening @ (condition - self.means[:, None, :k]).transpose(1, 2)  # [M, K, n]
            log_normal = -0.5 * e.square().sum(dim=1) + whitening.diagonal(dim1=1, dim2=2).log().sum(dim=1)[:, None]
            share = torch.softmax(self.log_weights[:, None] + log_normal, dim=0).T  # of each component, [n, M]
            e = e.permute(2, 0, 1)
        which = choose(share, noise.uniform[:, 0])
        if condition is not None:
            e = e.gather(1, which[:, None, None].expand(n, 1, k)).transpose(1, 2)  # [n, K, 1]
        scale = self.scale_tril[which]
        z = scale[:, k:, k:] @ noise.normal[:, k:, None]
        if k:
            z = z + scale[:, k:, :k] @ e
        return self.means[which][:, k:] + z.squeeze(2)

    def whitening(self) -> Tensor:
        """The inverse of each component's factor of the condition, [M, K, K]: A^-1 (c - mean_c) is white."""
        factor = float64(self.scale_tril[:, : self.told, : self.told])
        eye = torch.eye(self.told, dtype=factor.dtype, device=factor.device)
        inverse = torch.linalg.solve_triangular(factor, eye.expand_as(factor), upper=False)
        return inverse.float().to(self.scale_tril.device)

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


def choose(share: Tensor, uniform: Tensor) -> Tensor:
    """One index a row, int64 [n]: the cumulative distribution of shares [n, M], inverted at uniform numbers [n].

    Of shares that sum to a little less or more than one, each keeps its part.
    """
    cumulative = share.cumsum(dim=1)  # in float32: browsers that compute on the GPU have no float64
    passed = cumulative <= uniform[:, None] * cumulative[:, -1:]
    return passed.sum(dim=1).clamp(max=share.shape[1] - 1)
