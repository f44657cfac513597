"""The model folder: what `load()` and the hub read. `config.json`, `model.safetensors`, and a card for people."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from latentry._version import __version__
from latentry.errors import InputError
from latentry.files import json_bytes, pack_tensors, read_json, write_folder
from latentry.models.build import Model, build_model
from latentry.models.own import OwnNetworks
from latentry.models.sampler import GaussianMixture
from latentry.models.second_stage import TwoStage
from latentry.settings.config import Config, config_from_json
from latentry.settings.specs import ConditionSpec, ImageSpec

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


def save_model(folder: Path, model: Model, config: Config, facts: dict[str, Any]) -> None:
    """Write a model folder, replacing an earlier one whole.

    Args:
        folder: its final name.
        model: on any device.
        config: what it was built from.
        facts: what else travels with it, e.g. `{"own_networks": True, "data": "smiles-64"}`.

    Raises:
        InputError: it cannot be written.
    """
    weights = pack_tensors(model.state_dict())
    image, samplers = model.image, model.samplers
    record = {
        "latentry": __version__,
        "config": config.to_json(),
        "image": dataclasses.asdict(image),
        "range": None if image.points else [-1, 1],
        "condition": None if model.condition is None else dataclasses.asdict(model.condition),
        "latent": {"shape": list(model.latent.shape), "prior": model.latent.prior},
        "sampler": {
            "chosen": samplers.chosen,
            "held_out_log_likelihood": samplers.scores,
            "components": {name: _size(fitted) for name, fitted in samplers.fitted.items()},
        },
        "facts": facts,
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    card = _card(config, image, record)
    write_folder(folder, {WEIGHTS: weights, CONFIG: json_bytes(record), CARD: card.encode()})


def load_model(folder: Path, own: OwnNetworks | None = None) -> tuple[Model, Config, dict[str, Any]]:
    """The model in a folder that `save_model` wrote, its config, and the facts that travel with it.

    Args:
        folder: the model folder.
        own: the caller's own networks, built as they were for training, where the model has such.

    Raises:
        InputError: it is no model folder, it is damaged, or it needs networks that were not given.
    """
    record = read_json(folder / CONFIG)
    missing = {"config", "image", "condition", "sampler", "facts", "sha256"} - record.keys()
    if missing:
        raise InputError(f"{folder / CONFIG} is not a model's config: it lacks {', '.join(sorted(missing))}")
    own = own or OwnNetworks()
    for name in record["facts"].get("own_networks", []):
        if name != "critic" and name not in own.given:
            raise InputError(f"{folder} was trained with its owner's own {name}; pass it: load(..., {name}=...)")
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {folder / WEIGHTS}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise InputError(f"{folder / WEIGHTS} is damaged: it does not match its hash; fetch or export it again")
    config = config_from_json(record["config"])
    image, condition = ImageSpec(**record["image"]), ConditionSpec.from_json(record["condition"])
    model = build_model(config, image, condition, own)
    _add_samplers(model, record["sampler"])
    model.load_state_dict(safetensors.torch.load(content))
    return model.eval().requires_grad_(False), config, record["facts"]


def _add_samplers(model: Model, record: dict[str, Any]) -> None:
    samplers = model.samplers
    samplers.chosen, samplers.scores = record["chosen"], record["held_out_log_likelihood"]
    told = model.condition
    for name, size in record["components"].items():
        if name == "mixture":
            samplers.fitted[name] = GaussianMixture(size, samplers.latent, 0 if told is None else told.size)
        else:
            samplers.fitted[name] = TwoStage(samplers.latent, size, told)


def _size(fitted: nn.Module) -> int:
    """The one number that, with the latent's, says how a fitted sampler is built."""
    if isinstance(fitted, GaussianMixture):
        return len(fitted.means)
    assert isinstance(fitted, TwoStage)
    return fitted.units


def _card(config: Config, image: ImageSpec, record: dict[str, Any]) -> str:
    data = record["facts"].get("data", "pictures")
    return f"""---
library_name: latentry
tags: [image-generation, {config.family}]
---

# {config.recipe} on {data}

A `{config.recipe}` model of {image.height} x {image.width} pixel pictures with {image.channels} channels, trained with
latentry {record["latentry"]}. Latents have shape {record["latent"]["shape"]};
new ones are drawn from the `{record["sampler"]["chosen"]}` sampler.

```python
import latentry

model = latentry.load("this folder")
pictures = model.sample(16)  # uint8, [16, {image.channels}, {image.height}, {image.width}]
```
"""
