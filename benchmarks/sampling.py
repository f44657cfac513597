"""How fast trained models give pictures, beside what the operations of their decoder allow.

usage: python -m benchmarks.sampling [--recipes vae,dcgan,r3gan] [--size 64] [--batch 64] [--repeats 5]

"Limit" is the floating-point operations of one decoded picture over the rate of a large matrix product here. Weights do
not matter for speed, so the models are hardly trained. By seeds, each latent is drawn from its own seed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch

import latentry
from benchmarks.ours import CountFlops, matmul_flops_per_sec

_SECONDS = 1.0  # the least that one measurement lasts


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="vae,dcgan,r3gan")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.size} px, batches of {arguments.batch}, {torch.get_num_threads()} threads, pictures a second\n")
    print("| recipe | MFLOP a picture | limit | decoded | share of the limit | by seeds, finished |")
    print("|---|--:|--:|--:|--:|--:|")
    for recipe in arguments.recipes.split(","):
        print(measured(recipe, arguments.size, arguments.batch, arguments.repeats), flush=True)


def measured(recipe: str, size: int, batch: int, repeats: int) -> str:
    """One row."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 3, size, size), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as out:
        run = latentry.train(recipe, pictures, out=out, images=64, batch=32, size=str(size), ticks=1, holdout=0.0)
        model = run.load()
        z = torch.from_numpy(model.latents(range(batch)))
        with torch.no_grad():
            with CountFlops() as counter:
                model.network.decode(z)
            per_picture = counter.total / batch
            rates, limits = [], []
            for _ in range(repeats):  # in turn: a shared machine changes its pace
                limits.append(matmul_flops_per_sec() / per_picture)
                rates.append(batch / seconds(lambda: model.network.decode(z)))
        by_seed = [batch / seconds(lambda: model.sample(batch)) for _ in range(repeats)]
    rate, limit = statistics.median(rates), statistics.median(limits)
    share = statistics.median(done / most for done, most in zip(rates, limits, strict=True))
    return (
        f"| {recipe} | {per_picture / 1e6:,.1f} | {limit:,.0f} | {rate:,.0f} | {share:.0%} "
        f"| {statistics.median(by_seed):,.0f} |"
    )


def seconds(work: Callable[[], object]) -> float:
    """What one call takes, the mean over as many as fill a second."""
    work()
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS:
        work()
        calls += 1
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
