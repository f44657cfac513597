"""Published results: the settings they were obtained with, and the measure they are stated in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentry.data import open_images, to_float
from latentry.data.stacked import DEFAULT_N
from latentry.errors import InputError
from latentry.files import make_folder
from latentry.metrics.likelihood import importance_sampled_nll
from latentry.metrics.worlds import judge_stacks
from latentry.models.contract import Batch
from latentry.models.trained import TrainedModel
from latentry.models.vae import VAE

_MNIST = "MNIST as IDX files, training and test pictures in one folder"


@dataclass(frozen=True)
class LikelihoodOfDigits:
    """The negative log-likelihood of MNIST's test pictures, nats per picture.

    Attributes:
        k: importance samples.
        repeats: rounds, each with samples of its own.
        anew: whether black and white are drawn anew whenever a picture is shown, and in each round, or once for all.
    """

    k: int
    repeats: int
    anew: bool

    @property
    def file(self) -> str:
        """What is trained on."""
        return "mnist-grey.npy" if self.anew else "mnist-binarised.npy"

    def to_learn_from(self, data: Path, folder: Path) -> str:
        """What to train on, as `--data` takes it: a file in `folder` of the training pictures alone, grey or drawn."""
        learning, _ = mnist(data, None if self.anew else 0)
        make_folder(folder)
        np.save(folder / self.file, learning[:, 0])
        return str(folder / self.file)

    def rounds(self, model: TrainedModel, data: Path) -> tuple[list[float], list[str]]:
        """The number by round, and what else there is to say."""
        _, test = mnist(data, 0)
        found = []
        for seed in range(self.repeats):
            if self.anew and seed:
                _, test = mnist(data, seed)
            found.append(held_out_nll(model, test, k=self.k, seed=seed))
        return found, []


@dataclass(frozen=True)
class ModesOfStacks:
    """KL(generated || uniform) over the thousand kinds of stacked digits, in nats.

    Attributes:
        n: samples.
        n_shown: digits that the classifier learns from, counted with repetition.
        stacks: real ones.
    """

    n: int = 26_000
    n_shown: int = 500_000
    stacks: int = DEFAULT_N

    def to_learn_from(self, data: Path, folder: Path) -> str:
        """What to train on, as `--data` takes it: stacks of the training pictures."""
        return f"stacked@{self.stacks}:{data}"

    def rounds(self, model: TrainedModel, data: Path) -> tuple[list[float], list[str]]:
        """The number, of one round, and the modes that were found."""
        reals = open_images(f"stacked@{self.stacks}:{data}", size=model.network.image.height)
        # From torch's own numbers: as many latents of a seed each would take minutes.
        z = torch.randn(self.n, *model.network.latent.shape, generator=torch.Generator().manual_seed(0))
        found = judge_stacks(model.decode(z.numpy()), reals, n_shown=self.n_shown)
        assert found.score.reverse_kl is not None
        return [found.score.reverse_kl], found.lines()


@dataclass(frozen=True)
class Published:
    """A published result.

    Attributes:
        title: what it is.
        source: where it is stated.
        value, unit: as it is stated there; less is better.
        aim: the most that counts as reproduced.
        protocol: how it was obtained and how it is measured here.
        measure: the same as code.
        settings: of training.
        data: what `--data` must be.
    """

    title: str
    source: str
    value: float
    unit: str
    aim: float
    protocol: str
    measure: LikelihoodOfDigits | ModesOfStacks
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: str = _MNIST

    def check(self, data: Path) -> None:
        """Refuse pictures that it was not obtained on, before hours are spent."""
        mnist(data, None)


_VAE: dict[str, Any] = {
    "recipe": "vae", "size": "28", "backbone": "mlp", "likelihood": "bernoulli", "batch": 100, "warmup": 0.0,
    "ema": None, "sampler": "prior", "flip": "no", "ticks": 50,
}  # fmt: skip
_BURDA: dict[str, Any] = {
    **_VAE, "hidden": (200, 200), "activation": "tanh", "latent": 50, "binarise": True, "lr": 1e-3, "lr_end": 0.1,
    "holdout": 0.01, "epochs": 250.0,
}  # fmt: skip
_BURDA_PROTOCOL = (
    "negative log-likelihood of the 10,000 test pictures by 5,000 importance samples; pixels are drawn as "
    "Bernoulli(grey / 255) whenever a picture is shown, and once for the test; 250 epochs of batches of 100 along "
    "a cosine from 1e-3 to 1e-4 (published: 3,280 of batches of 20, in eight stages of the same rates)"
)

PUBLISHED = {
    "vae-mnist": Published(
        "VAE with two hidden layers of 400 units and 40 latents on binarised MNIST",
        "pythae's reproduction of Rezende and Mohamed 2015 (arXiv:1505.05770), which has 89.9: 500 epochs of batches "
        "of 100, Adam at 1e-4, times 10^(-1/5) after 200 and 350 epochs",
        89.78,
        "nats per picture",
        90.2,
        "negative log-likelihood of the 10,000 test pictures by 200 importance samples, the mean of 5 rounds; pixels "
        "are drawn once as Bernoulli(grey / 255), by seed 0 (the published ones were drawn likewise, with numbers of "
        "their own); 10,000 of the training pictures are held out",
        LikelihoodOfDigits(k=200, repeats=5, anew=False),
        {
            **_VAE, "hidden": (400, 400), "activation": "relu", "latent": 40, "lr": 1e-4, "schedule": "step",
            "step_at": (0.4, 0.7), "step_factor": 10**-0.2, "holdout": 1 / 6, "epochs": 500.0,
        },
    ),
    "vae-mnist-dynamic": Published(
        "VAE with one stochastic layer of 50 latents on MNIST whose pixels are drawn anew",
        "Burda et al. 2015 (arXiv:1509.00519), Table 1, VAE with k = 1",
        86.76,
        "nats per picture",
        87.6,
        _BURDA_PROTOCOL,
        LikelihoodOfDigits(k=5000, repeats=1, anew=True),
        _BURDA,
    ),
    "iwae-mnist-dynamic": Published(
        "IWAE of five samples with one stochastic layer of 50 latents on MNIST whose pixels are drawn anew",
        "Burda et al. 2015 (arXiv:1509.00519), Table 1, IWAE with k = 5",
        85.54,
        "nats per picture",
        86.8,
        _BURDA_PROTOCOL,
        LikelihoodOfDigits(k=5000, repeats=1, anew=True),
        {**_BURDA, "recipe": "iwae", "importance_samples": 5},
    ),
    "pacgan-stacked-mnist": Published(
        "DCGAN that judges two pictures at once, on stacked MNIST: 1,000 modes of 1,000",
        "Lin et al. 2018 (arXiv:1712.04086), Table 2, PacDCGAN2: 100,000 updates of batches of 64 packs",
        0.06,
        "nats of reverse KL",
        0.08,
        "KL of the classes of 26,000 samples, as a classifier of MNIST's digits names them, to 1,000 equally likely "
        "ones; pictures are enlarged from 28 to 32 pixels, and each update of the critic is "
        "followed by one of the generator",
        ModesOfStacks(),
        {
            "recipe": "pacgan", "size": "32", "width": 64, "base": 2, "batch": 128, "ema": None, "flip": "no",
            "holdout": 0.0, "epochs": 100.0, "ticks": 50,
        },
    ),
}  # fmt: skip


def held_out_nll(model: TrainedModel, test: np.ndarray, *, k: int, seed: int) -> float:
    """The negative log-likelihood of pictures uint8 [N, 1, H, W] by k importance samples, nats per picture."""
    vae = model.network
    if not isinstance(vae, VAE):
        raise InputError(f"{model.path} is no variational autoencoder, and has no likelihood")
    x = to_float(torch.from_numpy(test)).to(model.device)
    batches = [Batch(part, None) for part in x.split(100)]
    rng = torch.Generator(model.device).manual_seed(seed)
    return importance_sampled_nll(vae, batches, k=k, rng=rng, chunk=2000).nll.value


def mnist(path: Path, drawn_by: int | None) -> tuple[np.ndarray, np.ndarray]:
    """60,000 pictures to learn from and 10,000 to test, uint8 [.., 1, 28, 28].

    Args:
        path: of the IDX files.
        drawn_by: the seed by which pixels become 0 or 255, with their grey as probability; None leaves them grey.

    Raises:
        InputError: it is not MNIST.
    """
    images = open_images(str(path))
    if images.images.shape != (70_000, 1, 28, 28) or images.split is None or images.split.sum() != 10_000:
        raise InputError(f"{path} has {len(images):,} {images.spec}; this takes {_MNIST}: 60,000 and 10,000 of 28 x 28")
    pixels = np.asarray(images.images)
    if drawn_by is not None:
        rng = np.random.default_rng(drawn_by)
        pixels = (rng.random(pixels.shape, np.float32) * 255 < pixels).astype(np.uint8) * np.uint8(255)
    test = images.split.astype(bool)
    return pixels[~test], pixels[test]
