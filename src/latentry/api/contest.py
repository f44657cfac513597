"""Training several recipes on the same pictures for the same time, as ordinary runs; what is trained already stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from latentry.api.opening import open_config_images, split_config_rows
from latentry.api.train import resume, train
from latentry.data import condition_spec
from latentry.errors import InputError
from latentry.files import read_json
from latentry.models.build import build_method, build_model
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.recipes import find_recipe
from latentry.settings.training import parse_seconds
from latentry.training.device import pick_device
from latentry.training.observer import Observer
from latentry.training.rng import rng_for
from latentry.training.run import Run, open_run

_MEANINGLESS_SECONDS = 60.0

Say = Callable[[str], None]
"""Called with what happens, a line each."""


class Stopped(Exception):
    """A signal ended a training; the run is saved, and the same call goes on with it."""

    def __init__(self, run: Path, signal: int) -> None:
        super().__init__(f"stopped and saved in {run}")
        self.signal = signal


def train_contenders(
    recipes: Sequence[str],
    data: str | Path,
    *,
    budget: str,
    out: Path,
    say: Say,
    observers: Sequence[Observer] = (),
    **settings: Any,
) -> tuple[list[Path], list[str]]:
    """One run for each recipe, one after the other; what cannot be trained is refused before the first begins.

    Args:
        recipes: their names.
        data: a name or a path, as `train` takes it.
        budget: the time for each.
        out: where the runs are, and are made.
        say: told what happens.
        observers: what else watches the runs.
        **settings: for all of them, by name.

    Returns:
        The runs, and what failed on the way, a sentence each.

    Raises:
        InputError: a recipe is unknown, does not go with these pictures or settings, or the pictures cannot be opened.
        Stopped: by a signal.
    """
    if len(set(recipes)) < len(recipes):
        raise InputError(
            f"recipes (={','.join(recipes)}) names one twice; name each once, and repeat with another seed"
        )
    configs = [find_recipe(name).config for name in recipes]
    configs = [each.with_settings(data=str(data), budget=budget, **settings) for each in configs]
    prints = {each.recipe: _check(each) for each in configs}
    notes = []
    if parse_seconds(budget) < _MEANINGLESS_SECONDS:
        notes.append(f"a budget of {budget} for each is too short to mean anything; give 10m or more")
        say(f"warning: {notes[0]}")
    runs = []
    for config in configs:
        try:
            runs.append(_run_of(config, prints[config.recipe], out, say, observers))
        except InputError as error:
            notes.append(f"{config.recipe} failed and was left out: {error}")
            say(f"warning: {notes[-1]}")
    return runs, notes


def _check(config: Config) -> str:
    """Refuse what training would refuse; the fingerprint of the pictures."""
    try:
        pick_device(config.training.device)
        images = open_config_images(config)
        rows, _ = split_config_rows(images, config)
        labels = None if images.labels is None else images.labels.take(rows)
        condition = condition_spec(labels, config.condition, images.name)
        model = build_model(config, images.spec, condition)
        build_method(config, model, len(rows), rng_for(config.training.seed, "method"))
    except InputError as error:
        raise InputError(f"{config.recipe} cannot be compared, and nothing was trained: {error}") from error
    return images.fingerprint


def _run_of(config: Config, fingerprint: str, out: Path, say: Say, observers: Sequence[Observer]) -> Path:
    """The finished run of a config: found, continued or made."""
    found = find_run(out, config, fingerprint)
    if found is not None and found.model.is_dir():
        say(f"{config.recipe} is trained already: {found.path}")
        return found.path
    result = train(config, out=out, observers=observers) if found is None else resume(found.path, observers=observers)
    if not result.finished:
        raise Stopped(result.path, result.signal or 0)
    return result.path


def find_run(out: Path, config: Config, fingerprint: str) -> Run | None:
    """The newest run in a folder that was asked for with these settings, on these pictures; finished ones first."""
    found = []
    for path in sorted(out.iterdir(), reverse=True) if out.is_dir() else ():
        try:
            run = open_run(path)
            known = run.read_config()
            if read_json(run.data_file)["fingerprint"] == fingerprint and _asked(known, config) == config:
                found.append(run)
        except InputError:
            continue  # another folder, or a run of another version
    return next((run for run in found if run.model.is_dir()), found[0] if found else None)


def _asked(known: Config, wanted: Config) -> Config:
    """A run's config with what it decided by its pictures left open again, where `wanted` leaves it open.

    Where the pictures were is left aside: they are known by their fingerprint.
    """
    known = known.with_settings(data=wanted.data.data)
    if wanted.data.flip == "auto":
        known = known.with_settings(flip="auto")
    both = isinstance(known.model, GANSettings) and isinstance(wanted.model, GANSettings)
    if both and wanted.augment.augment == "auto":
        known = known.with_settings(augment="auto")
    return known
