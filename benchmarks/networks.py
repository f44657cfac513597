"""Networks of peers that no setting of ours describes, of our layers; both sides of a benchmark train the same."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from latentry.models.critic import Judgement
from latentry.nn import StridedDown, TransposedUp, initialise


class PythaeConvEncoder(nn.Module):
    """28 px to 16 means and log-variances: strided 4x4 convolutions to 128-256-512-1024 channels, batch norm, ReLU."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((1, 128, 256, 512, 1024)):
            layers += [StridedDown(inputs, outputs, gain=1.0), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 32))
        initialise(self, torch.Generator().manual_seed(0))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 28, 28] to [B, 32]."""
        return self.layers(x)


class PythaeConvDecoder(nn.Module):
    """16 latents to 28 px: a linear layer to 4 x 4 x 1024, transposed 3x3 convolutions to 512, 256 and 1 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 1024 * 4 * 4)
        first = TransposedUp(1024, 512, kernel=3, gain=1.0)
        first.output_padding = 0  # from 4 x 4 to 7 x 7 pixels
        self.layers = nn.Sequential(
            first,
            nn.BatchNorm2d(512),
            nn.ReLU(inplace=True),
            TransposedUp(512, 256, kernel=3, gain=1.0),
            nn.BatchNorm2d(256),
            nn.ReLU(inplace=True),
            TransposedUp(256, 1, kernel=3, gain=1.0),
        )
        initialise(self, torch.Generator().manual_seed(0))

    def forward(self, z: Tensor) -> Tensor:
        """[B, 16] to [B, 1, 28, 28]."""
        return self.layers(self.linear(z).view(-1, 1024, 4, 4))


class PyTorchGANCritic(nn.Module):
    """32 px to a score: strided 3x3 convolutions (16-32-64-128), leaky ReLU, dropout, batch norm on all but one.

    The dropout is torch's own, which draws from the global source of randomness; here only speed is asked of it.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((1, 16, 32, 64, 128)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, padding=1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
            if inputs > 1:
                layers.append(nn.BatchNorm2d(outputs))
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 2 * 2, 1))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        """[B, 1, 32, 32] to [B]."""
        return Judgement(self.layers(x).squeeze(1), None)
