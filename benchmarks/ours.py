"""Train one work with the ordinary trainer; prints images a second and the roofline, one JSON line.

usage: python -m benchmarks.ours W1
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

import latentry
from benchmarks.works import WORKS, Work, random_pictures
from latentry.data import open_images
from latentry.models.build import build_method, build_model
from latentry.models.contract import Batch
from latentry.settings.recipes import find_recipe


def main() -> None:
    """Measure and print."""
    work = WORKS[sys.argv[1]]
    own = {name: network() for name, network in work.networks.items()}
    settings = {**work.settings, "epochs": float(work.epochs), "ticks": work.epochs, "checkpoints": 1}
    with tempfile.TemporaryDirectory() as folder:
        images = open_images(random_pictures(work))
        run = latentry.train(work.recipe, images, out=folder, holdout=0.0, sampler="prior", **{**settings, **own})
        rates = [record["images_per_sec"] for record in run.log]
    flops = flops_per_image(work)
    peak = matmul_flops_per_sec()
    rate = statistics.median(rates[1:])
    print(json.dumps({"images_per_sec": rate, "gflop_per_image": flops / 1e9, "limit_images_per_sec": peak / flops}))


def flops_per_image(work: Work) -> float:
    """Floating-point operations of matrix products and convolutions that one step spends on one image, counted."""
    config = find_recipe(work.recipe).config.with_settings(**work.settings)
    images = open_images(random_pictures(work)[:64])
    model = build_model(config, images.spec, **{name: network() for name, network in work.networks.items()})
    method = build_method(config, model, n_data=64)
    x = torch.zeros(config.training.batch, *work.image)
    with FlopCounterMode(display=False) as counter:
        method.step(Batch(x), torch.Generator().manual_seed(0), 0.5)
    return counter.get_total_flops() / len(x)


def matmul_flops_per_sec(side: int = 2048) -> float:
    """The rate of a large float32 matrix product on this machine, the median of ten."""
    a = torch.ones(side, side)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        torch.mm(a, a)
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds)


if __name__ == "__main__":
    main()
