"""`latentry traverse`: what each dimension of a latent space changes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags


@dataclass(frozen=True)
class TraverseFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    dims: int = 8
    """how many dimensions, those that hold most; each is a row"""
    seed: int = 0
    """of the latent that is moved, and of what a conditional model is told"""
    reach: float = 3.0
    """how far either way, in standard deviations"""
    stops: int = 7
    """pictures in a row"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("traverse.png")
    """a .png or .jpg"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Traverse and write."""
    description = "Move one dimension of a latent at a time; those that hold most come first."
    flags = parse_flags(TraverseFlags, arguments, prog="latentry traverse", description=description)
    from latentry.api.opening import load
    from latentry.api.walks import traverse
    from latentry.report.grid import save_picture
    from latentry.report.sheet import labelled_sheet

    model = load(flags.run, device=flags.device)
    found = traverse(model, flags.dims, seed=flags.seed, reach=flags.reach, stops=flags.stops)
    unit = "nats" if found.by == "kl" else "of 255"
    ranked = list(zip(found.dims, found.scores, strict=True))
    rows = [f"{dim}: {score:.2f} {unit}" for dim, score in ranked]
    save_picture(flags.output, labelled_sheet(found.images, [f"{stop:+.3g}" for stop in found.stops], rows))
    if flags.json:
        dims = [{"dim": dim, found.by: score} for dim, score in ranked]
        record = {"output": str(flags.output), "ranked_by": found.by, "stops": found.stops, "dims": dims}
        sys.stdout.write(json.dumps(record) + "\n")
        return 0
    what = "nats that each holds of a picture" if found.by == "kl" else "mean change of a pixel, of 255"
    sys.stdout.write(f"{len(ranked)} dimensions by {what}, from {-flags.reach:g} to {flags.reach:g}: {flags.output}\n")
    return 0
