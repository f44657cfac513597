"""`latentry attributes`: vectors of attributes from labelled pictures, with how well their edits do."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags, parse_names
from latentry.files import check_folder


@dataclass(frozen=True)
class AttributesFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder; the vectors are kept in its model"""
    data: str | None = None
    """labelled pictures, anything that `train --data` takes; by default what the model was trained on"""
    by: str | None = None
    """attributes, or class (each against the rest); by default attributes where the data have such"""
    only: str | None = None
    """labels to learn, e.g. smiling,glasses; by default all. The others still balance and are watched"""
    method: str = "balanced"
    """what comes first in an edit: balanced (freed of the labels that go with it), difference or boundary"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10_000
    """pictures to learn from, at most; samples, where the model has no encoder"""
    graded: int = 200
    """held-out pictures to grade on, at most"""
    probe_shown: int = 30_000
    """pictures that the probe is trained on, counted with repetition; it is kept in the cache"""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """folder for attributes.html and the strips; by default RUN"""
    seed: int = 0
    """of the probe's first weights, and of every choice of pictures"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Learn, grade, keep and show."""
    description = "Learn a vector for every label, grade its edits on held-out pictures, and keep it with the model."
    flags = parse_flags(AttributesFlags, arguments, prog="latentry attributes", description=description)
    check_folder(flags.output or flags.run)
    from latentry.api.attributes import learn_attributes
    from latentry.api.opening import load
    from latentry.cli.console import Console
    from latentry.report.attributes import attribute_table, write_attributes

    model = load(flags.run, device=flags.device)
    with Console(stderr=True).status("opening the pictures") as status:
        report = learn_attributes(
            model,
            flags.data,
            by=flags.by,
            only=parse_names(flags.only),
            method=flags.method,
            n=flags.n,
            n_graded=flags.graded,
            n_shown=flags.probe_shown,
            seed=flags.seed,
            say=status.update,
        )
        status.update("drawing strips")
        page = write_attributes(flags.output or flags.run, model, report)
    if flags.json:
        sys.stdout.write(json.dumps({"page": str(page), **report.to_json()}) + "\n")
        return 0
    console = Console()
    console.print(attribute_table(report))
    for note in report.notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"page: {page}", highlight=False, markup=False, soft_wrap=True)
    name, method, dose = report.best
    source = "--seeds 0-3" if model.network.encode is None else "--image photo.png"
    by = "" if method == flags.method else f" --method {method}"
    wish = shlex.quote(f"{name}={dose:+g}")
    line = f"try:  latentry edit {shlex.quote(str(flags.run))} {source} {wish}{by} -o edited.png"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0
