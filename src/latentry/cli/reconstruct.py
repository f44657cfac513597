"""`latentry reconstruct`: pictures, and what the model makes of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import PICTURES, parse_flags
from latentry.cli.wish import WishFlags
from latentry.files import check_output


@dataclass(frozen=True)
class ReconstructFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    data: str | None = None
    """pictures to reconstruct: a file or anything that `train --data` takes; by default the run's held-out pictures"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 32
    """how many pictures, at most"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("reconstructions.png")
    """a .png or .jpg: rows of originals, each above its reconstructions"""
    condition: WishFlags = field(default_factory=WishFlags)
    """of a conditional model: what all the pictures show, where their labels do not say it"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Reconstruct, write the pairs, and say how far they are apart."""
    description = "Encode and decode pictures, side by side with the originals."
    flags = parse_flags(ReconstructFlags, arguments, prog="latentry reconstruct", description=description)
    check_output(flags.output, *PICTURES)
    import numpy as np

    from latentry.api.opening import load, open_for_model
    from latentry.report.grid import pairs, save_picture

    model = load(flags.run, device=flags.device)
    images, conditions = open_for_model(model, flags.data, flags.n, flags.condition.read())
    reconstructed = model.reconstruct(images, conditions)
    save_picture(flags.output, pairs(images, reconstructed))
    squared = np.square(images.astype(np.float64) - reconstructed)
    if model.image.points:
        distance = float(np.sqrt(squared.sum(axis=(1, 2, 3))).mean())
        record, said = {"mean_distance": distance}, f"points, mean distance {distance:.3g}"
    else:
        psnr = float(np.mean(-10 * np.log10(np.maximum(squared.mean(axis=(1, 2, 3)) / 255**2, 1e-10))))
        record, said = {"mean_psnr_db": psnr}, f"pictures, mean PSNR {psnr:.2f} dB"
    if flags.json:
        sys.stdout.write(json.dumps({"output": str(flags.output), "n": len(images), **record}) + "\n")
    else:
        sys.stdout.write(f"{len(images)} {said}: {flags.output}\n")
    return 0
