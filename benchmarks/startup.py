"""How soon the command line answers: help, and the first step of training with pictures already decoded.

usage: python -m benchmarks.startup [--repeats 5] [--recipe vae] [--data faces]

Each is a fresh process, timed from the command: the interpreter and every import count. One run before them fills the
cache of decoded pictures and the file system's own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

# The command line's own entry, with the clock read when the first step has been made.
FIRST_STEP = """
import os, sys, time
import latentry.cli
from latentry.training.loop import Loop

make_step = Loop._step

def timed(loop, progress):
    make_step(loop, progress)
    print(time.time(), flush=True)
    os._exit(0)

Loop._step = timed
latentry.cli.main()
"""
HELP = "import latentry.cli; latentry.cli.main()"


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipe", default="vae")
    parser.add_argument("--data", default="faces")
    arguments = parser.parse_args()
    helped = {
        f"latentry {' '.join(words)} --help".replace("  ", " "): lambda words=words: seconds_of_help(words)
        for words in ((), ("train",), ("train", arguments.recipe), ("sample",), ("evaluate",), ("explore",))
    }
    first = {
        f"latentry train {arguments.recipe} --data {arguments.data}, until its first step": lambda: (
            seconds_to_first_step(arguments.recipe, arguments.data)
        )
    }
    for name, measure in {**helped, **first}.items():
        measure()
        taken = [measure() for _ in range(arguments.repeats)]
        print(f"{name}: {statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f})")


def seconds_of_help(words: tuple[str, ...]) -> float:
    """From the command to its end."""
    start = time.time()
    subprocess.run([sys.executable, "-c", HELP, *words, "--help"], capture_output=True, check=True)
    return time.time() - start


def seconds_to_first_step(recipe: str, data: str) -> float:
    """From the command until one step has changed the weights."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", FIRST_STEP, "train", recipe, "--data", data, "--images", "1M", "--out", out]
        start = time.time()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return float(done.stdout.split()[-1]) - start


if __name__ == "__main__":
    main()
