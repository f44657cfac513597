"""What the doctor costs a run: processor seconds a tick, and their share of a run of ten minutes.

usage: python -m reproductions.doctor_cost [--recipes dcgan,vae,vq-vae,cwgan-gp]

Three ticks are trained of each recipe as it is, on the built-in faces. The first tick looks at the training pictures
once, and the last one of an adversarial recipe at augmentation; the others are alike.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import latentry
from latentry.training import loop
from latentry.training.doctor import Meter, diagnose

TICKS = 20  # of a run
SECONDS = 600.0
STEPS = 3  # between two ticks that are timed


def processor_seconds(recipe: str) -> tuple[float, float, float]:
    """Of the first, of a usual and of the last tick, all that the doctor measures and thinks."""
    spent: list[float] = []

    def timed(function: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            found = function(*arguments, **options)
            seconds = time.process_time() - start
            if first:
                spent.append(seconds)
            elif spent:
                spent[-1] += seconds
            return found

        return call

    config = latentry.RECIPES[recipe].config
    batches = getattr(config.model, "critic_steps", 1)
    settings: dict[str, Any] = {"images": str(3 * STEPS * config.training.batch * batches), "ticks": 3}
    if config.family == "gan":
        settings["augment"] = "fixed"
    if "sampler" in config.groups:
        settings["second_stage_steps"] = 2
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(Meter, "measure", timed(Meter.measure, first=True)),
        patch.object(loop, "diagnose", timed(diagnose, first=False)),
    ):
        latentry.train(recipe, "faces:3000", out=folder, **settings)
    first, usual, last = spent
    return first, usual, last


def main() -> None:
    """A line for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="vae,vq-vae,dcgan,r3gan,cwgan-gp")
    print("| recipe | first tick, s | a tick, s | last tick, s | share of ten minutes |\n|---|--:|--:|--:|--:|")
    for recipe in parser.parse_args().recipes.split(","):
        first, usual, last = processor_seconds(recipe)
        total = first + (TICKS - 2) * usual + last
        print(f"| {recipe} | {first:.2f} | {usual:.2f} | {last:.2f} | {total / SECONDS:.1%} |", flush=True)


if __name__ == "__main__":
    main()
