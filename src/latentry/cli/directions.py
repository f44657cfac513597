"""`latentry directions`: what varies most in a latent space, without labels."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import PICTURES, parse_flags, parse_seeds
from latentry.errors import InputError
from latentry.files import check_output

_DOSES = (-3, -2, -1, 0, 1, 2, 3)


@dataclass(frozen=True)
class DirectionsFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder; the directions are kept in its model"""
    how: str | None = None
    """principal (of latents), activations (GANSpace) or weights (SeFa); by default principal with an encoder, else
    activations"""
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 8
    """how many, the strongest first"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 2000
    """latents to look at"""
    seeds: str = "0"
    """samples to show each direction on, one row each"""
    name: str | None = None
    """names to keep some under, by rank, e.g. 1=pose,3=light; the others are called by how they were found"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("directions.png")
    """a .png or .jpg: a row for each direction, moved by -3 to 3 standard deviations"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Find, keep and show."""
    description = "Find the directions along which pictures vary most, and keep them with the model by name."
    flags = parse_flags(DirectionsFlags, arguments, prog="latentry directions", description=description)
    check_output(flags.output, *PICTURES)
    seeds, names = parse_seeds(flags.seeds), _names(flags.name)
    import numpy as np

    from latentry.api.directions import find_directions
    from latentry.api.opening import load
    from latentry.report.grid import save_picture, tile

    model = load(flags.run, device=flags.device)
    vectors = find_directions(model, flags.how, k=flags.k, n=flags.n, names=names)
    told = model.conditions(seeds)
    z = model.latents(seeds, conditions=told)
    rows = [
        np.stack([model.edit_latents(z, {v.name: dose}, method=v.method, conditions=told) for dose in _DOSES], axis=1)
        for v in vectors
    ]
    sheet = np.concatenate(rows)  # [directions * seeds, doses, C, H, W]
    save_picture(flags.output, tile(sheet.reshape(-1, *sheet.shape[2:]), len(_DOSES)))
    if flags.json:
        found = [{"name": v.name, "method": v.method, "unit": v.unit, **v.data} for v in vectors]
        sys.stdout.write(json.dumps({"output": str(flags.output), "directions": found}) + "\n")
        return 0
    for vector in vectors:
        sys.stdout.write(f"{vector.data['rank']:>3}  {vector.name:<20} {vector.data['share']:>6.1%}\n")
    sys.stdout.write(f"each row of {flags.output} is one, from -3 to 3; dose 1 is one {vectors[0].unit}\n")
    return 0


def _names(text: str | None) -> dict[int, str]:
    """Names by rank from `1=pose,3=light`."""
    names: dict[int, str] = {}
    for part in text.split(",") if text is not None else ():
        rank, _, name = part.partition("=")
        if not rank.strip().isdecimal() or not name.strip():
            raise InputError(f"name (={text!r}) must be ranks with names, such as 1=pose,3=light")
        names[int(rank)] = name.strip()
    return names
