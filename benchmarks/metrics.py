"""How fast the metrics are and how much memory they take, beside the formula with SciPy's matrix root, in one run.

usage: python -m benchmarks.metrics [--n 10000] [--dimensions 2048] [--works frechet,scipy,neighbours,kernel]

Each work runs in a process of its own, so that its peak of memory is its own. Features are correlated, with a spectrum
that falls as a network's does; the same for every work.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from latentry.metrics.frechet import frechet_distance
from latentry.metrics.gaussian import GaussianStatistics
from latentry.metrics.kernel import kernel_distance
from latentry.metrics.neighbours import neighbourhoods

Work = Callable[[np.ndarray, np.ndarray], float]


def features(n: int, d: int, seed: int) -> np.ndarray:
    """Float32 features as an extractor gives them, at least 0, [n, d]; the seed moves their mean a little."""
    rng, shared = np.random.default_rng(seed), np.random.default_rng(0)
    mixing = (shared.normal(size=(d, d)) / np.sqrt(d) * np.logspace(0, -2, d)).astype(np.float32)
    return np.maximum(rng.standard_normal((n, d), np.float32) @ mixing + np.float32(0.3 + 0.02 * seed), 0)


def ours_frechet(x: np.ndarray, y: np.ndarray) -> float:
    """The distance, from features to number."""
    return frechet_distance(GaussianStatistics.of(x), GaussianStatistics.of(y))


def scipy_frechet(x: np.ndarray, y: np.ndarray) -> float:
    """The formula as it is usually computed: a matrix root of S1 S2."""
    import scipy.linalg

    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shift = x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)
    root = scipy.linalg.sqrtm(s1 @ s2)
    return float(shift @ shift + np.trace(s1 + s2 - 2 * np.real(root)))


def ours_neighbours(x: np.ndarray, y: np.ndarray) -> float:
    """Precision, recall, density and coverage, with intervals."""
    return neighbourhoods(x, y, rng=torch.Generator().manual_seed(0)).coverage.value


def ours_kernel(x: np.ndarray, y: np.ndarray) -> float:
    """The kernel distance over all pairs."""
    return kernel_distance(x, y).value


WORKS: dict[str, Work] = {
    "frechet": ours_frechet,
    "scipy": scipy_frechet,
    "neighbours": ours_neighbours,
    "kernel": ours_kernel,
}


def measure(name: str, n: int, d: int) -> dict[str, float]:
    """Seconds by the clock and of the processor, value, peak of memory, and what was added to features and imports."""
    x, y = features(n, d, 1), features(n, d, 2)
    torch.ones(64, 64).double().svd()  # libraries load on first use
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, start_cpu = time.perf_counter(), time.process_time()
    value = WORKS[name](x, y)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "value": value,
        "peak_mib": peak / 1024,
        "added_mib": (peak - before) / 1024,
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--one", choices=list(WORKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.n, arguments.dimensions)))
        return
    print(f"{arguments.n:,} + {arguments.n:,} vectors of {arguments.dimensions:,}, {torch.get_num_threads()} threads\n")
    print("| work | seconds | CPU seconds | value | peak MiB | of which added |\n|---|--:|--:|--:|--:|--:|")
    all_found: dict[str, dict[str, float]] = {}
    for name in arguments.works.split(","):
        size = ["--n", str(arguments.n), "--dimensions", str(arguments.dimensions)]
        command = [sys.executable, "-m", "benchmarks.metrics", "--one", name, *size]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        found = all_found[name] = json.loads(done.stdout)
        print(
            f"| {name} | {found['seconds']:.2f} | {found['cpu_seconds']:.2f} | {found['value']:.6g} "
            f"| {found['peak_mib']:,.0f} | {found['added_mib']:,.0f} |"
        )
    if {"frechet", "scipy"} <= all_found.keys():
        ours, theirs = all_found["frechet"], all_found["scipy"]
        print(
            f"\nfrechet takes 1/{theirs['cpu_seconds'] / ours['cpu_seconds']:.1f} of the CPU seconds of SciPy's root; "
            f"their values differ by {abs(ours['value'] - theirs['value']) / theirs['value']:.1e} of it"
        )


if __name__ == "__main__":
    main()
