"""`latentry push`: a model onto the Hugging Face hub."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags


@dataclass(frozen=True)
class PushFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME")]
    """the repository; it is made if it is not there"""
    private: bool = False
    """a new repository is for its owner alone"""
    licence: str | None = None
    """of the weights, as the hub names it, e.g. cc-by-4.0; by default open, but for pictures that latentry draws"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Upload."""
    flags = parse_flags(PushFlags, arguments, prog="latentry push", description="Put a model on the Hugging Face hub.")
    from latentry.api.opening import load
    from latentry.export.hub import push_to_hub

    address = push_to_hub(load(flags.run), flags.name, private=flags.private, licence=flags.licence)
    sys.stdout.write((json.dumps({"address": address}) if flags.json else address) + "\n")
    return 0
