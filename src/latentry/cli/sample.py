"""`latentry sample`: new pictures from a trained model."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import PICTURES, check_count, parse_flags, parse_seeds
from latentry.cli.wish import WishFlags
from latentry.errors import InputError
from latentry.files import check_output


@dataclass(frozen=True)
class SampleFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder, a model folder, an exported folder, or owner/name on the hub"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 16
    """how many pictures, with seeds 0 to n - 1"""
    seeds: str | None = None
    """which seeds instead, e.g. 0-15 or 3,7,20-29; the same seed is the same picture, whatever else is drawn"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("samples.png")
    """a .png or .jpg for one grid, .npy for the pixels, or a folder for one PNG a picture"""
    sampler: str | None = None
    """prior, mixture or two-stage; by default the one that the run chose"""
    truncation: float = 1.0
    """below 1, latents are drawn towards their mean: safer and less varied pictures"""
    condition: WishFlags = field(default_factory=WishFlags)
    """of a conditional model: what to draw; the rest is drawn as often as the data have it"""
    columns: int | None = None
    """pictures in a row of the grid"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Sample and write."""
    flags = parse_flags(SampleFlags, arguments, prog="latentry sample", description="Draw new pictures from a model.")
    check_output(flags.output, *PICTURES, ".npy", "")
    if flags.seeds is None:
        check_count("n", flags.n)
    seeds = parse_seeds(flags.seeds) if flags.seeds is not None else list(range(flags.n))
    if flags.columns is not None and flags.columns < 1:
        raise InputError(f"columns (={flags.columns}) must be at least 1")
    if not 0 <= flags.truncation < math.inf:
        raise InputError(f"truncation (={flags.truncation}) must be 0 or more; 1 draws as fitted")
    from latentry.api.loading import load
    from latentry.report.grid import save_pictures

    model = load(flags.run, device=flags.device)
    wish = flags.condition.read()
    pictures = model.sample(
        seeds=seeds,
        sampler=flags.sampler,
        truncation=flags.truncation,
        class_name=wish.class_name,
        attributes=wish.attributes,
        numbers=wish.numbers,
    )
    written = save_pictures(flags.output, pictures, [f"seed-{seed:06d}" for seed in seeds], flags.columns)
    sampler = flags.sampler or model.sampler
    if flags.json:
        record = {"output": str(written), "n": len(seeds), "seeds": seeds, "sampler": sampler}
        sys.stdout.write(json.dumps(record) + "\n")
    else:
        sys.stdout.write(f"{len(seeds)} picture{'' if len(seeds) == 1 else 's'} drawn from {sampler}: {written}\n")
    return 0
