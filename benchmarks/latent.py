"""How long the latent tools take: editing and inverting pictures with a run of yours, and a morph.

usage: python -m benchmarks.latent RUN [--n 1000] [--inverted 32] [--repeats 3]

The weights do not matter for speed, so a short run does: latentry train vae --images 2k
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import latentry
from latentry.api.opening import open_for_model
from latentry.api.walks import morph
from latentry.models.vectors import Vector, Vectors


def main() -> None:
    """Measure and print medians in seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--n", type=int, default=1000, help="pictures edited")
    parser.add_argument("--inverted", type=int, default=32, help="pictures inverted")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    model = latentry.load(arguments.run)
    images, told = open_for_model(model, None, arguments.n)
    images = np.resize(images, (arguments.n, *images.shape[1:]))
    told = None if told is None else np.resize(told, (arguments.n, *told.shape[1:]))
    direction = np.random.default_rng(0).normal(size=model.network.latent.shape).astype(np.float32)
    model.vectors = Vectors([Vector("somewhere", "principal", direction, "a step")])
    seeds = range(arguments.n)
    z = model.latents(seeds, conditions=model.conditions(seeds))

    def invert() -> None:
        few = slice(arguments.inverted)
        latentry.invert_pictures(model, images[few], None if told is None else told[few])

    works: dict[str, Callable[[], object]] = {
        f"{arguments.n:,} latents edited": lambda: model.edit_latents(z, {"somewhere": 1.0}, conditions=told),
        "a morph of 96 frames": lambda: morph(model, z[:4], None if told is None else told[:4], frames=96),
    }
    if model.network.encode is not None or model.inverse is not None:
        works[f"{arguments.n:,} pictures edited"] = lambda: model.edit(images, {"somewhere": 1.0}, conditions=told)
        works[f"{arguments.inverted} pictures inverted"] = invert
    print(f"{model.config.recipe}, {model.network.image}, {torch.get_num_threads()} threads")
    for name, work in works.items():
        print(f"{name}: {statistics.median(seconds(work) for _ in range(arguments.repeats)):.2f} s")


def seconds(work: Callable[[], object]) -> float:
    """What one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
