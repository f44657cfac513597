"""Training from pictures to a finished run: `train` begins one, `resume` continues one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from latentry.api.assemble import assemble, check_shared, prepare, settle
from latentry.api.measure import measure
from latentry.api.opening import FROM_PYTHON, load, open_config_images
from latentry.data import ImageSet, inspect_set
from latentry.data.sources import in_full
from latentry.errors import InputError
from latentry.files import read_json, write_json
from latentry.models.build import build_model
from latentry.models.own import OwnNetworks
from latentry.models.trained import TrainedModel
from latentry.ranks import Ranks
from latentry.report.grid import save_png, tile
from latentry.report.page import PAGE, write_page
from latentry.settings.config import Config
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec
from latentry.training.checkpoint import list_checkpoints
from latentry.training.finish import finish_run
from latentry.training.interrupt import stop_on_signal
from latentry.training.loop import N_POINTS_SHOWN, N_SHOWN, Loop
from latentry.training.memory import freed_memory_kept
from latentry.training.observer import Observer
from latentry.training.ranks import everywhere, joined, on_first
from latentry.training.run import Run, find_own_run, open_run

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

    Where torchrun has started several processes, each calls this with the same arguments, and they train one model
    together. Processes that it starts again go on with the run that they had.

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
        critic: of a GAN, a network of your own that maps pictures, and their conditions [B, K] or None as a second
            argument, to a `latentry.models.critic.Judgement`.
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
    own = OwnNetworks(encoder, decoder, critic)
    with joined(config.training.device) as ranks:
        images = _opened(config, data, ranks)
        if data is not None and images.report.source != config.data.data:
            config = config.with_settings(data=f"{FROM_PYTHON}{images.name}")
        else:
            config = config.with_settings(data=in_full(config.data.data))
        config = settle(config, images)
        earlier = on_first(ranks, lambda: find_own_run(Path(out), config))
        if earlier is not None:
            return _resume(earlier, config, images, own, observers, ranks)
        return _run_loop(prepare(config, images, own, Path(out), observers, ranks), images, own)


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
        data: the run's pictures, where they were given as an array or data set, or where they are now; else they are
            opened again where they were.
        encoder, decoder, critic: networks of your own, built as they were, where the run has such.
        observers: what else watches the run.
        config: the run's settings with another budget, batch, rate, device or place of the pictures; None for those
            that it has.

    Raises:
        InputError: it is no run, its data are not what they were, or a checkpoint is damaged.
    """
    run = open_run(Path(path))
    config = config or run.read_config()
    _check_same(run.read_config(), config)
    if isinstance(data, str | Path):
        config, data = config.with_settings(data=str(data)), None
    has_place = not config.data.data.startswith(FROM_PYTHON)
    if has_place:
        config = config.with_settings(data=in_full(config.data.data))
    with joined(config.training.device) as ranks:
        try:
            images = _opened(config, data, ranks)
        except InputError as error:
            if not has_place:
                raise
            raise InputError(f"{error}; where the pictures have moved, name the new place with --data") from error
        return _resume(run, config, images, OwnNetworks(encoder, decoder, critic), observers, ranks)


def _opened(config: Config, data: Any, ranks: Ranks) -> ImageSet:
    """The pictures of a run, decoded once on each machine."""
    return data if isinstance(data, ImageSet) else everywhere(ranks, lambda: open_config_images(config, data))


def _resume(
    run: Run, config: Config, images: ImageSet, own: OwnNetworks, observers: Sequence[Observer], ranks: Ranks
) -> TrainingResult:
    """Continue a run; only the first rank has to see its folder."""
    everywhere(ranks, lambda: check_shared(config, own, ranks))
    recorded = on_first(ranks, lambda: read_json(run.data_file)["fingerprint"])
    if images.fingerprint != recorded:
        raise InputError(
            f"the pictures are not those of {run.path} (fingerprint {images.fingerprint[:12]}, then {recorded[:12]}); "
            "put them back as they were, or start a new run"
        )
    loop = assemble(run, config, images, own, observers, ranks)
    if checkpoints := on_first(ranks, lambda: list_checkpoints(run.checkpoints)):
        loop.resume(checkpoints[-1])
    elif ranks.first:
        run.rewind_log(0)  # killed before its first checkpoint: from the beginning
    if ranks.first:
        # Where nothing is left to train, its settings stay those that it was trained with.
        kept = config if loop.left else run.read_config().with_settings(data=config.data.data)
        write_json(run.config_file, kept.to_json())
    return _run_loop(loop, images, own)


def _run_loop(loop: Loop, images: ImageSet, own: OwnNetworks) -> TrainingResult:
    """Train to the end of the budget or to a signal."""
    begun_at = loop.at.step
    resumed_at = loop.at.images if begun_at else None
    for observer in loop.observers:
        observer.started(loop.run, loop.config, resumed_at)
    try:
        with stop_on_signal() as stop, freed_memory_kept():
            finished = loop(stop)
            # A run that had ended keeps its model folder, with vectors and an inversion that may have taken hours.
            if finished and not (loop.at.step == begun_at and _has_ended(loop.run)):
                on_first(loop.ranks, lambda: _finish(loop, images, own))
    finally:
        for observer in loop.observers:
            observer.ended()
    return TrainingResult(loop.run, finished, stop.signal)


def _has_ended(run: Run) -> bool:
    """Whether a run has all that its end leaves behind; the page comes last."""
    return run.ended and (run.path / PAGE).is_file()


def _finish(loop: Loop, images: ImageSet, own: OwnNetworks) -> None:
    """Write the model, its last grids, what is measured of it, and the page."""
    run = loop.run
    condition = ConditionSpec.from_json(read_json(run.data_file)["condition"])
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
    """A resumed run may change how it trains, not what: the model, its networks and its data stay.

    Where the pictures are may change; that they are the same is seen from them.
    """
    now = now.with_settings(data=before.data.data)
    for group in ("recipe", *(group for group in before.groups if group != "training")):
        if getattr(before, group) != getattr(now, group):
            raise InputError(f"--resume keeps the run's {group} settings; start a new run to change them")
