"""`latentry evaluate`: numbers with their protocol, of a run or of pictures."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags


@dataclass(frozen=True)
class EvaluateFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder; or, with --data, pictures that stand in for one, as train --data takes them"""
    data: str | None = None
    """the real pictures; by default those that the run was trained on"""
    extractor: str = "auto"
    """inception (the FID of papers), dinov2, probe (of the data's labels) or random; auto takes the first at hand"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 5000
    """generated pictures, against as many real ones; at most half of the real ones"""
    seed: int = 0
    """of the samples and of every choice"""
    weights: Path | None = None
    """of inception (a .pth file) or dinov2 (a folder)"""
    statistics: Path | None = None
    """an .npz with mu and sigma, ours or pytorch-fid's: a Frechet distance to it as well"""
    export: Path | None = None
    """write the reference's statistics as such an .npz"""
    size: int | None = None
    """side in pixels at which pictures that stand in for a run are measured; by default their own up to 128, else 64"""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """folder for evaluation.json, copies.png and the page; by default RUN, and nowhere for pictures"""
    device: str = "cpu"
    """where the model samples, and inception and dinov2 compute: cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Measure, keep and show."""
    description = "Measure a run or pictures: every number with its interval, its floor and what it was measured with."
    flags = parse_flags(EvaluateFlags, arguments, prog="latentry evaluate", description=description)
    from rich.progress import BarColumn, Progress, TextColumn

    from latentry.api.evaluate import evaluate
    from latentry.cli.console import Console
    from latentry.report.evaluation import evaluation_lines, evaluation_table

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}/{task.total:,.0f}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1)
        found = evaluate(
            flags.run,
            flags.data,
            extractor=flags.extractor,
            n=flags.n,
            seed=flags.seed,
            weights=flags.weights,
            statistics=flags.statistics,
            export=flags.export,
            size=flags.size,
            device=flags.device,
            out=flags.output,
            progress=lambda what, done, total: progress.update(task, description=what, completed=done, total=total),
        )
    if flags.json:
        sys.stdout.write(json.dumps(found.to_json()) + "\n")
        return 0
    console = Console()
    console.print(evaluation_table(found))
    console.print(*evaluation_lines(found), sep="\n", highlight=False, markup=False, soft_wrap=True)
    return 0
