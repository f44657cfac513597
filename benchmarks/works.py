"""The works: what is trained, and which peer trains the same. Numbers W1, W9, W10 as in the project's list of peers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn


@dataclass(frozen=True)
class Work:
    """One thing to train, ours and theirs."""

    title: str
    recipe: str
    image: tuple[int, int, int]  # C, H, W
    settings: dict[str, Any]
    n_images: int  # pictures in the data set; training goes over it `epochs` times
    peer: str  # the environment that the peer runs in
    peer_script: str
    peer_arguments: tuple[str, ...]
    epochs: int = 4
    networks: dict[str, type[nn.Module]] = field(default_factory=dict)


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


WORKS = {
    "W1": Work(
        title="MLP VAE 784-512-16, batch 64",
        recipe="vae",
        image=(1, 28, 28),
        settings={"backbone": "mlp", "hidden": (512,), "latent": 16, "activation": "relu", "batch": 64, "ema": None},
        n_images=20_000,
        peer="pythae",
        peer_script="pythae_vae.py",
        peer_arguments=("mlp", "20000", "4"),
    ),
    "W9": Work(
        title="the book's Fashion VAE, 32 px, conv 32-64-128, latent 2, batch 100",
        recipe="foster-vae",
        image=(1, 32, 32),
        settings={},
        n_images=4_000,
        peer="keras",
        peer_script="keras_fashion_vae.py",
        peer_arguments=("4000", "4"),
    ),
    "W10": Work(
        title="conv VAE of pythae's MNIST nets (128-256-512-1024), batch 64",
        recipe="vae",
        image=(1, 28, 28),
        settings={"latent": 16, "batch": 64, "ema": None},
        n_images=640,
        peer="pythae",
        peer_script="pythae_vae.py",
        peer_arguments=("conv", "640", "4"),
        networks={"encoder": PythaeConvEncoder, "decoder": PythaeConvDecoder},
    ),
}


def random_pictures(work: Work) -> np.ndarray:
    """Pictures of the work's size: training takes as long on noise, and nothing needs downloading."""
    return np.random.default_rng(0).integers(0, 256, (work.n_images, *work.image), dtype=np.uint8)
