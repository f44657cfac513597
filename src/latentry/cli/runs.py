"""`latentry runs`: the runs in a folder, with their scores."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from latentry.cli.flags import parse_flags
from latentry.errors import InputError


@dataclass(frozen=True)
class RunsFlags:
    """The verb's arguments."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """where run folders are"""
    json: bool = False
    """print a JSON list, and nothing else"""


@dataclass(frozen=True)
class RunRow:
    """One run in the list."""

    run: str
    recipe: str
    data: str
    images: int
    seconds: float
    held_out_loss: float | None  # nats per image; comparable between runs of one likelihood on one data set
    state: str


def main(arguments: list[str]) -> int:
    """List them."""
    flags = parse_flags(RunsFlags, arguments, prog="latentry runs", description="List the runs here.")
    if not flags.out.is_dir():
        raise InputError(f"no runs at {flags.out}: there is no such folder; `latentry train vae` makes one")
    from latentry.training.run import open_run

    rows = []
    for path in sorted(flags.out.iterdir()):
        try:
            rows.append(_row(open_run(path)))
        except InputError:
            continue  # some other folder
    if flags.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        return 0
    from rich import box
    from rich.table import Column, Table

    from latentry.cli.console import Console

    numbers = [Column(name, justify="right") for name in ("images", "seconds", "held-out loss")]
    table = Table(Column(f"run in {flags.out}", overflow="fold"), *numbers, "state", box=box.SIMPLE)
    for row in rows:
        loss = "" if row.held_out_loss is None else f"{row.held_out_loss:,.1f}"
        table.add_row(Path(row.run).name, f"{row.images:,}", f"{row.seconds:,.0f}", loss, row.state)
    Console().print(table)
    return 0


def _row(run: Any) -> RunRow:
    from latentry.files import read_json

    config, log = run.read_config(), run.read_log()
    last: dict[str, Any] = log[-1] if log else {"images": 0, "seconds": 0.0, "held_out": None}
    held_out = last["held_out"]
    return RunRow(
        run=str(run.path),
        recipe=config.recipe,
        data=read_json(run.data_file)["name"],
        images=last["images"],
        seconds=last["seconds"],
        held_out_loss=(held_out or {}).get("loss"),  # a game of two has none
        state="finished" if run.ended else "unfinished",
    )
