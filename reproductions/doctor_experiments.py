"""Runs that are broken on purpose, and a healthy one of every recipe, for `reproductions/doctor.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import latentry
from latentry.data import ImageSet
from latentry.models.critic import Judgement
from latentry.settings.gan import GANSettings

HEALTHY_IMAGES = 12_000  # at least: what a model shows before is its beginning
HEALTHY_STEPS = 400  # likewise, of an adversarial one, whose pictures the doctor judges from step 300 on
HEALTHY_STEPS_OF_CLASSES = 1600  # likewise, with classes: whether it obeys is judged from step 1000 on


@dataclass(frozen=True)
class Experiment:
    """One run.

    Attributes:
        name: of the experiment.
        recipe: what is trained.
        expected: findings of which one must be told; empty for a healthy run, which must be told nothing.
        consequences: findings that are true of this run too.
        settings: of `latentry.train`.
        data: the data, or what makes them.
        own: makes the caller's own networks.
    """

    name: str
    recipe: str
    expected: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    data: str | Callable[[], ImageSet | np.ndarray] = "faces:2000"
    own: Callable[[], dict[str, Any]] = dict


class OwnCritic(nn.Module):
    """A critic as a user may write it: two convolutions and a linear layer, with what should not be there.

    Args:
        channels, size_px: of the pictures.
        batch_norm: whether the second convolution is normalised over the batch.
        sigmoid: whether the score ends in a sigmoid.
        turning: whether it sees its pictures turned by no, one, two and three quarters in turn.
    """

    def __init__(
        self,
        channels: int = 3,
        size_px: int = 32,
        *,
        batch_norm: bool = False,
        sigmoid: bool = False,
        turning: bool = False,
    ) -> None:
        super().__init__()
        self.turning = turning
        norm = nn.BatchNorm2d(64) if batch_norm else nn.Identity()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), norm, nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(4 * size_px**2, 1), nn.Sigmoid() if sigmoid else nn.Identity(),
        )  # fmt: skip

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Judgement:
        """Judge pictures [B, C, H, W]."""
        if self.turning:
            row = torch.arange(len(x))
            x = torch.stack([x.rot90(quarters, (2, 3)) for quarters in range(4)])[row % 4, row]
        return Judgement(self.layers(x).squeeze(1), None)


class ConstantGenerator(nn.Module):
    """One picture that is learned, whatever the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Parameter(torch.zeros(1, 3, 32, 32))

    def forward(self, z: Tensor) -> Tensor:
        """The same [B, 3, 32, 32]."""
        return self.picture.expand(len(z), -1, -1, -1)


class DeafDecoder(nn.Module):
    """A decoder of 8 x 8 digits that makes nothing of the class that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 256), nn.SiLU(), nn.Linear(256, 64))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """[B, 64] from latents [B, 32]."""
        x: Tensor = self.layers(z)
        return x


class FailingDecoder(nn.Module):
    """A decoder that divides by a number which training drives to zero, as an unsafe norm does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 3 * 32 * 32)
        self.calls = 0

    def forward(self, z: Tensor) -> Tensor:
        """[B, 3072]; not finite from the 100th step on."""
        self.calls += self.training
        x: Tensor = self.linear(z)
        return x / max(0, 100 - self.calls) if self.calls > 90 else x


def shuffled_digits() -> ImageSet:
    """Digits whose labels are those of other digits."""
    images = latentry.open_images("digits")
    assert images.labels is not None
    order = np.random.default_rng(0).permutation(len(images))
    return dataclasses.replace(images, labels=images.labels.take(order), fingerprint=f"shuffled {images.fingerprint}")


def broken_ring() -> ImageSet:
    """The ring with one coordinate that is not a number."""
    images = latentry.open_images("ring:5000")
    points = np.array(images.images)
    points[17, 0] = np.nan
    return dataclasses.replace(images, images=points, fingerprint=f"broken {images.fingerprint}")


def noise() -> np.ndarray:
    """A hundred pictures that have nothing in common, so that a critic can only know them one by one."""
    pixels = np.random.default_rng(0).normal(128, 50, size=(100, 8, 8))
    return pixels.clip(0, 255).astype(np.uint8)


