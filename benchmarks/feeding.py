"""Whether training ever waits for pictures: ours beside a plain folder data set with a `DataLoader`.

usage: python -m benchmarks.feeding FOLDER_OR_ZIP [--recipe vae] [--size 64] [--epochs 3]

Ours decodes once into a cache that is mapped into memory; the share of training that is spent taking batches from it is
measured inside the ordinary loop. The plain way opens, crops and converts each picture in every epoch, with as many
workers as there are processors; it is only read, not trained on, and takes folders alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import latentry
from latentry.data import open_images
from latentry.training.stream import PictureStream


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--recipe", default="vae")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.path.is_dir():
        for epoch in range(2):
            print(
                f"plain folder and DataLoader, epoch {epoch + 1}: {plain_rate(arguments.path, arguments.size):,.0f}/s"
            )
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        images = open_images(str(arguments.path), arguments.size, cache=Path(cache))
        opened = time.perf_counter() - start
        print(f"decoded once, {len(images):,} pictures: {opened:.2f} s, {len(images) / opened:,.0f}/s")
        print(f"then read in random order: {stream_rate(PictureStream(images, np.arange(len(images)), CPU)):,.0f}/s")
        seconds, waited = training(images, arguments.recipe, arguments.epochs)
    told = ", ".join(f"{epoch:.1f} s" for epoch in seconds)
    print(f"{arguments.recipe} trained, epochs of {told}; taking batches was {waited:.2%} of it")


CPU = torch.device("cpu")


class PlainFolder(Dataset[torch.Tensor]):
    """Every picture of a folder, opened and converted anew whenever it is asked for."""

    def __init__(self, folder: Path, size: int) -> None:
        self.files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
        self.size = size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, k: int) -> torch.Tensor:
        """One picture in [-1, 1], [3, size, size]."""
        with Image.open(self.files[k]) as picture:
            small = picture.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 127.5 - 1


def plain_rate(folder: Path, size: int) -> float:
    """Pictures a second of one epoch, read and dropped."""
    loader = DataLoader(PlainFolder(folder, size), 64, shuffle=True, num_workers=os.cpu_count() or 1)
    start = time.perf_counter()
    n = sum(len(batch) for batch in loader)
    return n / (time.perf_counter() - start)


def stream_rate(stream: PictureStream) -> float:
    """Pictures a second of one epoch as the loop takes them, converted."""
    start = time.perf_counter()
    n = sum(len(stream.step(step, 64, 0).x) for step in range(len(stream) // 64))
    return n / (time.perf_counter() - start)


def training(images: latentry.ImageSet, recipe: str, epochs: int) -> tuple[list[float], float]:
    """Seconds of each epoch, and the share of all of them that was spent in taking batches."""
    waited = 0.0
    take = PictureStream.step

    def timed(*args, **kwargs):  # type: ignore[no-untyped-def]  # passed on as they are
        nonlocal waited
        start = time.perf_counter()
        batch = take(*args, **kwargs)
        waited += time.perf_counter() - start
        return batch

    PictureStream.step = timed  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as out:
            run = latentry.train(recipe, images, out=out, epochs=float(epochs), ticks=epochs, checkpoints=1)
            ends = [record["seconds"] for record in run.log]
    finally:
        PictureStream.step = take  # type: ignore[method-assign]
    return np.diff([0.0, *ends]).tolist(), waited / ends[-1]


if __name__ == "__main__":
    main()
