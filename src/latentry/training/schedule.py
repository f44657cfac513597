"""The learning rate over a run."""

from __future__ import annotations

import torch

from latentry.models.optimise import along_cosine
from latentry.settings.training import TrainingSettings


def lr_factor(training: TrainingSettings, progress: float, schedule: str | None = None) -> float:
    """What the learning rate is multiplied by at `progress`, the share of the run that is over, from 0 to 1.

    Args:
        training: the settings.
        progress: the share of the run that is over.
        schedule: in place of the settings' own.
    """
    end = training.lr_end
    rising = min(1.0, progress / training.warmup) if training.warmup else 1.0
    match schedule or training.schedule:
        case "constant":
            falling = 1.0
        case "cosine":
            falling = along_cosine(1.0, end, progress)
        case "linear":
            falling = 1 - (1 - end) * progress
        case "step":
            falling = training.step_factor ** sum(progress >= at for at in training.step_at)
    return max(rising, 1e-3) * falling  # the first step is small, not void


def set_pace(optimisers: dict[str, torch.optim.Optimizer], training: TrainingSettings, progress: float) -> None:
    """Give every parameter group its learning rate, and Adam its decay, at `progress`, the share of the run over.

    A group may have a "lr_scale" that multiplies its rate, and a "schedule" of its own.
    """
    for optimiser in optimisers.values():
        for group in optimiser.param_groups:
            factor = lr_factor(training, progress, group.get("schedule"))
            group["lr"] = training.lr * factor * group.get("lr_scale", 1.0)
            if training.adam_beta2_end is not None and "betas" in group:
                beta2 = along_cosine(training.adam_beta2, training.adam_beta2_end, progress)
                group["betas"] = (group["betas"][0], beta2)
