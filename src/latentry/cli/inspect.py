"""`latentry inspect`: what is in a folder of pictures, before any training."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags
from latentry.settings.data import Channels, DataSettings, Fit


@dataclass(frozen=True)
class InspectFlags:
    """The verb's arguments."""

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA")]
    """a folder, zip, IDX, npy, npz or parquet, hf:owner/name, or faces, digits, shapes, ring, grid, stacked:digits"""
    size: str | None = None
    """side in pixels that pictures would be brought to, or HEIGHTxWIDTH"""
    channels: Channels = "auto"
    """what colours would become"""
    fit: Fit = "crop"
    """how pictures of another shape would be made to fit"""
    json: bool = False
    """print the report as JSON, and nothing else"""


def main(arguments: list[str]) -> int:
    """Inspect and report."""
    description = "Report on pictures before training: sizes, modes, faulty files, duplicates, labels, leakage."
    flags = parse_flags(InspectFlags, arguments, prog="latentry inspect", description=description)
    settings = DataSettings(data=flags.data, size=flags.size, channels=flags.channels, fit=flags.fit)
    from latentry.data import inspect_images

    report = inspect_images(settings.data, size=settings.size_px, channels=settings.channels, fit=settings.fit)
    if flags.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
        return 0
    from latentry.cli.console import Console
    from latentry.report.data_report import render_report

    Console().print(render_report(report))
    return 0
