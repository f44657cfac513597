"""Image generators with a latent space: train on any folder of pictures, sample, edit, measure, ship.

    import latentry

    run = latentry.train("vae", "my_pictures", budget="10m")
    pictures = run.load().sample(16)  # uint8, [16, C, H, W]

Importing this package imports no torch: names are looked up when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from latentry._version import __version__
from latentry.errors import InputError

if TYPE_CHECKING:
    from latentry.api import TrainingResult, load, resume, train
    from latentry.data import ImageSet, inspect_images, open_images
    from latentry.discovery import find_directions
    from latentry.editing import learn_attributes
    from latentry.models.trained import TrainedModel
    from latentry.settings.config import Config
    from latentry.settings.recipes import RECIPES

__all__ = [
    "RECIPES",
    "Config",
    "ImageSet",
    "InputError",
    "TrainedModel",
    "TrainingResult",
    "__version__",
    "find_directions",
    "inspect_images",
    "learn_attributes",
    "load",
    "open_images",
    "resume",
    "train",
]

_HOMES = {
    "RECIPES": "latentry.settings.recipes",
    "Config": "latentry.settings.config",
    "ImageSet": "latentry.data",
    "TrainedModel": "latentry.models.trained",
    "TrainingResult": "latentry.api",
    "find_directions": "latentry.discovery",
    "inspect_images": "latentry.data",
    "learn_attributes": "latentry.editing",
    "load": "latentry.api",
    "open_images": "latentry.data",
    "resume": "latentry.api",
    "train": "latentry.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'latentry' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
