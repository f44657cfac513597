"""`latentry plan`: the size, batch and images that fit into a time, from short real runs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from latentry.cli.flags import parse_flags
from latentry.settings.recipes import find_recipe

if TYPE_CHECKING:
    from latentry.api.plan import Option, Plan


@dataclass(frozen=True)
class PlanFlags:
    """The verb's arguments."""

    recipe: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")]
    """a name from `latentry recipes`"""
    budget: str
    """the time from the command to its end, e.g. 10m, 2h"""
    data: str | None = None
    """the pictures, as train --data takes them; by default the recipe's own"""
    size: str | None = None
    """try this size only; by default the pictures' own, smaller if time does not suffice, larger if it does"""
    batch: int | None = None
    """keep this batch; by default the recipe's, and others where they pay"""
    device: str = "auto"
    """auto (cuda, then mps, then cpu), cpu, cuda, cuda:1, mps"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Try, choose and show."""
    description = "Try a recipe for seconds at a few sizes and batches, and propose what fits into a time."
    flags = parse_flags(PlanFlags, arguments, prog="latentry plan", description=description)
    find_recipe(flags.recipe)
    from latentry.api.plan import plan
    from latentry.cli.console import Console

    others: dict[str, Any] = {} if flags.batch is None else {"batch": flags.batch}
    with Console(stderr=True).status("starting") as status:
        found = plan(
            flags.recipe,
            flags.data,
            budget=flags.budget,
            size=flags.size,
            progress=lambda what: status.update(f"trying {what}"),
            device=flags.device,
            **others,
        )
    if flags.json:
        sys.stdout.write(json.dumps(found.to_json()) + "\n")
    else:
        _show(found, flags.budget)
    return 0


def _show(found: Plan, budget: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from latentry.cli.console import Console

    title = f"{found.recipe} on {escape(found.data)} in {budget}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("size", "batch", "images/s", "images", "steps", "enough", "time", "memory", ""):
        table.add_column(head, justify="right", no_wrap=True)
    for option in found.options:
        table.add_row(*_cells(option), "<- chosen" if option == found.chosen else "", style=_style(option, found))
    console = Console()
    console.print(table)
    lines = [*(f"why: {line}" for line in found.why), *(f"warning: {line}" for line in found.warnings)]
    console.print(*lines, "", "type:", f"  {found.command}", sep="\n", highlight=False, markup=False, soft_wrap=True)


def _style(option: Option, found: Plan) -> str | None:
    return "bold" if option == found.chosen else None


def _cells(option: Option) -> list[str]:
    from latentry.report.console import duration

    trial = option.trial
    passes = "" if trial.micro_batch is None else f" by {trial.micro_batch}"
    what = [f"{trial.height} x {trial.width}", f"{trial.batch}{passes}"]
    if not trial.fits:
        return [*what, *[""] * 5, "too much"]
    numbers = [f"{trial.images_per_sec:,.0f}", f"{option.images:,}", f"{option.steps:,}"]
    share = f"{option.images / option.enough:.0%}"
    return [*what, *numbers, share, duration(option.seconds), f"{option.peak_bytes / 2**30:.2f} GiB"]
