"""Networks of peers that no setting of ours describes; both sides of a benchmark train the same."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from latentry.models.critic import Judgement


class PythaeConvEncoder(nn.Module):
    """28 px to 16 means and log-variances: strided 4x4 convolutions to 128-256-512-1024 channels, batch norm, ReLU."""

    def __init__(self) -> None:
        super().__init__()
        channels = (1, 128, 256, 512, 1024)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 32))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 28, 28] to [B, 32]."""
        return self.layers(x)


class PythaeConvDecoder(nn.Module):
    """16 latents to 28 px: a linear layer to 4 x 4 x 1024, transposed 3x3 convolutions to 512, 256 and 1 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 1024 * 4 * 4)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(1024, 512, 3, 2, padding=1),
            nn.BatchNorm2d(512),
            nn.ReLU(),
            nn.ConvTranspose2d(512, 256, 3, 2, padding=1, output_padding=1),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            nn.ConvTranspose2d(256, 1, 3, 2, padding=1, output_padding=1),
        )

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
