"""`latentry train`: train a recipe on pictures, or continue a run."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentry.cli.flags import parse_flags
from latentry.errors import InputError
from latentry.files import read_json
from latentry.settings.config import LENGTHS, Config, config_from_json
from latentry.settings.recipes import RECIPES, find_recipe
from latentry.settings.specs import ConditionSpec

if TYPE_CHECKING:
    from latentry.api.train import TrainingResult


@dataclass(frozen=True)
class RunFlags:
    """What is about this command rather than about the model."""

    out: Path = Path("runs")
    """where run folders are made"""
    config: Path | None = None
    """a config.json to start from, in place of the recipe's settings"""
    resume: Path | None = None
    """a run folder to continue; flags may change its budget, rate, device or where its data are, but not its model"""
    dry_run: bool = False
    """print the resolved settings as JSON and stop"""
    json: bool = False
    """print one JSON object at the end, and nothing else"""


def main(arguments: list[str]) -> int:
    """Train; 0 done, 130 or 143 when a signal stopped it (saved, to be continued with --resume)."""
    recipe, rest = _split_recipe(arguments)
    config = _starting_config(recipe, rest)
    if any(_value_of(f"--{length}", rest) is not None for length in LENGTHS):
        # The flag takes the place of the config's own length.
        training = dataclasses.replace(config.training, budget=None, images=None, epochs=None)
        config = dataclasses.replace(config, training=training)
    groups = {name: type(getattr(config, name)) for name in config.groups}
    flags_cls: Any = dataclasses.make_dataclass("Flags", [("run", RunFlags), *groups.items()], frozen=True)
    default = flags_cls(RunFlags(), *(getattr(config, name) for name in config.groups))
    flags = parse_flags(
        flags_cls,
        rest,
        prog=f"latentry train {recipe or 'RECIPE'}",
        description=_describe(recipe),
        default=default,
    )
    chosen = {name: getattr(flags, name) for name in config.groups}
    config = dataclasses.replace(config, **chosen)
    if flags.run.dry_run:
        sys.stdout.write(json.dumps(config.to_json(), indent=2) + "\n")
        return 0
    return _train(config, flags.run)


def _split_recipe(arguments: list[str]) -> tuple[str | None, list[str]]:
    if arguments and not arguments[0].startswith("-"):
        find_recipe(arguments[0])
        return arguments[0], arguments[1:]
    return None, arguments


def _starting_config(recipe: str | None, rest: list[str]) -> Config:
    """The settings that flags are laid over: those of --resume, of --config, or of the recipe."""
    resumed, given = _value_of("--resume", rest), _value_of("--config", rest)
    if resumed is not None:
        from latentry.training.run import open_run

        config = open_run(Path(resumed)).read_config()
        if given is not None or recipe not in (None, config.recipe):
            other = f"--config {given}" if given is not None else f"recipe {recipe}"
            raise InputError(
                f"--resume goes on with {config.recipe}, not with {other}; leave that out, or the --resume"
            )
        return config
    if given is not None:
        config = config_from_json(read_json(Path(given)))
        return config if recipe is None else dataclasses.replace(config, recipe=recipe)
    if recipe is None:
        if "-h" in rest or "--help" in rest:
            return RECIPES["vae"].config
        raise InputError(f"train needs a recipe, e.g. latentry train vae; there are {', '.join(RECIPES)}")
    return find_recipe(recipe).config


def _value_of(flag: str, arguments: list[str]) -> str | None:
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(f"{flag}="):
            return argument.split("=", 1)[1]
    return None


def _describe(recipe: str | None) -> str:
    if recipe is None:
        return f"Train a recipe: {', '.join(RECIPES)}. The flags below are those of vae."
    row = RECIPES[recipe]
    return f"{row.title}. Source: {row.source}." + (f" Measured: {row.result}." if row.result else "")


def _train(config: Config, flags: RunFlags) -> int:
    from latentry.api.opening import open_config_images
    from latentry.api.train import resume, train
    from latentry.cli.console import Console
    from latentry.report.console import ConsoleObserver, data_summary
    from latentry.training.ranks import everywhere, joined
    from latentry.training.run import open_run

    with joined(config.training.device) as ranks:
        console = Console(stderr=flags.json, quiet=flags.json or not ranks.first)
        observers = [ConsoleObserver(console)]
        if flags.resume is not None:
            ticks, learnt = len(open_run(flags.resume).read_log()), _learnt_later(flags.resume)
            result = resume(flags.resume, observers=observers, config=config)
            if result.finished and len(result.log) == ticks:
                console.print("nothing was left to train; --images, --epochs or --budget makes the run longer")
            elif result.finished and learnt:
                note = f"note: {' and '.join(learnt)} belonged to the weights before, and are gone"
                console.print(note, highlight=False, markup=False, soft_wrap=True)
        else:
            images = everywhere(ranks, lambda: open_config_images(config))
            console.print(*data_summary(images), sep="\n", highlight=False, soft_wrap=True)
            result = train(config, images, out=flags.out, observers=observers)
    if flags.json and ranks.first:
        sys.stdout.write(json.dumps(_as_json(result)) + "\n")
    elif ranks.first:
        console.print(*_farewell(result), sep="\n", highlight=False, soft_wrap=True)
    return 0 if result.finished else 128 + (result.signal or 0)


def _learnt_later(run: Path) -> list[str]:
    """What other verbs have put into the model's folder."""
    there = {"vectors": "attributes, directions", "inversion": "invert --fit"}
    return [f"the {name} of `latentry {verb}`" for name, verb in there.items() if any((run / "model").glob(f"{name}*"))]


def _example_of_condition(condition: ConditionSpec | None) -> str:
    """A flag of `latentry sample` that asks for something that the model knows."""
    if condition is None:
        return ""
    name = condition.names[0]
    match condition.kind:
        case "class":
            return f" --class {shlex.quote(name)}"
        case "attributes":
            return f" --attributes {shlex.quote(f'{name}=1')}"
        case "numbers":
            return f" --numbers {shlex.quote(f'{name}={condition.centre[0]:.3g}')}"


def _as_json(result: TrainingResult) -> dict[str, Any]:
    log = result.log
    return {
        "run": str(result.path),
        "finished": result.finished,
        "images": log[-1]["images"] if log else 0,
        "last": log[-1] if log else None,
    }


def _farewell(result: TrainingResult) -> list[str]:
    """Where everything is, and the next three commands worth typing."""
    run = result.path
    if not result.finished:
        return [f"stopped and saved in {run}", "", "continue with:", f"  latentry train --resume {run}"]
    model = result.load().network
    samplers = model.samplers
    scores = ", ".join(f"{name} {score:,.1f}" for name, score in sorted(samplers.scores.items(), key=lambda s: -s[1]))
    lines = [f"done: {run}", f"  pictures  {run / 'samples.png'}", f"  model     {run / 'model'}"]
    if scores:
        lines.append(f"  latents   drawn from {samplers.chosen}; held-out log-likelihood in nats: {scores}")
    for name, found in result.run.read_metrics().items():
        first, *rest = found["said"]
        lines += [f"  {name:<9} {first}", *(f"            {line}" for line in rest)]
    return [
        *lines,
        "",
        "next:",
        f"  latentry sample {run} --seeds 0-63 -o samples.png{_example_of_condition(model.condition)}",
        *([f"  latentry reconstruct {run} -o reconstructions.png"] if model.encode is not None else []),
        f"  latentry train --resume {run} --budget 30m",
    ]
