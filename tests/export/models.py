"""Small models with random weights, for what is exported to have something to get wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentry.models.build import build_model
from latentry.models.folder import load_model, save_model
from latentry.models.sampler import GaussianMixture
from latentry.models.second_stage import TwoStage
from latentry.models.trained import TrainedModel
from latentry.models.vectors import Vector, Vectors
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec, ImageSpec

IMAGE = ImageSpec(3, 8, 8)
CLASSES = ConditionSpec("class", ("red", "green", "blue"))
ATTRIBUTES = ConditionSpec("attributes", ("hat", "smiling"))
NUMBERS = ConditionSpec("numbers", ("age", "tilt"), centre=(40.0, -0.1), spread=(12.0, 0.2))


def random_model(
    folder: Path,
    recipe: str,
    condition: ConditionSpec | None = None,
    fitted: bool = False,
    image: ImageSpec = IMAGE,
    **settings: Any,
) -> TrainedModel:
    """A model with a folder of its own; where `fitted`, with both samplers, of which it has chosen the mixture."""
    rng = torch.Generator().manual_seed(1)
    config = find_recipe(recipe).config.with_settings(**{"width": 4, "base": 4, "latent": 3, **settings})
    model = build_model(config, image, condition)
    told = 0 if condition is None else condition.size
    if fitted:
        mixture = GaussianMixture(3, 3, told)
        mixture.means.copy_(torch.randn(mixture.means.shape, generator=rng))
        mixture.scale_tril.add_(0.3 * torch.randn(mixture.scale_tril.shape, generator=rng).tril(-1))
        mixture.log_weights.copy_(torch.tensor([0.2, 0.5, 0.3]).log())
        model.samplers.fitted["mixture"] = mixture
        model.samplers.fitted["two-stage"] = TwoStage(3, 8, condition)
        model.samplers.chosen = "mixture"
    for weight in model.parameters():
        fan_in = max(1, weight[0].numel() if weight.dim() > 1 else 1)
        weight.data.copy_(torch.randn(weight.shape, generator=rng) * (0.1 if weight.dim() < 2 else fan_in**-0.5))
    for name, buffer in model.named_buffers():  # as if batches had been seen
        if name.endswith("codebook"):
            buffer.copy_(torch.randn(buffer.shape, generator=rng))
        if name.endswith("mean") and "fitted" not in name:
            buffer.copy_(0.1 * torch.randn(buffer.shape, generator=rng))
    if model.conditions is not None and condition is not None:
        rows = torch.arange(len(model.conditions.examples))
        pattern = {
            "class": torch.nn.functional.one_hot(rows % told, told).float(),
            "attributes": torch.stack([rows % 2, rows // 2 % 2], dim=1) * 2.0 - 1,
            "numbers": torch.randn(len(rows), told, generator=rng),
        }
        model.conditions.examples.copy_(pattern[condition.kind])
    save_model(folder / "model", model, config, {"data": "faces"})
    network, config, facts = load_model(folder / "model")
    trained = TrainedModel(network, config, facts, torch.device("cpu"), folder / "model")
    if len(network.latent.shape) == 1:
        direction = np.array([0.5, -1.0, 0.25], np.float32)
        grade = {"doses": [0.0, 1.0, 2.0], "recommended": 1.0}
        trained.keep_vectors(Vectors([Vector("smiling", "balanced", direction, "a smile", grade=grade)]))
    return trained
