"""Runs side by side: `compare` measures each by the same protocol, and ranks those that were measured alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latentry.api.contest import Say, train_contenders
from latentry.api.evaluate import N, evaluate
from latentry.api.opening import load, open_for_model
from latentry.errors import InputError
from latentry.files import read_json
from latentry.metrics.comparison import group, why_apart
from latentry.metrics.evaluation import FILE, Evaluation, read_evaluation
from latentry.models.trained import TrainedModel
from latentry.report.comparison import Comparison, Contender
from latentry.report.comparison_page import write_comparison_page
from latentry.training.doctor import diagnose_run
from latentry.training.enough import enough_images
from latentry.training.observer import Observer
from latentry.training.run import Run, open_run

_SHOWN = 24  # pictures of each contender on the page
_RECONSTRUCTED = 8


def compare(
    runs: Sequence[Path | str] = (),
    *,
    data: str | Path | None = None,
    recipes: Sequence[str] = (),
    budget: str = "10m",
    out: Path | str = "runs",
    extractor: str | None = None,
    n: int | None = None,
    seed: int = 0,
    page: Path | str | None = None,
    observers: Sequence[Observer] = (),
    say: Say | None = None,
    **settings: Any,
) -> Comparison:
    """Compare runs, or train recipes on the same pictures for the same time and compare those.

    Args:
        runs: run folders that have ended.
        data: the pictures to train on, as `train` takes them; with `recipes`, which are all trained on them.
        recipes: names from `latentry recipes`.
        budget: how long each is trained.
        out: where the runs are made, and are found that were made before.
        extractor, n, seed: of the evaluation, as `evaluate` takes them; None takes evaluations that runs have kept,
            where all were made alike.
        page: where to write the page; None writes `compare.html` beside the first run.
        observers: what else watches the training.
        say: told what happens, a line each.
        **settings: of the training, for all recipes, by name, e.g. `size=32`.

    Returns:
        The contenders, the groups that may be ranked, and `.verdict` in sentences.

    Raises:
        InputError: fewer than two contenders, or one that cannot be trained or opened.
        Stopped: a signal ended a training; the same call goes on with it.
    """
    say = say or (lambda line: None)
    notes: list[str] = []
    _check_request(runs, data, recipes, settings)
    if recipes:
        assert data is not None
        asked = {"seed": seed, **settings}
        trained, notes = train_contenders(
            recipes, data, budget=budget, out=Path(out), say=say, observers=observers, **asked
        )
        if len(trained) < 2:
            raise InputError(f"fewer than two recipes could be trained: {'; '.join(notes)}")
        runs = trained
    opened = [_open_ended(Path(path)) for path in runs]
    evaluations = _evaluate_alike(opened, extractor, n, seed, say)
    names = _names(opened)
    contenders = []
    for name, run, evaluation in zip(names, opened, evaluations, strict=True):
        say(f"drawing {name}")
        contenders.append(_contender(name, run, evaluation))
    groups = group({each.name: each.evaluation for each in contenders})
    comparison = Comparison(tuple(contenders), groups, tuple(notes))
    where = opened[0].path.parent / "compare.html" if page is None else Path(page)
    write_comparison_page(where, comparison)
    say(f"page: {where}")
    return comparison


def _check_request(
    runs: Sequence[Path | str], data: str | Path | None, recipes: Sequence[str], settings: dict[str, Any]
) -> None:
    """Refuse what is not one of the two ways to call it, and fewer than two contenders."""
    if runs and (recipes or data is not None):
        raise InputError("give runs, or --data with --recipes, not both; runs are compared as they were trained")
    if recipes and data is None:
        raise InputError(f"recipes (={','.join(recipes)}) need --data: the pictures that they are all trained on")
    if data is not None and not recipes:
        raise InputError("--data needs --recipes: what to train on it, e.g. --recipes vae,dcgan,wgan-gp")
    if len(runs) + len(recipes) < 2:
        received = f"1 ({[*runs, *recipes][0]})" if runs or recipes else "none"
        raise InputError(
            f"compare takes two runs at least and received {received}; `latentry runs` lists the runs here"
        )
    if runs and settings:
        raise InputError(f"{', '.join(settings)} is about training, and these runs are trained; leave it out")
    if len({Path(path).resolve() for path in runs}) < len(runs):
        raise InputError("a run was given twice; give each once")


def _open_ended(path: Path) -> Run:
    """A run that has ended: another may still change."""
    run = open_run(path)
    if not (run.model / "model.safetensors").is_file():
        raise InputError(f"{path} has not ended, so its scores would change; latentry train --resume {path} ends it")
    return run


def _evaluate_alike(runs: list[Run], extractor: str | None, n: int | None, seed: int, say: Say) -> list[Evaluation]:
    """An evaluation of each run: those that are kept where all were made alike, else new ones."""
    kept = [_kept(run) for run in runs]
    found = [each for each in kept if each is not None]
    if len(found) == len(runs) and all(_is_as_asked(each, extractor, n, seed) for each in found):
        same_data = [read_json(run.data_file)["fingerprint"] for run in runs]
        pairs = [(a, b) for a in range(len(runs)) for b in range(a) if same_data[a] == same_data[b]]
        if all(not why_apart(found[a], found[b]) for a, b in pairs):
            say("the runs have been evaluated alike already")
            return found
    evaluations = []
    for run in runs:
        say(f"evaluating {run.path}")
        evaluations.append(evaluate(run.path, extractor=extractor or "auto", n=N if n is None else n, seed=seed))
    return evaluations


def _kept(run: Run) -> Evaluation | None:
    """The evaluation that a run keeps, if it is of the weights that the run has now."""
    evaluation = read_evaluation(run.path)
    weights = run.model / "model.safetensors"
    if evaluation is None or (run.path / FILE).stat().st_mtime < weights.stat().st_mtime:
        return None
    return evaluation


def _is_as_asked(evaluation: Evaluation, extractor: str | None, n: int | None, seed: int) -> bool:
    """Whether a kept evaluation is what was asked for; what was not asked for may be anything."""
    passport = evaluation.scores[0].passport if evaluation.scores else None
    if passport is None:
        return False
    extractor_fits = extractor in (None, "auto", evaluation.extractor)
    return extractor_fits and passport.seed == seed and n in (None, passport.n_fake)


def _names(runs: list[Run]) -> list[str]:
    """What to call each: its recipe, or its folder where a recipe occurs twice."""
    recipes = [run.read_config().recipe for run in runs]
    names = [name if recipes.count(name) == 1 else run.path.name for name, run in zip(recipes, runs, strict=True)]
    twice = len(set(names)) < len(names)
    return [str(run.path) for run in runs] if twice else names


def _contender(name: str, run: Run, evaluation: Evaluation) -> Contender:
    """All that is shown of one run."""
    model, record, log = load(run.path), read_json(run.data_file), run.read_log()
    image, last = record["image"], log[-1]
    told = model.network.condition
    curve, curve_name = _curve(log)
    reals, reconstructions = _pictures(model)
    weights = run.model / "model.safetensors"
    return Contender(
        name=name,
        run=str(run.path),
        recipe=model.config.recipe,
        data=record["name"],
        shape=(image["channels"], image["height"], image["width"]),
        fingerprint=record["fingerprint"],
        parameters=sum(weight.numel() for weight in model.network.parameters()),
        model_bytes=weights.stat().st_size,
        images=last["images"],
        seconds=last["seconds"],
        enough=enough_images(model.config, record["n_train"], max(image["height"], image["width"])),
        encodes=model.network.encode is not None,
        asked_for=() if told is None else told.names,
        evaluation=evaluation,
        findings=tuple(diagnose_run(run.path)),
        curve=curve,
        curve_name=curve_name,
        settings=_flat(model.config.to_json()),
        samples=model.sample(_SHOWN),
        reals=reals,
        reconstructions=reconstructions,
    )


def _pictures(model: TrainedModel) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Held-out pictures, and the first of them as the model makes them; None where they cannot be opened any more."""
    try:
        reals, told = open_for_model(model, None, _SHOWN)
    except InputError:
        return None, None
    if model.network.encode is None:
        return reals, None
    some = None if told is None else told[:_RECONSTRUCTED]
    return reals, model.reconstruct(reals[:_RECONSTRUCTED], some)


def _curve(log: list[dict[str, Any]]) -> tuple[tuple[tuple[int, float], ...], str]:
    """The loss on held-out pictures over images seen; of a GAN, how far its critic holds them from generated ones."""
    records = [(record["images"], record["held_out"] or {}) for record in log]
    if all("loss" in held_out for _, held_out in records):
        return tuple((at, held_out["loss"]) for at, held_out in records), "held-out loss, nats per picture"
    if all({"score_real", "score_fake"} <= set(held_out) for _, held_out in records):
        gaps = ((at, held_out["score_real"] - held_out["score_fake"]) for at, held_out in records)
        return tuple(gaps), "critic's score of held-out pictures less that of generated ones"
    return (), ""


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """Settings by `group.name`."""
    groups = {group: values for group, values in config.items() if isinstance(values, dict)}
    plain = {name: value for name, value in config.items() if name in ("recipe", "family")}
    return {**plain, **{f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}}
