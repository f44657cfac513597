"""The learning rate over a run."""

from __future__ import annotations

import math

import torch

from latentry.settings.training import TrainingSettings


def lr_factor(training: TrainingSettings, progress: float) -> float:
    """What the learning rate is multiplied by at `progress`, the share of the run that is over, from 0 to 1."""
    rising = min(1.0, progress / training.warmup) if training.warmup else 1.0
    match training.schedule:
        case "constant":
            falling = 1.0
        case "cosine":
            falling = 0.5 * (1 + math.cos(math.pi * progress))
        case "linear":
            falling = 1 - progress
        case "step":
            falling = training.step_factor ** sum(progress >= at for at in training.step_at)
    return max(rising, 1e-3) * falling  # the first step is small, not void


def set_lr(optimisers: dict[str, torch.optim.Optimizer], lr: float) -> None:
    """Give every parameter group the learning rate `lr`, times its own "lr_scale" where it has one."""
    for optimiser in optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
