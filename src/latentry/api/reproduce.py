"""Published results, by command: trained as a publication did, and measured as it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from latentry._version import __version__
from latentry.api.opening import load
from latentry.api.published import PUBLISHED, Published
from latentry.api.train import TrainingResult, resume, train
from latentry.errors import InputError, unknown_name
from latentry.files import json_bytes, write_file
from latentry.models.trained import TrainedModel
from latentry.settings.config import Config
from latentry.settings.recipes import find_recipe
from latentry.training.observer import Observer
from latentry.training.run import open_run

RECORD = "reproduction.json"


@dataclass(frozen=True)
class Reproduced:
    """What was found.

    Attributes:
        name: of the published result.
        path: of the run; `reproduction.json` in it holds all of this.
        value: found, the mean of rounds.
        error: their standard deviation; None for a single one.
        met: whether it is within the aim.
        seconds: of training.
        told: what else there is to say.
    """

    name: str
    path: Path
    value: float
    error: float | None
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
    published.check(Path(data))
    settings = {**published.settings, "seed": seed, "device": device}
    recipe = settings.pop("recipe")
    if run is None:
        settings |= {} if epochs is None else {"epochs": epochs}
        pictures = published.measure.to_learn_from(Path(data), Path(out))
        result = train(recipe, pictures, out=out, observers=observers, **settings)
    else:
        begun = open_run(Path(run))
        result = TrainingResult(begun, True, None) if begun.ended else resume(run, observers=observers)
    if not result.finished:
        raise InputError(f"stopped and saved; go on with `latentry reproduce {name} --data {data} --run {result.path}`")
    return _judge(name, published, result, load(result.path, device=device), Path(data))


def _judge(name: str, published: Published, result: TrainingResult, model: TrainedModel, data: Path) -> Reproduced:
    """The published measure of a finished run, written beside it."""
    rounds, said = published.measure.rounds(model, data)
    value = float(np.mean(rounds))
    error = float(np.std(rounds, ddof=1)) if len(rounds) > 1 else None
    told = (*_departures(published, result.run.read_config()), *said)
    seconds = float(result.log[-1]["seconds"])
    found = Reproduced(name, result.path, value, error, value <= published.aim, seconds, told)
    record = {**asdict(found), "path": str(result.path), "rounds": rounds, "published": asdict(published)}
    write_file(result.path / RECORD, json_bytes({**record, "version": __version__}))
    return found


def _departures(published: Published, config: Config) -> list[str]:
    """Each setting of training that was not the published one."""
    whole = find_recipe(published.settings["recipe"]).config
    asked = whole.with_settings(**{k: v for k, v in published.settings.items() if k != "recipe"}).training
    here = {"seed", "device", "compile", "ticks", "checkpoints"}  # change nothing but how, and on what, it is computed
    pairs = [(each.name, getattr(config.training, each.name), getattr(asked, each.name)) for each in fields(asked)]
    return [f"{key} was {had}, published with {want}" for key, had, want in pairs if had != want and key not in here]
