"""`latentry doctor --environment`: what this machine has."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from latentry.cli.flags import parse_flags
from latentry.errors import InputError


@dataclass(frozen=True)
class DoctorFlags:
    """The verb's arguments."""

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


def main(arguments: list[str]) -> int:
    """Look and report."""
    flags = parse_flags(DoctorFlags, arguments, prog="latentry doctor", description="Show what this machine has.")
    if not flags.environment:
        raise InputError("doctor has nothing to look at; try latentry doctor --environment")
    record = look_around()
    if flags.json:
        sys.stdout.write(json.dumps(record, indent=2) + "\n")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in record.items():
        shown = "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), shown)
    Console().print(table)
    return 0


def look_around() -> dict[str, Any]:
    """Versions, processors, accelerators, optional packages, where caches are, and the speed of a matrix product."""
    import importlib.util
    import os
    import shutil
    import time

    import torch

    from latentry.data import cache_folder
    from latentry.training.device import pick_device
    from latentry.training.run import environment

    a = torch.ones(1024, 1024)
    torch.mm(a, a)
    start = time.perf_counter()
    for _ in range(5):
        torch.mm(a, a)
    gflops = 5 * 2 * 1024**3 / (time.perf_counter() - start) / 1e9
    known = environment([])
    cache = cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return {
        **{name: known[name] for name in ("latentry", "python", "platform", "processor", "packages")},
        "processors": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "float32_gflops": round(gflops, 1),
        "accelerators": known["cuda"] or (["mps"] if known["mps"] else "none"),
        "device_that_auto_takes": str(pick_device("auto")),
        "optional_packages": {
            name: "installed" if importlib.util.find_spec(name) else f"missing; {use}"
            for name, use in _OPTIONAL.items()
        },
        "cache": str(cache),
        "cache_free_gib": round(shutil.disk_usage(existing).free / 2**30, 1),
    }
