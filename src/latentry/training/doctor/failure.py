"""How a run ended in values that are not finite, kept in its folder so that the doctor can tell it later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from latentry.files import read_json, write_json

_FILE = "failure.json"


def record_failure(
    run: Path, *, images: int, terms: list[str], module: nn.Module, lr: float, pictures: float | None
) -> None:
    """Write down which terms, weights and gradients are not finite.

    Args:
        run: the run's folder.
        images: seen when it was noticed.
        terms: of the loss, by name.
        module: all that is trained.
        lr: the learning rate of the settings.
        pictures: the share of the training pictures that are not finite; None where nobody looked.
    """
    weights = [name for name, weight in module.named_parameters() if not bool(torch.isfinite(weight).all())]
    record = {
        "images": images,
        "terms": terms,
        "weights": weights[:20],
        "n_weights": len(weights),
        "lr": lr,
        "pictures": pictures,
    }
    write_json(run / _FILE, record)


def read_failure(run: Path) -> dict[str, Any]:
    """What `record_failure` wrote; empty for a run that did not fail."""
    return read_json(run / _FILE) if (run / _FILE).is_file() else {}


def forget_failure(run: Path) -> None:
    """A run that goes on has not failed yet."""
    (run / _FILE).unlink(missing_ok=True)
