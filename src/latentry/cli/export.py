"""`latentry export`: a model in a form that runs without torch, or as a page."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from latentry.cli.flags import parse_flags


@dataclass(frozen=True)
class ExportFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder, a model folder, or owner/name on the Hugging Face hub"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """the folder to write; an earlier export there is replaced, anything else is left alone"""
    to: Literal["onnx", "page"] = "onnx"
    """onnx: graphs, a manifest that says all else, and a report of how they compare with PyTorch; page: the explorer
    as a folder that any file server shows, with that model in it"""
    precision: Literal["float32", "float16", "int8"] = "float32"
    """how decoder and encoder store their weights; fewer bits make smaller files, at a cost that the report gives"""
    licence: str | None = None
    """of the weights, in your words; written into the manifest"""
    webgpu: bool = True
    """of a page: carry what computes on the browser's GPU too, 27 MB; WebAssembly is always there"""
    runtime: Path | None = None
    """of a page: the npm package onnxruntime-web-1.30.0.tgz, where this machine cannot fetch it"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Export, compare and write; 1 where the exported model differs from the original."""
    flags = parse_flags(
        ExportFlags, arguments, prog="latentry export", description="Write a model as ONNX, or as a page."
    )
    from latentry.export.parity import ParityError

    try:
        (_export_page if flags.to == "page" else _export_onnx)(flags)
    except ParityError as error:
        sys.stderr.write(f"latentry: {error}\n")
        return 1
    return 0


def _export_page(flags: ExportFlags) -> None:
    from latentry.api.export_page import export_page

    made = export_page(
        flags.run,
        flags.output,
        precision=flags.precision,
        licence=flags.licence,
        webgpu=flags.webgpu,
        runtime=flags.runtime,
        say=_say(flags),
    )
    if flags.json:
        sys.stdout.write(json.dumps({"output": str(made.path), "bytes": made.sizes}) + "\n")
        return
    sizes = ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in made.sizes.items())
    sys.stdout.write(f"{made.path}: {sizes}\nto look at it: python -m http.server -d {made.path}\n")


def _export_onnx(flags: ExportFlags) -> None:
    from latentry.api.export import export_onnx

    made = export_onnx(flags.run, flags.output, precision=flags.precision, licence=flags.licence, say=_say(flags))
    largest = max(record["difference"] for record in made.parity["graphs"])
    if flags.json:
        record = {"output": str(made.path), "graphs": made.manifest["graphs"], "parity": made.parity}
        sys.stdout.write(json.dumps(record) + "\n")
        return
    size = sum(record["bytes"] for record in made.manifest["graphs"].values())
    sys.stdout.write(
        f"{', '.join(made.manifest['graphs'])}: {size / 1e6:.1f} MB in {made.path}\n"
        f"largest difference from PyTorch {largest:.2g}, pictures of the same seed differ by "
        f"{made.parity['pictures']['difference']:g}; see {made.path / 'parity.md'}\n"
    )


def _say(flags: ExportFlags) -> Callable[[str], None]:
    def say(line: str) -> None:
        if not flags.json:
            sys.stderr.write(f"{line}\n")

    return say
