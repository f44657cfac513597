"""One optimiser step, the same for every method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from latentry.settings.training import TrainingSettings


def adam(
    parameters: Iterable[nn.Parameter] | list[dict[str, Any]], training: TrainingSettings
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Kingma and Ba 2014; Loshchilov and Hutter 2017), fused into one kernel.

    Args:
        parameters: weights, or parameter groups; a group's "lr_scale" multiplies the learning rate for it.
        training: learning rate, decays and weight decay.
    """
    betas = (training.adam_beta1, training.adam_beta2)
    return torch.optim.AdamW(parameters, lr=training.lr, betas=betas, weight_decay=training.weight_decay, fused=True)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, clip: float | None) -> None:
    """Move the optimiser's weights down the gradient of `loss`, clipped to norm `clip` where one is given."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if clip is not None:
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, clip)
    optimiser.step()
