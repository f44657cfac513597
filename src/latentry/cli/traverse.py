"""`latentry traverse`: what each dimension of a latent space changes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import PICTURES, parse_flags, parse_names
from latentry.errors import InputError
from latentry.files import check_output


@dataclass(frozen=True)
class TraverseFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    dims: int = 8
    """how many dimensions, those that hold most; each is a row"""
    vectors: str | None = None
    """follow these vectors instead, kept with the model by `attributes` or `directions`: names with commas, or all"""
    seed: int = 0
    """of the latent that is moved, and of what a conditional model is told"""
    reach: float = 3.0
    """how far either way: standard deviations of a dimension, or doses of a vector"""
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
    description = "Move a latent along one dimension, or one vector, at a time; those that change most come first."
    flags = parse_flags(TraverseFlags, arguments, prog="latentry traverse", description=description)
    check_output(flags.output, *PICTURES)
    from latentry.api.opening import load
    from latentry.api.walks import traverse
    from latentry.report.grid import save_picture
    from latentry.report.sheet import labelled_sheet

    model = load(flags.run, device=flags.device)
    if model.image.points:
        raise InputError("this model draws points of the plane; traverse shows pictures; try latentry sample")
    vectors = None if flags.vectors is None else [] if flags.vectors == "all" else parse_names(flags.vectors)
    found = traverse(model, flags.dims, vectors=vectors, seed=flags.seed, reach=flags.reach, stops=flags.stops)
    unit = "nats" if found.by == "kl" else "of 255"
    ranked = list(zip(found.names, found.scores, strict=True))
    rows = [f"{name}: {score:.2f} {unit}" for name, score in ranked]
    save_picture(flags.output, labelled_sheet(found.images, [f"{stop:+.3g}" for stop in found.stops], rows))
    if flags.json:
        rows_found = [{"name": name, found.by: score} for name, score in ranked]
        record = {"output": str(flags.output), "ranked_by": found.by, "stops": found.stops, "rows": rows_found}
        sys.stdout.write(json.dumps(record) + "\n")
        return 0
    what = "nats that each holds of a picture" if found.by == "kl" else "mean change of a pixel, of 255"
    kind = "dimensions" if vectors is None else "vectors"
    sys.stdout.write(f"{len(ranked)} {kind} by {what}, from {-flags.reach:g} to {flags.reach:g}: {flags.output}\n")
    return 0
