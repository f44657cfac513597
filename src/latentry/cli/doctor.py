"""`latentry doctor RUN`: what goes wrong in a run, and the flag to change; `--environment`: what this machine has."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from latentry.cli.flags import parse_flags
from latentry.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DoctorFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")] = None
    """a run folder, of a run that has ended, was stopped or is still going"""
    environment: bool = False
    """show versions, processors, accelerators, optional packages, caches and speed"""
    json: bool = False
    """print one JSON object, and nothing else"""


_OPTIONAL = {
    "pyarrow": "parquet files: pip install 'latentry[parquet]'",
    "datasets": "hf: data sets: pip install 'latentry[hub]'",
    "tensorboard": "--track tensorboard: pip install 'latentry[track]'",
    "wandb": "--track wandb: pip install 'latentry[track]'",
    "mlflow": "--track mlflow: pip install 'latentry[track]'",
}


_WORTH_IT = 2.0  # times float32's rate, from which bfloat16 makes training of convolutions faster on a processor


def main(arguments: list[str]) -> int:
    """Look and report; findings are no failure of the command."""
    description = "Say what goes wrong in a run, why, and which flag to change; or show what this machine has."
    flags = parse_flags(DoctorFlags, arguments, prog="latentry doctor", description=description)
    if flags.run is None and not flags.environment:
        raise InputError("doctor has nothing to look at; try latentry doctor RUN, or latentry doctor --environment")
    record: dict[str, Any] = {}
    if flags.run is not None:
        from latentry.training.doctor import diagnose_run

        findings = diagnose_run(flags.run)
        record |= {"run": str(flags.run), "findings": [dataclasses.asdict(finding) for finding in findings]}
    if flags.environment:
        record |= look_around()
    if flags.json:
        sys.stdout.write(json.dumps(record, indent=2) + "\n")
        return 0
    if flags.run is not None:
        from latentry.report.findings import finding_lines

        lines = [line for finding in findings for line in ("", *finding_lines(finding))]
        head = f"{flags.run}: {len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}"
        sys.stdout.write("\n".join([head, *lines, ""]))
    if flags.environment:
        _print_environment(record)
    return 0


def _print_environment(record: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from latentry.cli.console import Console

    table = Table(show_header=False)
    for name, value in record.items():
        if name not in ("run", "findings"):
            shown = "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            table.add_row(name.replace("_", " "), escape(shown))
    Console().print(table)


def look_around() -> dict[str, Any]:
    """Versions, processors, accelerators, optional packages, where caches are, and the speed of a matrix product."""
    import importlib.util
    import os
    import shutil

    import torch

    from latentry.data import cache_folder
    from latentry.training.device import pick_device
    from latentry.training.run import environment

    float32, bfloat16 = _gflops(torch.float32), _gflops(torch.bfloat16)
    faster = bfloat16 > _WORTH_IT * float32
    known = environment([])
    cache = cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return {
        **{name: known[name] for name in ("latentry", "python", "platform", "processor", "packages")},
        "processors": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "float32_gflops": round(float32, 1),
        "bfloat16_gflops": f"{bfloat16:.1f}{'; convolutions gain by --precision bfloat16' if faster else ''}",
        "accelerators": known["cuda"] or (["mps"] if known["mps"] else "none"),
        "device_that_auto_takes": str(pick_device("auto")),
        "optional_packages": {
            name: "installed" if importlib.util.find_spec(name) else f"missing; {use}"
            for name, use in _OPTIONAL.items()
        },
        "cache": str(cache),
        "cache_free_gib": round(shutil.disk_usage(existing).free / 2**30, 1),
    }


def _gflops(dtype: torch.dtype) -> float:
    """Of a product of two large matrices on the processor."""
    import time

    import torch

    a = torch.ones(1024, 1024, dtype=dtype)
    torch.mm(a, a)
    start = time.perf_counter()
    for _ in range(5):
        torch.mm(a, a)
    return 5 * 2 * 1024**3 / (time.perf_counter() - start) / 1e9
