"""`latentry pull`: a model from the Hugging Face hub."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags


@dataclass(frozen=True)
class PullFlags:
    """The verb's arguments."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME")]
    """the repository"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """the folder to write, which must not exist yet"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Fetch and write."""
    flags = parse_flags(PullFlags, arguments, prog="latentry pull", description="Fetch a model from the hub.")
    from latentry.export.hub import pull

    written = pull(flags.name, flags.output)
    if flags.json:
        sys.stdout.write(json.dumps({"output": str(written)}) + "\n")
    else:
        sys.stdout.write(f"{flags.name}: {written}\ntry: latentry sample {written}\n")
    return 0
