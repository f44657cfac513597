"""Training from pictures to a finished run: `train` begins one, `resume` continues one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from latentry.api.measure import measure
from latentry.api.opening import FROM_PYTHON, load, open_config_images, split_config_rows
from latentry.data import (
    ImageSet,
    condition_spec,
    condition_vectors,
    inspect_set,
    to_float,
)
from latentry.data.builtin import NAMES as BUILT_IN
from latentry.data.mirror import mirror_allowed
from latentry.errors import InputError
from latentry.files import read_json, write_json
from latentry.models.build import OwnNetworks, build_method, build_model, initialise_model
from latentry.models.contract import Batch
from latentry.models.folder import condition_from_json
from latentry.models.trained import TrainedModel
from latentry.report.grid import GridWriter, save_png, tile
from latentry.report.page import write_page
from latentry.report.track import trackers
from latentry.settings.config import Config
from latentry.settings.data import SMALL_DATA
from latentry.settings.gan import GANSettings
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec
from latentry.training.budget import resolve_budget
from latentry.training.checkpoint import list_checkpoints
from latentry.training.device import pick_device
from latentry.training.finish import finish_run
from latentry.training.interrupt import stop_on_signal
from latentry.training.loop import N_POINTS_SHOWN, N_SHOWN, Loop
from latentry.training.observer import Observer
from latentry.training.rng import rng_for
from latentry.training.run import Run, command_line, create_run, open_run
from latentry.training.stream import PictureStream

_BUILT_IN_SECONDS = 60.0
_OWN_DATA_SECONDS = 600.0
_INSPECTION_SECONDS = 2e-4  # to look for copies of one picture, on a laptop


@dataclass(frozen=True)
class TrainingResult:
    """A run that has ended, or was stopped and can be continued."""

    run: Run
    finished: bool
    signal: int | None  # the signal that stopped it, if one did

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.run.path

    @property
    def log(self) -> list[dict[str, Any]]:
        """One record a tick: images, seconds, losses."""
        return self.run.read_log()

    def load(self) -> TrainedModel:
        """The model, ready to sample; the caller's own networks are not known here, use `latentry.load` for them."""
        return load(self.run.path)


def train(
    recipe: str | Config = "vae",
    data: Any = None,
    *,
    out: Path | str = "runs",
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
    critic: nn.Module | None = None,
    observers: Sequence[Observer] = (),
    **settings: Any,
) -> TrainingResult:
    """Train a model on pictures and keep everything in a new run folder.

    Args:
        recipe: a name from `latentry recipes`, or a whole config.
        data: a folder, zip, array, torch data set or anything else that `open_images` takes; None for the built-in
            cartoon faces, or what the recipe says.
        out: where run folders are made.
        encoder, decoder: networks of your own in place of the recipe's. The encoder maps pictures in [-1, 1],
            [B, C, H, W], to [B, latent] (autoencoder), [B, 2 * latent] (VAE: means, then log-variances) or
            [B, latent, h, w] (VQ-VAE); the decoder maps [B, latent], or [B, latent, h, w], to [B, C, H, W] without a
            final nonlinearity. They are trained in place. Of a GAN the decoder is the generator. Of a conditional
            model both take the condition [B, K] as a second argument; of a VQ-VAE neither does.
        critic: of a GAN, a network of your own that maps pictures to a `latentry.models.critic.Judgement`.
        observers: what else watches the run.
        **settings: any setting by its name, e.g. `epochs=20, beta=4.0, latent=32, size="64"`.

    Returns:
        The run: `.path`, `.log`, `.load()`.

    Raises:
        InputError: something about the input is refused; the message says what to do.
    """
    config = recipe if isinstance(recipe, Config) else find_recipe(recipe).config
    if isinstance(data, str | Path):
        config, data = config.with_settings(data=str(data)), None
    config = config.with_settings(**settings)
    images = data if isinstance(data, ImageSet) else open_config_images(config, data)
    if data is not None and images.report.source != config.data.data:
        config = config.with_settings(data=f"{FROM_PYTHON}{images.name}")
    own = OwnNetworks(encoder, decoder, critic)
    loop = _prepare(_settle(config, images), images, own, Path(out), observers)
    return _run_loop(loop, images, own)


