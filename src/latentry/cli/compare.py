"""`latentry compare`: runs side by side, or recipes trained on the same pictures for the same time."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from latentry.cli.flags import parse_flags, parse_names
from latentry.files import check_output
from latentry.settings.recipes import find_recipe

if TYPE_CHECKING:
    from latentry.metrics.comparison import Group
    from latentry.report.comparison import Comparison


@dataclass(frozen=True)
class CompareFlags:
    """The verb's arguments."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")] = ()
    """run folders that have ended"""
    data: str | None = None
    """pictures to train on, as train --data takes them; with --recipes"""
    recipes: str | None = None
    """names such as vae,dcgan,wgan-gp: each is trained on --data, one after the other; what is trained already stays"""
    size: str | None = None
    """with --recipes: side in pixels, or HEIGHTxWIDTH; by default as train takes it"""
    budget: str = "10m"
    """with --recipes: how long each is trained, e.g. 10m"""
    out: Path = Path("runs")
    """with --recipes: where the runs are made, and found again"""
    extractor: str | None = None
    """inception, dinov2, probe, random or auto; by default evaluations that runs have kept, if made alike, else auto"""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """generated pictures to measure; by default 5,000, at most half of the real ones"""
    seed: int = 0
    """of the training, the samples and the measuring"""
    device: str | None = None
    """with --recipes: where to train: auto, cpu, cuda, mps"""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """the page; by default compare.html beside the first run"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Train where asked, measure, rank, show; 130 or 143 when a signal stopped it: the same command goes on."""
    description = "Compare runs, or recipes trained on the same pictures for the same time, on one page."
    flags = parse_flags(CompareFlags, arguments, prog="latentry compare", description=description)
    if flags.output is not None:
        check_output(flags.output, ".html")
    recipes = parse_names(flags.recipes) or []
    for recipe in recipes:
        find_recipe(recipe)
    from latentry.api.compare import compare
    from latentry.api.contest import Stopped
    from latentry.cli.console import Console
    from latentry.report.console import ConsoleObserver

    console = Console(stderr=True, quiet=flags.json)
    settings: dict[str, Any] = {name: getattr(flags, name) for name in ("size", "device") if getattr(flags, name)}
    try:
        found = compare(
            flags.runs,
            data=flags.data,
            recipes=recipes,
            budget=flags.budget,
            out=flags.out,
            extractor=flags.extractor,
            n=flags.n,
            seed=flags.seed,
            page=flags.output,
            observers=[ConsoleObserver(console)],
            say=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
            **settings,
        )
    except Stopped as stopped:
        console.print(f"{stopped}; the same command goes on", highlight=False, markup=False, soft_wrap=True)
        return 128 + stopped.signal
    if flags.json:
        sys.stdout.write(json.dumps(found.to_json()) + "\n")
    else:
        _show(found)
    return 0


def _show(found: Comparison) -> None:
    from latentry.cli.console import Console

    console = Console()
    for part in found.groups:
        console.print(_table(part, found))
    lines = [*found.answer, *(f"note: {line}" for line in (*found.cautions, *found.notes))]
    console.print(*lines, sep="\n", highlight=False, markup=False, soft_wrap=True)


def _table(part: Group, found: Comparison) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from latentry.report.comparison import REAL, table_rows

    first = found.named(part.names[0])
    title = f"{first.data}, {first.shape[1]} x {first.shape[2]}; bold: the best, and what chance may have put behind it"
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("", *part.names, REAL):
        table.add_column(escape(head), overflow="fold")
    for name, cells, marks in table_rows(part, found):
        shown = (
            f"[bold]{escape(cell)}[/bold]" if mark else escape(cell) for cell, mark in zip(cells, marks, strict=True)
        )
        table.add_row(escape(name), *shown)
    return table
