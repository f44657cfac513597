"""Published results, by command: the settings they were obtained with, and the measure they are stated in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentry._version import __version__
from latentry.api.opening import load
from latentry.api.train import TrainingResult, resume, train
from latentry.data import open_images, to_float
from latentry.errors import InputError, unknown_name
from latentry.files import json_bytes, write_file
from latentry.metrics.likelihood import importance_sampled_nll
from latentry.models.contract import Batch
from latentry.models.trained import TrainedModel
from latentry.models.vae import VAE
from latentry.training.observer import Observer
from latentry.training.run import open_run

RECORD = "reproduction.json"
_BINARISED = "mnist-binarised.npy"


@dataclass(frozen=True)
class Published:
    """A published result.

    Attributes:
        title: what it is.
        source: where it is stated.
        value, unit: as it is stated there; less is better.
        aim: the most that counts as reproduced.
        data: what `--data` must be.
        protocol: how it is measured.
        settings: of training.
    """

    title: str
    source: str
    value: float
    unit: str
    aim: float
    data: str
    protocol: str
    settings: Mapping[str, Any] = field(default_factory=dict)


PUBLISHED = {
    "vae-mnist": Published(
        "VAE with two hidden layers of 400 units and 40 latents on binarised MNIST",
        "pythae's reproduction of Rezende and Mohamed 2015 (arXiv:1505.05770), which has 89.9: 500 epochs of batches "
        "of 100, Adam at 1e-4, times 10^(-1/5) after 200 and 350 epochs",
        89.78,
        "nats per picture",
        90.2,
        "MNIST as IDX files, training and test pictures in one folder",
        "negative log-likelihood of the 10,000 test pictures by 200 importance samples, the mean of 5 rounds; pixels "
        "are drawn once as Bernoulli(grey / 255), by seed 0 (the published ones were drawn likewise, with numbers of "
        "their own); 10,000 of the training pictures are held out",
        {
            "recipe": "vae", "size": "28", "backbone": "mlp", "hidden": (400, 400), "activation": "relu", "latent": 40,
            "likelihood": "bernoulli", "batch": 100, "lr": 1e-4, "schedule": "step", "step_at": (0.4, 0.7),
            "step_factor": 10**-0.2, "warmup": 0.0, "ema": None, "sampler": "prior", "flip": "no", "holdout": 1 / 6,
            "epochs": 500.0, "ticks": 50,
        },
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Reproduced:
    """What was found.

    Attributes:
        name: of the published result.
        path: of the run; `reproduction.json` in it holds all of this.
        value, error: found, and its standard error.
        met: whether it is within the aim.
        seconds: of training.
        told: what else there is to say.
    """

    name: str
    path: Path
    value: float
    error: float
    met: bool
    seconds: float
    told: tuple[str, ...]


def reproduce(
    name: str,
    data: Path | str | None = None,
    *,
    out: Path | str = "runs",
    run: Path | str | None = None,
    seed: int = 0,
    epochs: float | None = None,
    device: str = "auto",
    observers: Sequence[Observer] = (),
) -> Reproduced:
    """Train as a publication did, measure as it did, and keep the numbers with the run.

    Args:
        name: of the result; `PUBLISHED` has them.
        data: the pictures that it was obtained on.
        out: where the run's folder, and the pictures as they are trained on, are made.
        run: one that was begun before: it is finished, if it is not, and measured.
        seed: of training.
        epochs: fewer than were published, to try it.
        device: cpu, cuda, mps or auto.
        observers: what else watches the training.

    Raises:
        InputError: no such result, or other pictures than it takes.
    """
    if name not in PUBLISHED:
        raise unknown_name("published result", name, list(PUBLISHED))
    published = PUBLISHED[name]
    if data is None:
        raise InputError(f"{name} takes {published.data}; give it as --data")
    learning, test = _binarised_mnist(Path(data))
    settings = {**published.settings, "seed": seed, "device": device}
    recipe = settings.pop("recipe")
    if run is None:
        pictures = Path(out) / _BINARISED
        pictures.parent.mkdir(parents=True, exist_ok=True)
        np.save(pictures, learning)
        settings |= {} if epochs is None else {"epochs": epochs}
        result = train(recipe, pictures, out=out, observers=observers, **settings)
    else:
        finished = (open_run(Path(run)).path / "model" / "model.safetensors").is_file()
        result = TrainingResult(open_run(Path(run)), True, None) if finished else resume(run, observers=observers)
    if not result.finished:
        raise InputError(f"stopped and saved; go on with `latentry reproduce {name} --data {data} --run {result.path}`")
    return _judge(name, published, result, load(result.path, device=device), test)


def _judge(
    name: str, published: Published, result: TrainingResult, model: TrainedModel, test: np.ndarray
) -> Reproduced:
    """The published measure of a finished run, written beside it."""
    rounds = held_out_nll(model, test)
    config, log = result.run.read_config(), result.log
    told = [
        f"{key} was {getattr(config.training, key)}, published with {published.settings[key]}"
        for key in ("epochs", "batch", "lr")
        if getattr(config.training, key) != published.settings[key]
    ]
    value, spread = float(np.mean(rounds)), float(np.std(rounds, ddof=1))
    found = Reproduced(name, result.path, value, spread, value <= published.aim, float(log[-1]["seconds"]), tuple(told))
    record = {**asdict(found), "path": str(result.path), "rounds": rounds, "published": asdict(published)}
    write_file(result.path / RECORD, json_bytes({**record, "version": __version__}))
    return found


def held_out_nll(model: TrainedModel, test: np.ndarray, *, k: int = 200, rounds: int = 5) -> list[float]:
    """The negative log-likelihood of pictures uint8 [N, 1, H, W], nats per picture, by round."""
    vae = model.network
    if not isinstance(vae, VAE):
        raise InputError(f"{model.path} is no variational autoencoder, and has no likelihood")
    x = to_float(torch.from_numpy(test)).to(model.device)
    batches = [Batch(part, None) for part in x.split(100)]
    return [
        importance_sampled_nll(
            vae, batches, k=k, rng=torch.Generator(model.device).manual_seed(seed), chunk=2000
        ).nll.value
        for seed in range(rounds)
    ]


def _binarised_mnist(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of 0 and 255 drawn once: 60,000 to learn from, uint8 [60000, 28, 28], and 10,000 to test, [.., 1, 28, 28].

    Raises:
        InputError: it is not MNIST.
    """
    images = open_images(str(path))
    if images.images.shape != (70_000, 1, 28, 28) or images.split is None or images.split.sum() != 10_000:
        raise InputError(
            f"{path} has {len(images)} pictures of {images.spec}; this takes {PUBLISHED['vae-mnist'].data}: 60,000 and "
            "10,000 of 28 x 28"
        )
    rng = np.random.default_rng(0)
    drawn = (rng.random(images.images.shape, np.float32) * 255 < images.images).astype(np.uint8) * np.uint8(255)
    test = images.split.astype(bool)
    return drawn[~test, 0], drawn[test]
