"""Optimisers and one step of them, the same for every method."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeVar, overload

import torch
from torch import Tensor, nn

from latentry.models.contract import Progress
from latentry.models.gradients import gradients_averaged
from latentry.ranks import in_turn
from latentry.settings.training import TrainingSettings

Weights = Iterable[nn.Parameter] | list[dict[str, Any]]
Objective = Callable[[slice], tuple[Tensor, dict[str, Tensor]]]
"""From some rows of a step's pictures to the loss of each, [b], and what else is wanted of each, [b, ...]."""

T = TypeVar("T")
_MANY_STEPS = 1e9  # a count at which every bias correction is 1, and so large that float32 cannot count on from it

_update: ContextVar[Callable[[torch.optim.Optimizer], object]] = ContextVar(
    "latentry_update", default=lambda optimiser: optimiser.step()
)


def build_optimiser(weights: Weights, training: TrainingSettings) -> torch.optim.Optimizer:
    """The optimiser that the settings name.

    Adam with decoupled weight decay (Kingma and Ba 2014; Loshchilov and Hutter 2017); RMSprop (Tieleman and Hinton
    2012), which is Adam without momentum and without correction for the average's start, with the same decay; or plain
    gradient descent. The first two are fused into one kernel.

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
            betas = (0.0, training.adam_beta2)
            return _long_begun(torch.optim.AdamW(weights, lr=training.lr, betas=betas, weight_decay=decay, fused=True))
        case "sgd":
            return torch.optim.SGD(weights, lr=training.lr, weight_decay=decay)


def _long_begun(adam: torch.optim.AdamW) -> torch.optim.AdamW:
    """Adam that corrects for nothing, as behind very many steps, though its averages are still zero."""
    for group in adam.param_groups:
        for weight in group["params"]:
            zeros = torch.zeros_like(weight, memory_format=torch.preserve_format)
            step = torch.tensor(_MANY_STEPS, device=weight.device)
            adam.state[weight] = {"step": step, "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
    return adam


def descend(
    optimiser: torch.optim.Optimizer, objective: Objective, n: int, rng: torch.Generator, training: TrainingSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """Move the optimiser's weights, and no others, down the gradient of the mean loss, clipped if the settings say so.

    Where several ranks share a step, down the mean of their gradients; where `micro_batch` is set, down the sum of what
    turns of so many rows say, each freeing its memory for the next.

    Args:
        optimiser: of the weights.
        objective: what is minimised; it may draw from `rng`.
        n: rows of the step's pictures, all of which this rank has.
        rng: the step's source of randomness.
        training: clip and micro_batch.

    Returns:
        What the objective returned for all rows in order, detached.
    """
    weights = _weights_of(optimiser)
    for weight in weights:
        weight.grad = None
    turns = len(turns_of(n, training))

    def descend_rows(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
        loss, terms = objective(rows)
        mean = loss.mean()
        is_last = rows.stop is None or rows.stop == n  # what all turns have added up is sent to other ranks
        with gradients_averaged(weights) if is_last else nullcontext():
            (mean if turns == 1 else mean / turns).backward(inputs=weights)
        return loss.detach(), {name: term.detach() for name, term in terms.items()}

    losses, terms = zip(*take_turns(descend_rows, n, rng, training), strict=True)
    if training.clip is not None:
        torch.nn.utils.clip_grad_norm_(weights, training.clip)
    _update.get()(optimiser)
    torch.clear_autocast_cache()  # it keeps weights in bfloat16 as they were, and the step may go on with other losses
    return joined(losses), {name: joined([each[name] for each in terms]) for name in terms[0]}


@contextmanager
def held(optimiser: torch.optim.Optimizer) -> Iterator[None]:
    """Inside, the optimiser's weights ask for no gradient, so that none is computed for them."""
    weights = [weight for weight in _weights_of(optimiser) if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _weights_of(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]


@contextmanager
def updates_by(update: Callable[[torch.optim.Optimizer], object]) -> Iterator[None]:
    """Inside, `update` is called where a step would have called an optimiser's own."""
    token = _update.set(update)
    try:
        yield
    finally:
        _update.reset(token)


def turns_of(n: int, training: TrainingSettings) -> list[slice]:
    """Which of n rows are computed together: all of them, or micro_batch after micro_batch."""
    size = training.micro_batch
    if size is None or n <= size:
        return [slice(None)]
    return [slice(start, start + size) for start in range(0, n, size)]


def take_turns(do: Callable[[slice], T], n: int, rng: torch.Generator, training: TrainingSettings) -> list[T]:
    """What `do` returns for each turn's rows; every turn's random numbers are its part of one draw for all rows."""
    turns = turns_of(n, training)
    if len(turns) == 1:
        return [do(turns[0])]
    before, done = rng.get_state(), []
    for turn, rows in enumerate(turns):
        rng.set_state(before)
        with in_turn(turn, len(turns)):
            done.append(do(rows))
    return done


def replayed(do: Callable[[slice], T], rng: torch.Generator) -> Callable[[slice], T]:
    """A function that does later what `do` would do now, with the random numbers of now."""
    now = rng.get_state()

    def again(rows: slice) -> T:
        later = rng.get_state()
        rng.set_state(now)
        result = do(rows)
        rng.set_state(later)
        return result

    return again


def joined(parts: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """Rows [b, ...] of every turn, in order."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


@overload
def along_cosine(start: float, end: float, progress: float) -> float: ...
@overload
def along_cosine(start: float, end: float, progress: Tensor) -> Tensor: ...
def along_cosine(start: float, end: float, progress: Progress) -> Progress:
    """From `start` at progress 0 to `end` at progress 1, along half a cosine."""
    cosine = torch.cos(math.pi * progress) if isinstance(progress, Tensor) else math.cos(math.pi * progress)
    return end + (start - end) * 0.5 * (1 + cosine)


def share_of(length: float, progress: Progress) -> Progress:
    """From 0 at progress 0 to 1 at progress `length`, along a line, and 1 behind it; 1 throughout for length 0."""
    if not length:
        return 1.0
    share = progress / length
    return share.clamp(max=1) if isinstance(share, Tensor) else min(1.0, share)
