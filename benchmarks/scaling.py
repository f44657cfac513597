"""What a million pictures cost by recipe and size, and what bounds it on many devices: counted, with one measured rate.

usage: python -m benchmarks.scaling [--recipes vae,dcgan] [--sizes 32,64] [--threads 2] [--out FILE]

Counted: floating-point operations and gradients' bytes of a step of the recipe's own batch. Measured: pictures a second
here, and this machine's rate in a large matrix product. So: the bandwidth at which sending the gradients of a step
takes as long as computing it, for devices that compute a batch of the recipe each. A ring sends, on each of n devices,
2 (n - 1) / n times the gradients (Patarasuk and Yuan 2009): 1.75, 1.97 and 2.00 times for 8, 64 and 1,024.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ours import CountFlops, matmul_flops_per_sec
from latentry.api.assemble import prepare, settle
from latentry.data import open_images
from latentry.models.own import OwnNetworks
from latentry.settings.recipes import find_recipe
from latentry.training.loop import Loop
from latentry.training.ranks import joined

RECIPES = ("vae", "vq-vae", "dcgan", "wgan-gp", "r3gan")
DEVICES = (8, 64, 1024)
_FAST = 100e12  # floating-point operations a second that a device of today may reach: assumed, not measured
_WARM, _TIMED, _N_PICTURES = 2, 8, 2_048


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--sizes", default="32,64")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="write the records as JSON too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    peak = matmul_flops_per_sec()
    records = [
        measure(recipe, int(size), peak)
        for recipe in arguments.recipes.split(",")
        for size in arguments.sizes.split(",")
    ]
    print(as_markdown(records, peak, arguments.threads))
    if arguments.out is not None:
        arguments.out.write_text(
            json.dumps({"date": date.today().isoformat(), "peak": peak, "works": records}, indent=2)
        )


def measure(recipe: str, size: int, peak: float) -> dict[str, Any]:
    """One recipe at one size: what a step needs, and how fast it goes."""
    with made(recipe, size) as loop:
        seconds = []
        for _ in range(_WARM + _TIMED):
            start = time.perf_counter()
            loop._step(0.5)
            seconds.append(time.perf_counter() - start)
        with CountFlops() as counter:
            loop._step(0.5)
    pictures = loop.config.training.batch * loop.method.batches
    steps = {"critic": loop.method.batches}  # of each optimiser in one step of the method
    sent = sum(
        4 * sum(weight.numel() for group in optimiser.param_groups for weight in group["params"]) * steps.get(name, 1)
        for name, optimiser in loop.method.optimisers.items()
    )
    step_sec = statistics.median(seconds[_WARM:])
    return {
        "recipe": recipe,
        "size": size,
        "batch": loop.config.training.batch,
        "gflop_per_image": counter.total / pictures / 1e9,
        "images_per_sec": pictures / step_sec,
        "share_of_peak": counter.total / step_sec / peak,
        "gradient_bytes": sent,
        "bytes_per_flop": sent / counter.total,
    }


@contextlib.contextmanager
def made(recipe: str, size: int) -> Iterator[Loop]:
    """A loop at its first step, in a folder that goes when it is done."""
    pictures = np.random.default_rng(0).integers(0, 256, (_N_PICTURES, 3, size, size), dtype=np.uint8)
    config = find_recipe(recipe).config.with_settings(device="cpu", images="1M")
    with tempfile.TemporaryDirectory() as folder, joined("cpu") as ranks:
        images = open_images(pictures)
        yield prepare(settle(config, images), images, OwnNetworks(), Path(folder), [], ranks)


def as_markdown(records: list[dict[str, Any]], peak: float, threads: int) -> str:
    """The table."""
    lines = [
        f"{threads} threads, matrix product {peak / 1e9:.0f} GFLOP/s, {date.today().isoformat()}.",
        "",
        "| recipe | px | batch | GFLOP a picture | pictures a second | share of the peak | minutes a million | "
        "gradients a step | Mbit/s that hide them at 8, 64, 1,024 such devices | GB/s on devices of 100 TFLOP/s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|---|",
    ]
    for each in records:
        step_sec = each["gradient_bytes"] / each["bytes_per_flop"] / (each["share_of_peak"] * peak)
        there_sec = step_sec * each["share_of_peak"] * peak / _FAST
        sent = [2 * (n - 1) / n * each["gradient_bytes"] for n in DEVICES]
        here = ", ".join(f"{8e-6 * volume / step_sec:,.0f}" for volume in sent)
        there = ", ".join(f"{1e-9 * volume / there_sec:,.1f}" for volume in sent)
        lines.append(
            f"| {each['recipe']} | {each['size']} | {each['batch']} | {each['gflop_per_image']:.3f} | "
            f"{each['images_per_sec']:,.0f} | {each['share_of_peak']:.0%} | {1e6 / each['images_per_sec'] / 60:,.0f} | "
            f"{each['gradient_bytes'] / 1e6:.1f} MB | {here} | {there} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
