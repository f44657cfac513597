"""Whole steps as CUDA graphs: a GPU that small kernels leave waiting for Python is given them all at once.

A step is cut at every update of an optimiser, which is one fused kernel that reads this step's learning rate; what lies
between is captured once and replayed. All that a step reads stays at its address (recording.py), and everything is
captured as it is: gradients of gradients, batch statistics, clipping, codebooks, the probability of augmentation.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

import torch
from torch import Tensor

from latentry.models.contract import Batch
from latentry.models.optimise import updates_by
from latentry.training.recording import StaticStep, Terms, put_gradients, weights_of

_WARM_UP = 3  # steps before capture, in which libraries choose their algorithms


class Piece(Protocol):
    """What was captured between two updates."""

    def replay(self) -> None:
        """Do it again."""
        ...


Capture = Callable[[], AbstractContextManager[Piece]]
"""Inside such a block, work is captured into the piece that it yields."""


class GraphedStep:
    """A step that is replayed.

    Args:
        step: what is captured; steps are taken for it, see `leaving_no_trace`.
        capture: how; see `cuda_capture`.
    """

    def __init__(self, step: StaticStep, capture: Capture) -> None:
        self.step, self._capture = step, capture
        self._pieces: list[Piece] = []
        self._updates: list[tuple[torch.optim.Optimizer, list[Tensor | None]]] = []
        for _ in range(_WARM_UP):
            step()
        with ExitStack() as self._open, updates_by(self._cut):
            self._begin()
            self._terms = step()

    def __call__(self, batch: Batch, rng: torch.Generator, progress: float) -> Terms:
        """One step, as `Method.step` takes it."""
        self.step.fill(batch, rng, progress)
        return self.again()

    def again(self) -> Terms:
        """One step of what was read last."""
        for number, piece in enumerate(self._pieces):
            piece.replay()
            if number < len(self._updates):
                optimiser, gradients = self._updates[number]
                put_gradients(weights_of(optimiser), gradients)
                optimiser.step()
        return {name: value.clone() for name, value in self._terms.items()}  # the next replay writes over these

    def _begin(self) -> None:
        self._pieces.append(self._open.enter_context(self._capture()))

    def _cut(self, optimiser: torch.optim.Optimizer) -> None:
        """In place of an update: end a piece and begin the next one. Gradients are held, and with them their memory."""
        self._updates.append((optimiser, [weight.grad for weight in weights_of(optimiser)]))
        self._open.close()
        self._begin()


def cuda_capture() -> Capture:
    """Capture into CUDA graphs that share one pool of memory, and are replayed in the order of their capture."""
    pool = torch.cuda.graph_pool_handle()
    stream = torch.cuda.Stream()

    class _Graph(AbstractContextManager[Piece]):
        def __enter__(self) -> Piece:
            graph = torch.cuda.CUDAGraph()
            self._inside = torch.cuda.graph(graph, pool=pool, stream=stream)
            self._inside.__enter__()
            return graph

        def __exit__(self, *error: object) -> None:
            self._inside.__exit__(*error)

    return _Graph
