"""From settings and pictures to a loop at its first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentry.api.opening import split_config_rows
from latentry.data import ImageSet, condition_spec, condition_vectors, to_float
from latentry.data.builtin import NAMES as BUILT_IN
from latentry.data.mirror import mirror_allowed
from latentry.errors import InputError
from latentry.models.build import build_method, build_model, initialise_model
from latentry.models.contract import Batch
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks
from latentry.report.grid import GridWriter
from latentry.report.track import trackers
from latentry.settings.config import Config
from latentry.settings.data import SMALL_DATA
from latentry.settings.gan import GANSettings
from latentry.settings.specs import ConditionSpec
from latentry.training.budget import resolve_budget
from latentry.training.device import pick_device
from latentry.training.loop import Loop
from latentry.training.observer import Observer
from latentry.training.passes import check_passes
from latentry.training.ranks import check_batch, everywhere, on_first
from latentry.training.rng import rng_for
from latentry.training.run import Run, command_line, create_run
from latentry.training.stepper import check_compile
from latentry.training.stream import PictureStream

_BUILT_IN_SECONDS = 60.0
_OWN_DATA_SECONDS = 600.0


def settle(config: Config, images: ImageSet) -> Config:
    """The config with what it leaves to the data decided: mirroring and augmentation of few pictures."""
    few = len(images) < SMALL_DATA and not images.spec.points
    if config.data.flip == "auto":
        allowed = few and mirror_allowed(np.asarray(images.images), config.training.seed).allowed
        config = config.with_settings(flip="yes" if allowed else "no")
    if isinstance(config.model, GANSettings) and config.augment.augment == "auto":
        config = config.with_settings(augment="fixed" if few else "none")
    return config


def prepare(
    config: Config, images: ImageSet, own: OwnNetworks, out: Path, observers: Sequence[Observer], ranks: Ranks
) -> Loop:
    """A new run folder and the loop at its first step; everything that can be refused is refused before the folder."""
    record = everywhere(ranks, lambda: _check(config, images, own, ranks))
    run = on_first(ranks, lambda: create_run(out, config, images.name, record, command_line()))
    return assemble(run, config, images, own, observers, ranks)


def assemble(
    run: Run, config: Config, images: ImageSet, own: OwnNetworks, observers: Sequence[Observer], ranks: Ranks
) -> Loop:
    """The loop of a run, at its first step; only the first rank's is watched.

    Args:
        run: its folder.
        config: its settings.
        images: its pictures.
        own: the caller's networks.
        observers: what else watches it.
        ranks: who trains it.
    """
    training = config.training
    device = pick_device(training.device, ranks)
    rows, held_out_rows = split_config_rows(images, config)
    condition = _condition(config, images, rows)
    told = None if condition is None else condition_vectors(images.labels, condition)
    model = build_model(config, images.spec, condition, own)
    examples = Batch(
        to_float(torch.from_numpy(images.images[rows[:2000]])), None if told is None else torch.from_numpy(told[rows])
    )
    std = config.network.init_std
    initialise_model(model, examples, rng_for(training.seed, "weights"), std=std, own=own)
    model = model.to(device)
    built_in = config.data.data.split(":")[0] in BUILT_IN
    default_seconds = _BUILT_IN_SECONDS if built_in else _OWN_DATA_SECONDS
    return Loop(
        run=run,
        config=config,
        method=build_method(config, model, len(rows), rng_for(training.seed, "method"), own.critic),
        train=PictureStream(images, rows, device, told, flip=config.data.flip == "yes"),
        held_out=PictureStream(images, held_out_rows, device, told),
        budget=resolve_budget(training, len(rows), default_seconds),
        observers=[GridWriter(), *observers, *trackers(training.track)] if ranks.first else [],
        ranks=ranks,
    )


def check_shared(config: Config, own: OwnNetworks, ranks: Ranks) -> None:
    """Refuse a batch or a device that the ranks cannot share, and passes that do not add up to a batch."""
    check_batch(config.training.batch, _packing(config), ranks)
    check_passes(config, own, ranks)
    check_compile(config.training, ranks)
    pick_device(config.training.device, ranks)


def _packing(config: Config) -> int:
    return config.model.packing if isinstance(config.model, GANSettings) else 1


def _check(config: Config, images: ImageSet, own: OwnNetworks, ranks: Ranks) -> dict[str, Any]:
    """What a run records of its data, once nothing of it is refused."""
    check_shared(config, own, ranks)
    trackers(config.training.track)
    rows, held_out = split_config_rows(images, config)
    if 0 < len(held_out) < _packing(config):
        raise InputError(
            f"packing (={_packing(config)}) is how many pictures the critic judges together, and of {images.name} "
            f"{len(held_out)} can be held out; give more pictures, or packing=1"
        )
    if len(held_out) == 1 and config.one_alone_is_too_few:
        raise InputError(
            f"tc-estimator=mss compares pictures, and of {images.name} a single one is held out; give more pictures, a "
            "larger holdout, or holdout=0"
        )
    condition = _condition(config, images, rows)
    model = build_model(config, images.spec, condition, own)
    if len(rows) < 2 and model.own_prior is None:
        raise InputError(
            f"{config.recipe} draws from what is fitted to latents, and of {images.name} a single picture is left to "
            "train on; give two at least, or take vae, which has a prior of its own"
        )
    return {
        "name": images.name,
        "fingerprint": images.fingerprint,
        "image": dataclasses.asdict(images.spec),
        "condition": None if condition is None else dataclasses.asdict(condition),
        "n_train": len(rows),
        "n_held_out": len(held_out),
        "report": images.report.to_json(),
    }


def _condition(config: Config, images: ImageSet, rows: np.ndarray) -> ConditionSpec | None:
    """What the model is told, by the labels of its training pictures."""
    labels = None if images.labels is None else images.labels.take(rows)
    return condition_spec(labels, config.condition, images.name)
