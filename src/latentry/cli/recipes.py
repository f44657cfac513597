"""`latentry recipes`: the presets."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from latentry.cli.flags import parse_flags
from latentry.settings.recipes import RECIPES


@dataclass(frozen=True)
class RecipesFlags:
    """The verb's arguments."""

    json: bool = False
    """print one JSON object with every setting, and nothing else"""


def main(arguments: list[str]) -> int:
    """List them."""
    flags = parse_flags(RecipesFlags, arguments, prog="latentry recipes", description="List the presets.")
    if flags.json:
        rows = {
            name: {"title": row.title, "source": row.source, "result": row.result, "config": row.config.to_json()}
            for name, row in RECIPES.items()
        }
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    from rich.table import Table

    from latentry.cli.console import Console

    table = Table("recipe", "what it is, its source, what it reached", show_lines=True)
    for name, row in RECIPES.items():
        table.add_row(name, "\n".join(filter(None, [row.title, f"[dim]{row.source}[/dim]", row.result])))
    Console().print(table)
    return 0
