"""`latentry explore`: a page on which anyone plays with the latent space."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags
from latentry.errors import InputError


@dataclass(frozen=True)
class ExploreFlags:
    """The verb's arguments."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN")]
    """run or model folders, side by side on the same latents; one that is training shows how it does"""
    port: int = 7860
    """where the page is served; 0 takes any port that is free"""
    host: str = "127.0.0.1"
    """this machine alone; an address that others can reach needs --token"""
    token: str | None = None
    """a secret of at least 8 letters, without which nothing is answered"""
    open: bool = False
    """open the page in the browser"""
    serve_training_data: bool = False
    """show the training pictures nearest to a picture, and grids that hold real ones"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object once the page can be opened, and nothing else"""


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C."""
    description = "Open a page on which anyone plays with the latent space; Ctrl-C ends it."
    flags = parse_flags(ExploreFlags, arguments, prog="latentry explore", description=description)
    if not flags.runs:
        raise InputError("explore needs at least one run folder; `latentry runs` lists the runs here")
    from latentry.api.explore import explore

    def ready(address: str) -> None:
        record = {"url": address, "runs": [str(run) for run in flags.runs]}
        sys.stdout.write(json.dumps(record) + "\n" if flags.json else f"{address}    (Ctrl-C ends it)\n")
        sys.stdout.flush()

    explore(
        flags.runs,
        port=flags.port,
        host=flags.host,
        token=flags.token,
        device=flags.device,
        serve_training_data=flags.serve_training_data,
        open_page=flags.open,
        ready=ready,
    )
    return 0
