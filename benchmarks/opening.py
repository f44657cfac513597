"""How long it takes to open pictures: cold (list, decode, cache) and warm, each in a process of its own.

usage: python -m benchmarks.opening PATH [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

OPEN = """
import sys, time
from latentry.data import open_images
start = time.perf_counter()
images = open_images(sys.argv[1])
print(len(images), time.perf_counter() - start)
"""


def main() -> None:
    """Measure and print medians in seconds; the import of latentry.data is not counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cold: list[float] = []
    warm: list[float] = []
    n = 0
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as cache:
            for seconds in (cold, warm):
                n, taken = open_once(arguments.path, cache)
                seconds.append(taken)
    print(f"{n:,} pictures: cold {statistics.median(cold):.2f} s, warm {statistics.median(warm):.3f} s")


def open_once(path: str, cache: str) -> tuple[int, float]:
    """Open in a fresh process; how many pictures, and the seconds it took."""
    command = [sys.executable, "-c", OPEN, path]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "LATENTRY_CACHE": cache}
    )
    n, seconds = done.stdout.split()
    return int(n), float(seconds)


if __name__ == "__main__":
    main()
