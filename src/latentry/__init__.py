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
    from latentry.api.attributes import learn_attributes
    from latentry.api.compare import compare
    from latentry.api.directions import find_directions
    from latentry.api.evaluate import evaluate
    from latentry.api.explore import explore
    from latentry.api.export import export_onnx
    from latentry.api.export_page import export_page
    from latentry.api.invert import InversionSettings, fit_inversion, invert_pictures
    from latentry.api.loading import load
    from latentry.api.plan import Plan, plan
    from latentry.api.reproduce import reproduce
    from latentry.api.train import TrainingResult, resume, train
    from latentry.api.walks import morph, traverse
    from latentry.data import ImageSet, inspect_images, open_images
    from latentry.export import OnnxModel
    from latentry.export.hub import pull, push_to_hub
    from latentry.metrics.evaluation import Evaluation
    from latentry.models.trained import TrainedModel
    from latentry.report.comparison import Comparison
    from latentry.settings.config import Config
    from latentry.settings.recipes import RECIPES

__all__ = [
    "RECIPES",
    "Comparison",
    "Config",
    "Evaluation",
    "ImageSet",
    "InputError",
    "InversionSettings",
    "OnnxModel",
    "Plan",
    "TrainedModel",
    "TrainingResult",
    "__version__",
    "compare",
    "evaluate",
    "explore",
    "export_onnx",
    "export_page",
    "find_directions",
    "fit_inversion",
    "inspect_images",
    "invert_pictures",
    "learn_attributes",
    "load",
    "morph",
    "open_images",
    "plan",
    "pull",
    "push_to_hub",
    "reproduce",
    "resume",
    "train",
    "traverse",
]

_HOMES = {
    "traverse": "latentry.api.walks",
    "morph": "latentry.api.walks",
    "InversionSettings": "latentry.api.invert",
    "invert_pictures": "latentry.api.invert",
    "fit_inversion": "latentry.api.invert",
    "RECIPES": "latentry.settings.recipes",
    "Config": "latentry.settings.config",
    "ImageSet": "latentry.data",
    "TrainedModel": "latentry.models.trained",
    "TrainingResult": "latentry.api.train",
    "compare": "latentry.api.compare",
    "Comparison": "latentry.report.comparison",
    "evaluate": "latentry.api.evaluate",
    "Evaluation": "latentry.metrics.evaluation",
    "explore": "latentry.api.explore",
    "export_onnx": "latentry.api.export",
    "export_page": "latentry.api.export_page",
    "OnnxModel": "latentry.export",
    "find_directions": "latentry.api.directions",
    "inspect_images": "latentry.data",
    "learn_attributes": "latentry.api.attributes",
    "load": "latentry.api.loading",
    "open_images": "latentry.data",
    "plan": "latentry.api.plan",
    "Plan": "latentry.api.plan",
    "pull": "latentry.export.hub",
    "push_to_hub": "latentry.export.hub",
    "reproduce": "latentry.api.reproduce",
    "resume": "latentry.api.train",
    "train": "latentry.api.train",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'latentry' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
