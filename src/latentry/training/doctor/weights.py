"""What the last step left in the weights: gradients by layer, how far each moved, how many are clipped."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_AT_LIMIT = 1 - 1e-5


def layer_of(name: str) -> str:
    """The layer that a weight belongs to: its name without the last part."""
    name = name.replace(".parametrizations.weight.original", ".weight")
    return name.rpartition(".")[0] or name


def gradient_sizes(module: nn.Module) -> dict[str, float]:
    """The root mean square of the gradient in each layer, from the `.grad` of the last step."""
    squares: dict[str, list[Tensor]] = {}
    counts: dict[str, int] = {}
    for name, weight in module.named_parameters():
        if weight.grad is not None:
            layer = layer_of(name)
            squares.setdefault(layer, []).append(weight.grad.float().square().sum())
            counts[layer] = counts.get(layer, 0) + weight.numel()
    if not squares:
        return {}
    sums = torch.stack([torch.stack(parts).sum() for parts in squares.values()]).tolist()  # one wait for the device
    return {layer: (total / counts[layer]) ** 0.5 for layer, total in zip(squares, sums, strict=True)}


def update_ratios(module: nn.Module, optimisers: dict[str, Optimizer]) -> dict[str, float]:
    """How far the last step moved each weight matrix, as a share of its size: root mean squares of both.

    The step is recomputed from the optimiser's state, so nothing has to be remembered between two steps.
    """
    names = {id(weight): name for name, weight in module.named_parameters()}
    found: dict[str, Tensor] = {}
    for optimiser in optimisers.values():
        for group in optimiser.param_groups:
            for weight in group["params"]:
                if weight.dim() >= 2 and weight.grad is not None:
                    moved = _last_step(weight, group, optimiser.state.get(weight, {}))
                    size = weight.detach().float().norm().clamp(min=1e-12)
                    found[layer_of(names[id(weight)])] = moved.norm() / size
    ratios = torch.stack(list(found.values())).tolist() if found else []
    return dict(zip(found, ratios, strict=True))


def _last_step(weight: Tensor, group: dict[str, Any], state: dict[str, Any]) -> Tensor:
    """What the optimiser took off a weight, but for its decay."""
    assert weight.grad is not None
    gradient = weight.grad.float()
    if "exp_avg" in state:  # Adam, and RMSprop, which is made of it
        beta1, beta2 = group["betas"]
        step = float(state["step"])
        mean = state["exp_avg"] / (1 - beta1**step) if beta1 else gradient
        square = state["exp_avg_sq"] / (1 - beta2**step)
        return group["lr"] * mean / (square.sqrt() + group["eps"])
    return group["lr"] * gradient


def at_limit(module: nn.Module, limit: float) -> float:
    """The share of a critic's weights that clipping holds at its limit; gains and biases are not counted."""
    weights = [weight.detach() for weight in module.parameters() if weight.dim() >= 2]
    held = sum(int((weight.abs() >= _AT_LIMIT * limit).sum()) for weight in weights)
    return held / max(1, sum(weight.numel() for weight in weights))
