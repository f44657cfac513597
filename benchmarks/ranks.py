"""Two processes of one thread against one process of two: pictures a second, by `python -m benchmarks.ranks`.

Both have two cores and train the same: 64 px, the recipe's own networks and batch, a few steps after some to warm up.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentry.api.assemble import prepare, settle
from latentry.data import open_images
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks
from latentry.settings.recipes import find_recipe
from latentry.training.ranks import joined

RECIPES: dict[str, dict[str, Any]] = {"vae": {}, "dcgan": {"augment": "none"}}
_WARM, _TIMED = 3, 12
_N_PICTURES = 256


def images_per_sec(recipe: str, ranks: Ranks) -> float:
    """The median over steps; all ranks' pictures."""
    pictures = np.random.default_rng(0).integers(0, 256, (_N_PICTURES, 3, 64, 64), dtype=np.uint8)
    images = open_images(pictures)
    config = find_recipe(recipe).config.with_settings(device="cpu", images="1M", **RECIPES[recipe])
    with tempfile.TemporaryDirectory() as out:
        loop = prepare(settle(config, images), images, OwnNetworks(), Path(out), [], ranks)
        seconds = []
        for _ in range(_WARM + _TIMED):
            start = time.perf_counter()
            loop._step(0.5)
            seconds.append(time.perf_counter() - start)
    return config.training.batch * loop.method.batches / statistics.median(seconds[_WARM:])


def measure(recipe: str, world: int) -> float:
    """Pictures a second of `world` processes that share two threads."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": str(2 // world),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ranks", recipe],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
        )
        for rank in range(world)
    ]
    said = [process.communicate()[0] for process in processes]
    return float(json.loads(said[0]))


def main(arguments: list[str]) -> None:
    """Measure one recipe here, or start the processes that do for all."""
    if arguments:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        with joined("cpu") as ranks:
            print(json.dumps(images_per_sec(arguments[0], ranks)))
        return
    print("| 64 px | one process, two threads | two processes, one thread each |\n|---|---|---|")
    for recipe in RECIPES:
        one, two = (measure(recipe, world) for world in (1, 2))
        print(f"| {recipe} | {one:.0f} images/s | {two:.0f} images/s |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
