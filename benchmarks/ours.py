"""Train one work with the ordinary trainer; prints images a second and the roofline, one JSON line.

usage: python -m benchmarks.ours W1
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import latentry
from benchmarks.works import WORKS, Noise, Work
from latentry.data import condition_spec, condition_vectors, open_images, to_float
from latentry.models.build import build_method, build_model, initialise_model
from latentry.models.contract import Batch, Method
from latentry.models.gan import GANMethod
from latentry.models.own import OwnNetworks
from latentry.settings.recipes import find_recipe
from latentry.training.memory import freed_memory_kept


def main() -> None:
    """Measure and print."""
    name = sys.argv[1]
    work = WORKS[name]
    flops = flops_per_image(work)
    peak = matmul_flops_per_sec()
    found = {"gflop_per_image": flops / 1e9, "limit_images_per_sec": peak / flops}
    found["images_per_sec"] = critic_step_rate(work) if name == "W8" else training_rate(work)
    if work.flag is not None:
        found["images_per_sec_with_flag"] = training_rate(work, **work.flag)
    print(json.dumps(found))


def training_rate(work: Work, **flag: Any) -> float:
    """Pictures a second of `latentry.train`, the median over epochs but the first two, where a step may be compiled."""
    own: dict[str, Any] = {name: network() for name, network in work.networks.items()}
    config = find_recipe(work.recipe).config
    only_prior = {"sampler": "prior"} if "sampler" in config.groups else {}
    epochs = work.epochs + 1
    settings = {**work.settings, **only_prior, **flag, "epochs": float(epochs), "ticks": epochs, "checkpoints": 1}
    with tempfile.TemporaryDirectory() as folder:
        images = open_images(Noise(work))
        run = latentry.train(work.recipe, images, out=folder, holdout=0.0, **settings, **own)
        return statistics.median(record["images_per_sec"] for record in run.log[2:])


def critic_step_rate(work: Work, steps: int = 30) -> float:
    """Pictures a second of the critic's updates alone, the median step after five."""
    method, batch = method_and_batch(work)
    assert isinstance(method, GANMethod)
    rng, seconds = torch.Generator().manual_seed(0), []
    with freed_memory_kept():  # as in training
        for _ in range(steps + 5):
            start = time.perf_counter()
            with torch.no_grad():
                x_fake = method._generate(batch, rng)
            method._critic_step(batch, x_fake, rng, 0.5)
            seconds.append(time.perf_counter() - start)
    return len(batch.x) / statistics.median(seconds[5:])


def method_and_batch(work: Work) -> tuple[Method, Batch]:
    """What trains the work, with random weights, and one batch of it."""
    config = find_recipe(work.recipe).config.with_settings(**work.settings)
    images = open_images(Noise(work, 100))
    condition = condition_spec(images.labels, config.condition, images.name)
    own = OwnNetworks(**{name: network() for name, network in work.networks.items()})
    model = build_model(config, images.spec, condition, own)
    rng = torch.Generator().manual_seed(0)
    x = to_float(torch.from_numpy(images.images))
    told = None if condition is None else torch.from_numpy(condition_vectors(images.labels, condition))
    initialise_model(model, Batch(x, told), rng, own=own)
    method = build_method(config, model, 100, rng, own.critic)
    n = config.training.batch
    return method, Batch(x[:n], None if told is None else told[:n])


def flops_per_image(work: Work) -> float:
    """Floating-point operations of matrix products and convolutions that one step spends on one image, counted."""
    method, batch = method_and_batch(work)
    n = method.batches
    told = None if batch.condition is None else batch.condition.repeat(n, 1)
    rng = torch.Generator().manual_seed(0)
    with CountFlops() as counter:
        if work is WORKS["W8"]:
            assert isinstance(method, GANMethod)
            with torch.no_grad():
                x_fake = method._generate(batch, rng)
            method._critic_step(batch, x_fake, rng, 0.5)
            n = 1
        else:
            method.step(Batch(batch.x.repeat(n, 1, 1, 1), told), rng, 0.5)
    return counter.total / (n * len(batch.x))


class CountFlops(TorchDispatchMode):
    """Counts by torch's own table; its `FlopCounterMode` watches modules too, which gradient penalties forbid."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation, and add what it costs."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if (cost := flop_registry.get(func._overloadpacket)) is not None:
            self.total += cost(*args, **kwargs, out_val=out)
        return out


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
