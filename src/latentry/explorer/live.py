"""A run as it stands on disk, for a page that asks every few seconds while it trains."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from latentry.errors import InputError
from latentry.explorer.messages import CurveMessage, FindingMessage, LiveReply, finite
from latentry.files import read_json
from latentry.training.checkpoint import best_checkpoint, list_checkpoints
from latentry.training.doctor import diagnose_run
from latentry.training.run import Run, open_run

_MOST_POINTS = 400  # of a curve: no screen shows more
_MOST_GRIDS = 60


def newest_weights(path: Path) -> str:
    """A name for the weights that `load` would read now; empty where there are none."""
    if (path / "model.safetensors").is_file() or (path / "model" / "model.safetensors").is_file():
        return "model"
    run = Run(path)
    checkpoints = list_checkpoints(run.checkpoints) if run.checkpoints.is_dir() else []
    chosen = best_checkpoint(run.checkpoints) or checkpoints[-1] if checkpoints else None
    return "" if chosen is None else chosen.name


def has_log(path: Path) -> bool:
    """Whether this is a run, and no model folder that was copied out of one."""
    return (path / "checkpoints").is_dir()


def read_live(path: Path, weights: str, *, training_data: bool) -> LiveReply:
    """How far a run is, and how it does.

    Args:
        path: of the run.
        weights: those that are shown.
        training_data: whether grids with real pictures may be named too.

    Raises:
        InputError: it is a model folder, or damaged.
    """
    run = open_run(path)
    log, newest = run.read_log(), newest_weights(path)
    last: dict[str, Any] = log[-1] if log else {}
    ticks = run.read_config().training.ticks
    finished = newest == "model"
    return LiveReply(
        finished=finished,
        progress=1.0 if finished else min(1.0, len(log) / ticks),
        images=int(last.get("images", 0)),
        seconds=float(last.get("seconds", 0.0)),
        images_per_sec=finite(last.get("images_per_sec")),
        curves=_curves(log),
        findings=[
            FindingMessage(name=found.name, evidence=found.evidence, cause=found.cause, change=found.change)
            for found in (diagnose_run(path) if log else [])
        ],
        grids=list(list_grids(path, training_data=training_data)),
        newer_weights=newest not in ("", weights),
    )


def list_grids(path: Path, *, training_data: bool) -> dict[str, Path]:
    """The newest pictures in `samples/` by name: real ones, if they may be shown, then drawn ones, oldest first.

    A request names one of these; nothing that a request holds becomes part of a path.
    """
    run = Run(path)
    found = sorted(run.samples.glob("*.png")) if run.samples.is_dir() else []
    drawn = [file for file in found if file.stem.isdigit()]
    real = [file for file in found if file.stem == "reals" or file.stem.startswith("reconstructions-")]
    kept = (real[-_MOST_GRIDS:] if training_data else []) + drawn[-_MOST_GRIDS:]
    return {file.stem: file for file in kept}


def read_grid(path: Path, name: str, *, training_data: bool) -> bytes:
    """One of the pictures of `list_grids`, as the bytes of a PNG.

    Raises:
        InputError: there is none of this name.
    """
    file = list_grids(path, training_data=training_data).get(name)
    if file is None:
        raise InputError(f"this run has no picture {name[:40]!r}; ask for the list again")
    return file.read_bytes()


def data_name(path: Path) -> str:
    """The name of the pictures that a run is trained on."""
    file = Run(path).data_file
    return str(read_json(file).get("name", "pictures")) if file.is_file() else "pictures"


def _curves(log: list[dict[str, Any]]) -> list[CurveMessage]:
    """Every number that the log has of training or of held-out pictures, thinned to what a screen can show."""
    step = math.ceil(len(log) / _MOST_POINTS) if log else 1
    rows = [*log[::step], *([log[-1]] if log and (len(log) - 1) % step else [])]
    names = dict.fromkeys(
        name
        for record in rows
        for part in ("train", "held_out")
        for name, value in (record.get(part) or {}).items()
        if isinstance(value, int | float)
    )
    return [
        CurveMessage(
            name=name,
            images=[record["images"] for record in rows],
            train=[finite((record.get("train") or {}).get(name)) for record in rows],
            held_out=[finite((record.get("held_out") or {}).get(name)) for record in rows],
        )
        for name in names
    ]
