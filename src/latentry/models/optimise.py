"""Optimisers and one step of them, the same for every method."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from latentry.models.gradients import gradients_averaged
from latentry.settings.training import TrainingSettings

Weights = Iterable[nn.Parameter] | list[dict[str, Any]]


def build_optimiser(weights: Weights, training: TrainingSettings) -> torch.optim.Optimizer:
    """The optimiser that the settings name.

    Adam with decoupled weight decay (Kingma and Ba 2014; Loshchilov and Hutter 2017), fused into one kernel; RMSprop
    (Tieleman and Hinton 2012); or plain gradient descent.

    Args:
        weights: weights, or parameter groups; a group's "lr_scale" multiplies the learning rate for it.
        training: learning rate, decays and weight decay.
    """
    decay = training.weight_decay
    match training.optimiser:
        case "adam":
            betas = (training.adam_beta1, training.adam_beta2)
            return torch.optim.AdamW(weights, lr=training.lr, betas=betas, weight_decay=decay, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(weights, lr=training.lr, alpha=training.adam_beta2, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(weights, lr=training.lr, weight_decay=decay)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, clip: float | None) -> None:
    """Move the optimiser's weights, and no others, down the gradient of `loss`, clipped to norm `clip` if given.

    Where several ranks share a step, down the mean of their gradients.
    """
    optimiser.zero_grad(set_to_none=True)
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    with gradients_averaged(weights):
        loss.backward(inputs=weights)
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(weights, clip)
    optimiser.step()


def along_cosine(start: float, end: float, progress: float) -> float:
    """From `start` at progress 0 to `end` at progress 1, along half a cosine."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))
