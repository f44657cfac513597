"""Spectral normalisation: each layer's weight over its largest singular value.

    Miyato et al. 2018, "Spectral normalization for generative adversarial networks" (arXiv:1802.05957), Algorithm 1.

Differs from the paper in: the power iteration runs when `follow` is called, once in each update of the critic, and not
in every forward pass; so a forward pass is a pure function, and a resumed run repeats.
Letters: O outputs, N all other dimensions of a weight together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from latentry.nn.layers import Layer

_FIRST_ITERATIONS = 15  # from a random vector; afterwards one an update keeps up with the weight


class SpectralNorm(nn.Module):
    """The parametrisation W / sigma(W), with sigma from a power iteration that is carried along.

    Args:
        weight: of the layer, [O, ...], seen as the matrix [O, N].
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.u: Tensor
        self.v: Tensor
        self.register_buffer("u", torch.zeros(weight.shape[0]))
        self.register_buffer("v", torch.zeros(weight[0].numel()))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over u^T W v, differentiable in the weight; Eq. 8 to 10."""
        with torch.autocast(weight.device.type, enabled=False):  # its vectors are float32, and it divides every weight
            sigma = torch.dot(self.u, weight.flatten(1) @ self.v)
        return weight / sigma.clamp(min=1e-12)

    @torch.no_grad()
    def initialise(self, rng: torch.Generator) -> None:
        """A random start for the power iteration."""
        self.u.copy_(F.normalize(torch.randn(self.u.shape, generator=rng, device=rng.device), dim=0))

    @torch.no_grad()
    def follow(self, weight: Tensor, iterations: int = 1) -> None:
        """Steps of the power iteration on `weight`; Algorithm 1, lines 2 and 3."""
        matrix = weight.flatten(1)
        with torch.autocast(weight.device.type, enabled=False):
            for _ in range(iterations):
                self.v.copy_(F.normalize(self.u @ matrix, dim=0))
                self.u.copy_(F.normalize(matrix @ self.v, dim=0))


def normalise_spectrally(network: nn.Module) -> None:
    """Put every layer of a network under spectral normalisation.

    Only the direction of a weight then counts, so a layer that would start as the zero map starts at gain one.
    """
    for layer in list(network.modules()):
        if isinstance(layer, Layer):
            layer.gain = layer.gain or 1.0
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight), unsafe=True)


def follow_spectra(network: nn.Module, *, first: bool = False) -> None:
    """Bring the singular vectors of every layer up to date with its weight.

    Args:
        network: whose layers may be under spectral normalisation.
        first: from their random start, which takes more iterations.
    """
    for layer in network.modules():
        if isinstance(layer, Layer) and parametrize.is_parametrized(layer, "weight"):
            norm = layer.parametrizations["weight"][0]  # type: ignore[index]
            assert isinstance(norm, SpectralNorm)
            norm.follow(layer.own_weight, _FIRST_ITERATIONS if first else 1)
