"""`latentry reproduce`: a published result, by command."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags


@dataclass(frozen=True)
class ReproduceFlags:
    """The verb's arguments."""

    name: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="NAME")] = None
    """of the result; without one, what there is is listed"""
    data: Path | None = None
    """the pictures that the result was obtained on"""
    out: Path = Path("runs")
    """where the run's folder is made"""
    run: Path | None = None
    """a run that was begun before: it is finished, if it is not, and measured"""
    seed: int = 0
    """of training"""
    epochs: float | None = None
    """fewer than were published, to try it"""
    device: str = "auto"
    """auto (cuda, then mps, then cpu), cpu, cuda, cuda:1, mps"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """List, or train and measure; 1 where the result is not reached."""
    description = "Train as a publication did, measure as it did, and compare."
    flags = parse_flags(ReproduceFlags, arguments, prog="latentry reproduce", description=description)
    from latentry.api.published import PUBLISHED
    from latentry.api.reproduce import reproduce
    from latentry.cli.console import Console
    from latentry.report.console import ConsoleObserver

    if flags.name is None:
        return _list(flags)
    found = reproduce(
        flags.name,
        flags.data,
        out=flags.out,
        run=flags.run,
        seed=flags.seed,
        epochs=flags.epochs,
        device=flags.device,
        observers=[ConsoleObserver(Console(stderr=flags.json, quiet=flags.json))],
    )
    published = PUBLISHED[flags.name]
    if flags.json:
        sys.stdout.write(json.dumps({**dataclasses.asdict(found), "path": str(found.path)}) + "\n")
    else:
        error = "" if found.error is None else f" +- {found.error:.2f}"
        verdict = "reproduced" if found.met else "not reproduced"
        lines = [
            f"{verdict}: {found.value:.2f}{error} {published.unit}; published {published.value}, "
            f"at most {published.aim} counts",
            *found.told,
            f"protocol: {published.protocol}",
            f"run: {found.path}",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found.met else 1


def _list(flags: ReproduceFlags) -> int:
    from latentry.api.published import PUBLISHED

    if flags.json:
        sys.stdout.write(json.dumps({name: dataclasses.asdict(each) for name, each in PUBLISHED.items()}) + "\n")
        return 0
    for name, each in PUBLISHED.items():
        sys.stdout.write(f"{name}\n  {each.title}: {each.value} {each.unit}\n  {each.source}\n  takes {each.data}\n")
    return 0
