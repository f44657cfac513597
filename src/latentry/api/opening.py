"""Opening what verbs work on: trained models, and pictures as a config or a model wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from latentry.data import ImageSet, condition_vectors, holdout_indices, open_images
from latentry.errors import InputError
from latentry.export.hub import fetch, is_hub_name
from latentry.export.manifest import is_exported
from latentry.files import read_json
from latentry.models.build import build_model
from latentry.models.folder import load_model
from latentry.models.own import OwnNetworks
from latentry.models.trained import TrainedModel
from latentry.models.wish import Wish
from latentry.settings.config import Config
from latentry.settings.specs import ConditionSpec, ImageSpec
from latentry.training.checkpoint import best_checkpoint, list_checkpoints, load_checkpoint, restore_module
from latentry.training.device import pick_device
from latentry.training.rng import derive_seed
from latentry.training.run import open_run

FROM_PYTHON = "python:"  # what the config says of data that were an array or a data set, not a path


def load(
    path: Path | str,
    *,
    device: str = "cpu",
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> TrainedModel:
    """A trained model from a run folder, a model folder, or the hub.

    A run that has not ended gives its newest checkpoint, sampled from the model's own prior.

    Args:
        path: what `train` made, a `model/` folder that was copied from it, or owner/name on the Hugging Face hub.
        device: where it computes: cpu, cuda, mps, or auto.
        encoder, decoder: networks of your own, built as they were for training, where the model has such.

    Raises:
        InputError: there is no model, or it is damaged.
    """
    path, where, own = Path(path), pick_device(device), OwnNetworks(encoder, decoder)
    if is_hub_name(path.as_posix()):
        path = fetch(path.as_posix())
    elif is_exported(path):
        raise InputError(
            f"{path} is an exported model, and this needs the run or the model folder that it was made from; in Python "
            "latentry.load samples, encodes, decodes and edits with it"
        )
    folder = path if (path / "model.safetensors").is_file() else path / "model"
    if (folder / "config.json").is_file():
        model, config, facts = load_model(folder, own)
        return TrainedModel(model, config, facts, where, folder)
    run = open_run(path)
    checkpoints = list_checkpoints(run.checkpoints)
    if not checkpoints:
        raise InputError(f"{path} has no model and no checkpoint yet; continue it with latentry train --resume {path}")
    config, record = run.read_config(), read_json(run.data_file)
    tensors, _ = load_checkpoint(best_checkpoint(run.checkpoints) or checkpoints[-1])
    model = build_model(config, ImageSpec(**record["image"]), ConditionSpec.from_json(record["condition"]), own)
    restore_module("ema", model, tensors)
    return TrainedModel(model.requires_grad_(False), config, {"data": record["name"]}, where, path)


def open_config_images(config: Config, data: Any = None) -> ImageSet:
    """Pictures at the size and with the channels that the config asks for.

    Args:
        config: the settings.
        data: what `open_images` takes; None for the config's own.

    Raises:
        InputError: they cannot be opened, or were given in Python and are not known here.
    """
    settings = config.data
    if data is None and settings.data.startswith(FROM_PYTHON):
        raise InputError("the pictures of this run were given in Python, so it cannot open them again; pass data")
    source = settings.data if data is None else data
    return open_images(source, size=settings.size_px, channels=settings.channels, fit=settings.fit)


def open_set_for_model(model: TrainedModel, data: Any = None) -> ImageSet:
    """A whole set at a model's size and with its channels.

    Args:
        model: what it is for.
        data: what `open_images` takes; None for the model's own.

    Raises:
        InputError: they cannot be opened, or are points where the model makes pictures, or the other way round.
    """
    image = model.network.image
    size = f"{image.height}x{image.width}"
    images = open_config_images(model.config.with_settings(size=size, channels=image.channels_setting), data)
    if images.spec != image:
        raise InputError(f"{images.name} holds {images.spec}, and this model makes {image}; give what is like that")
    return images


def open_for_model(
    model: TrainedModel, data: str | None, n: int | None, wish: Wish | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Pictures for a model, uint8 [n, C, H, W], at its size and with its channels, and what it is told of them [n, K].

    Args:
        model: what they are for.
        data: a file or anything that `open_images` takes; None for the held-out pictures of the model's own data.
        n: how many, at most; None for all.
        wish: what the model is told of all of them; None or empty for what each one's labels say.

    Raises:
        InputError: they cannot be opened, they lack labels that the model is told, or its own data are not known here.
    """
    if n is not None and n < 1:
        raise InputError(f"n (={n}) must be at least 1")
    images = open_set_for_model(model, data)
    rows = np.arange(len(images))[:n]
    if data is None:
        train_rows, held_out = split_config_rows(images, model.config)
        rows = np.sort((held_out if len(held_out) else train_rows)[:n])
    spec = model.network.condition
    if wish:
        told = wish.told(len(rows), spec)
    else:
        told = None if spec is None else condition_vectors(images.labels and images.labels.take(rows), spec)
    return np.ascontiguousarray(images.images[rows]), told


def split_config_rows(images: ImageSet, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """The pictures to train on and those held out, int64, each in random order.

    Sets often stand class by class, and what is shown, scored or fitted to is the first few of them.
    """
    seed = config.training.seed
    rng = np.random.default_rng(derive_seed(seed, "split"))
    rows, held_out = holdout_indices(images, config.data.holdout, seed)
    for some in (rows, held_out):
        rng.shuffle(some)  # in place: of ten million pictures the numbers alone take 80 MB
    return rows, held_out
