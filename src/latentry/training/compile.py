"""Steps compiled by torch.compile, and whether what replaces a step agrees with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from latentry.models.contract import Batch
from latentry.training.recording import Recorded, StaticStep, Terms, leaving_no_trace
from latentry.training.rng import rng_for

_AGREES = 1e-2  # of a gradient's or a term's size: rounding that Adam enlarges within a step; mistakes do far more
_DRAWS = 3  # of random numbers, before two steps are found to be apart


class Fast(Protocol):
    """What replaces a step."""

    step: StaticStep

    def again(self) -> Terms:
        """One step of what was read last."""
        ...


class Compiled:
    """A step that is compiled when it is first called.

    Args:
        recorded: the step as a graph.
    """

    def __init__(self, recorded: Recorded) -> None:
        self.step, self._recorded = recorded.step, recorded
        self._graph: Callable[..., Any] = torch.compile(recorded.graph, dynamic=False, fullgraph=True)

    def __call__(self, batch: Batch, rng: torch.Generator, progress: float) -> Terms:
        """One step, as `Method.step` takes it."""
        self.step.fill(batch, rng, progress)
        return self.again()

    def again(self) -> Terms:
        """One step of what was read last."""
        return self._recorded.run(self._graph)


def apart(fast: Fast) -> float:
    """How far a step and what replaces it are apart, on the same pictures with the same random numbers.

    Gradients are compared, not weights: where one is nothing but rounding (a Wasserstein critic's last bias has no say
    in its loss), Adam still moves the weight by a whole step. And where rounding turns a rectifier over, a gradient
    changes by all that one picture says; so that other random numbers are drawn before they are found to be apart. No
    trace is left in what is trained.

    Returns:
        The largest difference of a gradient or a term, as a share of what rounding may do; they agree up to 1.
    """
    step, least = fast.step, math.inf
    for seed in range(_DRAWS):
        step.fill(step.batch, rng_for(seed, "apart", device=step.device), float(step.progress))
        least = min(least, _apart(_taken(step, step), _taken(step, fast.again)))
        if least <= 1:
            break
    return least


def _taken(step: StaticStep, take: Callable[[], Terms]) -> tuple[Terms, list[Tensor]]:
    """The terms and the last gradients of a step, which is taken back."""
    with leaving_no_trace(step.method):
        terms = {name: value.clone() for name, value in take().items()}
        return terms, [weight.grad.clone() for weight in step.method.module.parameters() if weight.grad is not None]


def _apart(plain: tuple[Terms, list[Tensor]], compiled: tuple[Terms, list[Tensor]]) -> float:
    """The largest difference as a share of what is allowed; `_AGREES`."""
    if plain[0].keys() != compiled[0].keys() or len(plain[1]) != len(compiled[1]):
        return math.inf
    size = max((float(gradient.abs().max()) for gradient in plain[1]), default=0.0)
    pairs = [(a, b, 0.01 * size) for a, b in zip(plain[1], compiled[1], strict=True)]
    pairs += [(value, compiled[0][name], 1.0) for name, value in plain[0].items()]
    return max(
        float((a - b).abs().max()) / (_AGREES * max(float(a.abs().max()), least) or math.ulp(0.0))
        for a, b, least in pairs
    )
