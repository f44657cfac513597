"""Checkpoints: tensors in safetensors, the rest in JSON, visible under their final name only when whole.

A checkpoint is a folder named by the images seen. It is written under a temporary name, synced, and renamed; the
JSON holds a hash of the tensors, so that flipped bytes are noticed when it is read.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import uuid
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.files import json_bytes, pack_tensors, read_json, write_folder

TENSORS, STATE = "state.safetensors", "state.json"


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> Path:
    """Write one checkpoint into `folder`, named by `state["images"]`.

    Raises:
        InputError: the disk is full or not writable; nothing is left behind, earlier checkpoints are untouched.
    """
    final = folder / f"{state['images']:012d}"
    if final.exists():  # of this very state, written at its tick
        return final
    content = pack_tensors(tensors)
    record = {**state, "sha256": hashlib.sha256(content).hexdigest()}
    try:
        write_folder(final, {TENSORS: content, STATE: json_bytes(record)})
    except InputError as error:
        kept = list_checkpoints(folder)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "there is no earlier checkpoint"
        raise InputError(f"{error}; {last}; continue with --resume") from error
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*") if (path / STATE).is_file())


def read_state(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's JSON part."""
    record = read_json(checkpoint / STATE)
    if "sha256" not in record:
        raise InputError(f"checkpoint {checkpoint} is damaged: {STATE} is not what was written; delete that folder")
    return record


def load_checkpoint(checkpoint: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON part of a checkpoint.

    Raises:
        InputError: a file is missing, or its bytes are not those that were written.
    """
    state = read_state(checkpoint)
    try:
        content = (checkpoint / TENSORS).read_bytes()
    except OSError as error:
        raise InputError(f"checkpoint {checkpoint} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != state["sha256"]:
        raise InputError(
            f"checkpoint {checkpoint} is damaged: {TENSORS} does not match its hash; delete that folder "
            "to continue from the checkpoint before it"
        )
    return safetensors.torch.load(content), state


def prune(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints and the one with the smallest score."""
    checkpoints = list_checkpoints(folder)
    best = best_checkpoint(folder)
    for path in checkpoints[:-keep]:
        if path != best:
            path.rename(folder / f".{path.name}.{uuid.uuid4().hex[:8]}")  # at once, for those who read meanwhile
    for left_behind in folder.glob(".*"):
        shutil.rmtree(left_behind, ignore_errors=True)


def best_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the smallest held-out score among those that have one; the newest wins a tie."""
    scored = [(path, _score(path)) for path in reversed(list_checkpoints(folder))]
    counted = [(path, score) for path, score in scored if score is not None and math.isfinite(score)]
    return min(counted, key=lambda pair: pair[1])[0] if counted else None


def _score(checkpoint: Path) -> float | None:
    """Its held-out score; none where it has just been pruned by the run that goes on."""
    try:
        return read_state(checkpoint).get("score")
    except InputError:
        if checkpoint.exists():
            raise
        return None


def optimiser_tensors(optimisers: dict[str, torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Every optimiser's state, by names such as `optimiser.vae.3.exp_avg`."""
    return {
        f"optimiser.{name}.{index}.{key}": value
        for name, optimiser in optimisers.items()
        for index, state in optimiser.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_optimisers(optimisers: dict[str, torch.optim.Optimizer], tensors: dict[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave, each tensor in the memory layout of its weight."""
    for name, optimiser in optimisers.items():
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if not key.startswith(f"optimiser.{name}."):
                continue
            index, field = key.removeprefix(f"optimiser.{name}.").split(".")
            like = weights[int(index)]
            same_layout = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            state.setdefault(int(index), {})[field] = same_layout
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """A module's weights and buffers, by names under `prefix`."""
    return {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


@torch.no_grad()
def restore_module(prefix: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy weights and buffers under `prefix` into a module that was built alike.

    Raises:
        InputError: a name or a shape differs from the module's.
    """
    own = module.state_dict()
    theirs = {
        name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")
    }
    different = sorted(own.keys() ^ theirs.keys()) or sorted(n for n in own if own[n].shape != theirs[n].shape)
    if different:
        raise InputError(
            f"the checkpoint's weights are not this model's: {', '.join(different[:3])} differ; was its config changed?"
        )
    for name, value in own.items():
        value.copy_(theirs[name])