def resume(
    path: Path | str,
    data: Any = None,
    *,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
    critic: nn.Module | None = None,
    observers: Sequence[Observer] = (),
    config: Config | None = None,
) -> TrainingResult:
    """Continue a run from its newest checkpoint, bit for bit as if it had not been stopped.

    Args:
        path: the run's folder.
        data: the run's pictures, where they were given as an array or data set; else they are opened again.
        encoder, decoder, critic: networks of your own, built as they were, where the run has such.
        observers: what else watches the run.
        config: the run's settings with another budget, batch, rate or device; None for those it was started with.

    Raises:
        InputError: it is no run, its data are not what they were, or a checkpoint is damaged.
    """
    run = open_run(Path(path))
    if config is not None:
        _check_same(run.read_config(), config)
    config = config or run.read_config()
    images = data if isinstance(data, ImageSet) else open_config_images(config, data)
    recorded = read_json(run.data_file)["fingerprint"]
    if images.fingerprint != recorded:
        raise InputError(
            f"the pictures are not those of {run.path} (fingerprint {images.fingerprint[:12]}, then {recorded[:12]}); "
            "put them back as they were, or start a new run"
        )
    own = OwnNetworks(encoder, decoder, critic)
    loop = _assemble(run, config, images, own, observers)
    if checkpoints := list_checkpoints(run.checkpoints):
        loop.resume(checkpoints[-1])
    else:
        run.rewind_log(0)  # killed before its first checkpoint: from the beginning
    return _run_loop(loop, images, own)


def _prepare(config: Config, images: ImageSet, own: OwnNetworks, out: Path, observers: Sequence[Observer]) -> Loop:
    """A new run folder and the loop at its first step; everything that can be refused is refused before the folder."""
    pick_device(config.training.device)
    trackers(config.training.track)
    rows, held_out = split_config_rows(images, config)
    condition = _condition(config, images, rows)
    build_model(config, images.spec, condition, own)
    record = {
        "name": images.name,
        "fingerprint": images.fingerprint,
        "image": dataclasses.asdict(images.spec),
        "condition": None if condition is None else dataclasses.asdict(condition),
        "n_train": len(rows),
        "n_held_out": len(held_out),
        "report": images.report.to_json(),
    }
    run = create_run(out, config, images.name, record, command_line())
    return _assemble(run, config, images, own, observers)


def _assemble(run: Run, config: Config, images: ImageSet, own: OwnNetworks, observers: Sequence[Observer]) -> Loop:
    """The loop of a run, at its first step."""
    training = config.training
    device = pick_device(training.device)
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
        observers=[GridWriter(), *observers, *trackers(training.track)],
    )


def _settle(config: Config, images: ImageSet) -> Config:
    """The config with what it leaves to the data decided: mirroring and augmentation of few pictures."""
    few = len(images) < SMALL_DATA and not images.spec.points
    if config.data.flip == "auto":
        allowed = few and mirror_allowed(np.asarray(images.images), config.training.seed).allowed
        config = config.with_settings(flip="yes" if allowed else "no")
    if isinstance(config.model, GANSettings) and config.augment.augment == "auto":
        config = config.with_settings(augment="fixed" if few else "none")
    return config


def _condition(config: Config, images: ImageSet, rows: np.ndarray) -> ConditionSpec | None:
    """What the model is told, by the labels of its training pictures."""
    labels = None if images.labels is None else images.labels.take(rows)
    return condition_spec(labels, config.condition, images.name)


def _run_loop(loop: Loop, images: ImageSet, own: OwnNetworks) -> TrainingResult:
    """Train to the end of the budget or to a signal."""
    resumed_at = loop.at.images if loop.at.step else None
    for observer in loop.observers:
        observer.started(loop.run, loop.config, resumed_at)
    try:
        with stop_on_signal() as stop:
            finished = loop(stop)
            if finished:
                _finish(loop, images, own)
    finally:
        for observer in loop.observers:
            observer.ended()
    return TrainingResult(loop.run, finished, stop.signal)


def _finish(loop: Loop, images: ImageSet, own: OwnNetworks) -> None:
    """Write the model, its last grids, what is measured of it, and the page."""
    run = loop.run
    condition = condition_from_json(read_json(run.data_file)["condition"])
    model = build_model(loop.config, images.spec, condition, own).to(loop.train.device)
    facts = {"data": images.name, "own_networks": own.given}
    _inspect_into_run(loop, images)
    finish_run(run, loop.config, model, loop.train, loop.held_out, facts)
    trained = TrainedModel(model, loop.config, facts, loop.train.device, run.model)
    n = N_POINTS_SHOWN if images.spec.points else N_SHOWN
    for name in trained.samplers:
        save_png(run.samples / f"final-{name}.png", tile(trained.sample(n, sampler=name)))
    save_png(run.path / "samples.png", tile(trained.sample(n)))
    if found := measure(trained, images, loop.at.images):
        write_json(run.metrics_file, found)
    write_page(run)


def _inspect_into_run(loop: Loop, images: ImageSet) -> None:
    """Add duplicates and leaks to the run's data report, where looking for them is cheap beside the training."""
    if len(images) * _INSPECTION_SECONDS < 0.03 * loop.at.seconds:
        record = read_json(loop.run.data_file)
        write_json(loop.run.data_file, {**record, "report": inspect_set(images).to_json()})


def _check_same(before: Config, now: Config) -> None:
    """A resumed run may change how it trains, not what: the model, its networks and its data stay."""
    for group in ("recipe", *(group for group in before.groups if group != "training")):
        if getattr(before, group) != getattr(now, group):
            raise InputError(f"--resume keeps the run's {group} settings; start a new run to change them")
