"""The works: what is trained, and which peer trains the same. Numbered as in the project's list of peers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn
from torch.utils.data import Dataset

from benchmarks.networks import PythaeConvDecoder, PythaeConvEncoder, PyTorchGANCritic


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

    @property
    def peer_name(self) -> str:
        """Whose work it is."""
        return "PyTorch-GAN" if self.peer_script.startswith("pytorch") else self.peer

    @property
    def flag(self) -> dict[str, Any] | None:
        """The setting that a longer run, or a newer processor, gains by; of training alone."""
        if self is WORKS["W8"]:
            return None
        return {"compile": "on"} if self.settings.get("backbone") == "mlp" else {"precision": "bfloat16"}


_GAN_TRAINING: dict[str, Any] = {
    "latent": 100, "batch": 64, "lr": 2e-4, "adam_beta1": 0.5, "adam_beta2": 0.999, "ema": None, "augment": "none",
}  # fmt: skip
_GAN_MLP: dict[str, Any] = {
    **_GAN_TRAINING,
    "backbone": "mlp", "hidden": (1024, 512, 256, 128), "norm": "batch", "activation": "leaky-relu",
    "critic_hidden": (512, 256), "critic_norm": "none",
}  # fmt: skip
_FIVE_STEPS: dict[str, Any] = {**_GAN_MLP, "critic_steps": 5}
_DCGAN: dict[str, Any] = {**_GAN_TRAINING, "width": 64, "width_max": 256, "base": 4, "activation": "leaky-relu"}


def _scripts(name: str, title: str, recipe: str, image: tuple[int, int, int], n: int, **settings: Any) -> Work:
    """A work whose peer is one of PyTorch-GAN's scripts."""
    networks: dict[str, type[nn.Module]] = {"critic": PyTorchGANCritic} if name == "W6" else {}
    return Work(title, recipe, image, settings, n, "torchgan", "pytorch_gan.py", (name, str(n), "4"), networks=networks)


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
    "W2": _scripts("W2", "MLP WGAN-GP, 5 critic steps, batch 64", "wgan-gp", (1, 28, 28), 6400, **_FIVE_STEPS),
    "W3": _scripts(
        "W3",
        "MLP WGAN with clipping, 5 critic steps, batch 64",
        "wgan",
        (1, 28, 28),
        6400,
        **{**_FIVE_STEPS, "lr": 5e-5, "adam_beta2": 0.99},
    ),
    "W4": _scripts("W4", "MLP GAN, batch 64", "gan", (1, 28, 28), 6400, **_GAN_MLP),
    "W5": _scripts(
        "W5",
        "MLP CGAN, 10 classes, batch 64",
        "cgan",
        (1, 28, 28),
        6400,
        **{**_GAN_MLP, "loss": "least-squares", "critic_hidden": (512, 512, 512), "critic_dropout": 0.4},
    ),
    "W6": _scripts(
        "W6",
        "DCGAN with nearest upsampling, 32 px grey, batch 64",
        "dcgan",
        (1, 32, 32),
        640,
        **{**_DCGAN, "width_max": 128, "base": 8, "upsampling": "nearest", "last_layer": "convolution"},
    ),
    "W7": Work(
        title="DCGAN transposed, 64 base channels, 32 px RGB, batch 64",
        recipe="dcgan",
        image=(3, 32, 32),
        settings={**_DCGAN, "critic_norm": "batch"},
        n_images=640,
        peer="torchgan",
        peer_script="torchgan_dcgan.py",
        peer_arguments=("640", "4"),
    ),
    "W8": Work(
        title="critic's step of WGAN-GP with W7's networks, no batch norm",
        recipe="wgan-gp",
        image=(3, 32, 32),
        settings={**_DCGAN, "critic_norm": "none"},
        n_images=640,
        peer="torchgan",
        peer_script="pytorch_wgan_gp_step.py",
        peer_arguments=("30",),
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


class Noise(Dataset[tuple[np.ndarray, int]]):
    """Pictures of the work's size, and ten classes: training takes as long on noise, and nothing needs downloading."""

    def __init__(self, work: Work, n: int | None = None) -> None:
        n = n or work.n_images
        self.pictures = np.random.default_rng(0).integers(0, 256, (n, *work.image), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.pictures[index], index % 10