def blank_faces() -> np.ndarray:
    """Faces, every fifth of them one colour."""
    pictures = np.array(latentry.open_images("faces:2000", size=32).images)
    pictures[::5] = pictures[::5, :, :1, :1]
    return pictures


def repeated_faces() -> np.ndarray:
    """A thousand faces, five hundred of them four times more."""
    pictures = np.array(latentry.open_images("faces:1000", size=32).images)
    return np.concatenate([pictures, *[pictures[:500]] * 4])


_CONV: dict[str, Any] = {"width": 16, "size": 32, "images": "10k"}
_VAE: dict[str, Any] = {"size": 32, "images": "20k", "second_stage_steps": 100}
_RING: dict[str, Any] = {"size": None, "images": "60k", "hidden": (128, 128), "critic_hidden": (128,), "latent": 16}

BROKEN: tuple[Experiment, ...] = (
    Experiment("VAE, learning rate 0.1", "vae", ("learning rate too high", "non-finite values"),
               ("posterior collapse",), {**_VAE, "lr": 0.1}),
    Experiment("DCGAN, learning rate 0.05", "dcgan", ("learning rate too high",),
               ("generator collapse", "critic winning", "oscillation"), {**_CONV, "lr": 0.05}),
    Experiment("WGAN-GP, own critic with batch norm", "wgan-gp", ("batch norm under a penalty",), (), _CONV,
               own=lambda: {"critic": OwnCritic(batch_norm=True)}),
    Experiment("WGAN, clip 0.00001", "wgan", ("clipping too tight",), ("vanishing gradients",),
               {**_CONV, "clip_weights": 1e-5}),
    Experiment("WGAN, clip 10", "wgan", ("clipping too loose",), ("exploding gradients",),
               {**_CONV, "clip_weights": 10.0}),
    Experiment("WGAN-GP, penalty 0.0001", "wgan-gp", ("penalty out of its band",), ("exploding gradients",),
               {**_CONV, "penalty": 1e-4}),
    Experiment("VAE, beta 100", "vae", ("KL too strong",), ("posterior collapse",), {**_VAE, "beta": 100.0}),
    Experiment("VAE, beta 1,000,000", "vae", ("posterior collapse",), ("KL too strong",),
               {**_VAE, "images": "10k", "beta": 1e6}),
    Experiment("VAE, learning rate 1e-9", "vae", ("encoder stands still",), (), {**_VAE, "images": "5k", "lr": 1e-9}),
    Experiment("VAE, beta 0", "vae", ("KL too weak",), (), {**_VAE, "beta": 0.0}),
    Experiment("VAE, sigma 10", "vae", ("posterior collapse", "KL too strong"), (), {**_VAE, "sigma": 10.0}),
    Experiment("DCGAN, 50 pictures", "dcgan", ("memorised pictures", "critic overfitting", "few pictures"),
               ("critic winning", "generator collapse"),
               {**_CONV, "images": "30k", "augment": "none", "flip": "no"}, "faces:50"),
    Experiment("GAN, 70 pictures of noise", "gan", ("critic overfitting",), ("few pictures",),
               {"size": None, "images": "90k", "hidden": (128,), "critic_hidden": (256, 256), "critic_lr": 1e-3,
                "latent": 64, "critic_steps": 2, "augment": "none", "flip": "no", "holdout": 0.3}, noise),
    Experiment("VAE, 18 pictures and a latent of two numbers", "vae", ("memorised pictures",),
               ("few pictures", "overfitting"),
               {"size": 16, "images": "10k", "backbone": "mlp", "hidden": (256, 256), "latent": 2, "sigma": 0.05,
                "holdout": 0.1, "flip": "no", "second_stage_steps": 50}, "faces:20"),
    Experiment("VAE, 100 pictures", "vae", ("overfitting", "few pictures"), (),
               {**_VAE, "images": "30k", "flip": "no"}, "faces:100"),
    Experiment("GAN on points, one not a number", "gan", ("non-finite values",), ("broken pictures",), _RING,
               broken_ring),
    Experiment("VAE, own decoder that fails", "vae", ("non-finite values",), ("learning rate too high",),
               {**_VAE, "latent": 8}, own=lambda: {"decoder": FailingDecoder()}),
    Experiment("CGAN, labels shuffled", "cgan", ("labels without meaning",), (),
               {"width": 16, "size": 16, "images": "20k"}, shuffled_digits),
    Experiment("CVAE, labels shuffled", "cvae", ("labels without meaning",), (),
               {"images": "30k", "second_stage_steps": 100}, shuffled_digits),
    Experiment("CVAE, own decoder deaf to the class", "cvae", ("condition ignored",), (),
               {"images": "30k", "second_stage_steps": 100}, "digits", lambda: {"decoder": DeafDecoder()}),
    Experiment("DCGAN, constant generator", "dcgan", ("generator collapse",), ("critic winning",),
               {**_CONV, "images": "30k"},
               own=lambda: {"decoder": ConstantGenerator()}),
    Experiment("WGAN, own critic with a sigmoid", "wgan", ("sigmoid before the loss",), ("clipping too loose",), _CONV,
               own=lambda: {"critic": OwnCritic(sigmoid=True)}),
    Experiment("DCGAN, own critic that sees all pictures turned", "dcgan", ("augmentation leak",), (),
               {"width": 16, "size": 16, "images": "40k", "augment": "fixed", "augment_p": 0.8,
                "augment_policies": ("rotation",)}, "digits",
               lambda: {"critic": OwnCritic(1, 16, turning=True)}),
    Experiment("GAN, critic 20 times faster", "gan", ("critic winning", "learning rate too high"),
               ("generator collapse",), {"images": "20k", "critic_lr": 4e-3}),
    Experiment("DCGAN, generator's rate 1e-9", "dcgan", ("generator stands still",), ("critic winning",),
               {**_CONV, "lr": 1e-9, "critic_lr": 2e-4}),
    Experiment("DCGAN, critic's rate 1e-7", "dcgan", ("critic losing", "critic stands still"), (),
               {**_CONV, "critic_lr": 1e-7}),
    Experiment("GAN on the ring, Wasserstein without a constraint", "gan", ("oscillation",), ("generator collapse",),
               {**_RING, "loss": "wasserstein", "norm": "none", "lr": 1e-3, "ema": None}, "ring:2000"),
    Experiment("VAE, a fifth of the pictures blank", "vae", ("broken pictures",), ("duplicate pictures",), _VAE,
               blank_faces),
    Experiment("VAE, pictures repeated", "vae", ("duplicate pictures",), (), _VAE, repeated_faces),
    Experiment("VQ-VAE, 4,096 codes on 500 pictures, no revival", "vq-vae", ("codebook collapse",),
               ("few pictures", "overfitting"),
               {"size": 32, "width": 16, "stages": 3, "codes": 4096, "revival": 0.0, "prior_width": 32,
                "prior_blocks": 1, "images": "6k"}, "faces:500"),
)  # fmt: skip


def healthy() -> list[Experiment]:
    """Every recipe as it is, on small data and for a short time."""
    experiments = []
    for recipe, row in latentry.RECIPES.items():
        config, digits = row.config, row.config.condition.condition == "class"
        settings: dict[str, Any] = {"batch": 32, "images": str(4 * HEALTHY_IMAGES if digits else HEALTHY_IMAGES)}
        if isinstance(config.model, GANSettings):
            steps = HEALTHY_STEPS_OF_CLASSES if digits else HEALTHY_STEPS
            settings |= {"images": str(steps * 32 * config.model.critic_steps), "size": 16}
        elif not digits and (config.data.size is None or recipe == "foster-vae-faces"):
            settings["size"] = 32
        if config.network.backbone != "mlp" and config.family in ("gan", "vq-vae"):
            settings["width"] = 16
        if config.family == "vq-vae":
            settings |= {"prior_width": 32, "prior_blocks": 1}
        if "sampler" in config.groups:
            settings["second_stage_steps"] = 100
        data = "digits" if digits else "faces:2000"
        experiments.append(Experiment(f"{recipe}, healthy", recipe, settings=settings, data=data))
    return experiments
