"""Several processes that train one model: whose are which rows of a batch, and what they tell one another.

In a step every process, or rank, has some rows of the batch. It draws the random numbers of the whole batch, from a
source that is the same for all, and keeps those of its own rows; what is a statement about the batch is summed over
all. So the ranks together do what one rank does with all rows, but for the order of sums. Losses are means over a
rank's own rows, and gradients are averaged over ranks (models/gradients.py).

Only what runs inside `together` is shared. Elsewhere (scoring, sampling, fitting), and with one rank, every function
here is the plain one.

Where a rank's rows are too many for its memory they take turns (models/optimise.py). To random numbers each turn is one
more rank; but no turn knows the others' rows, so a statement about the batch has to be made before turns or after.

Letters: W ranks, T turns, b rows of one rank in one turn, B = W T b rows of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is."""

    rank: int = 0
    world: int = 1
    local: int = 0  # among the processes on this machine

    @property
    def first(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.rank == 0


class _Work(NamedTuple):
    ranks: Ranks
    parts: int = 1  # whole batches that stand one after another in a tensor's rows
    turn: int = 0
    turns: int = 1


_ONE_RANK = _Work(Ranks())
_work: ContextVar[_Work] = ContextVar("latentry_ranks", default=_ONE_RANK)


@contextmanager
def together(ranks: Ranks) -> Iterator[None]:
    """Inside, rows are those of one rank among several: every rank has to be there, and to do the same."""
    with _working(_Work(ranks)):
        yield


@contextmanager
def in_parts(n: int) -> Iterator[None]:
    """Inside, rows are n batches one after another, real and then generated pictures, say."""
    with _working(_work.get()._replace(parts=n)):
        yield


@contextmanager
def in_turn(turn: int, turns: int) -> Iterator[None]:
    """Inside, rows are those of one of this rank's turns."""
    with _working(_work.get()._replace(turn=turn, turns=turns)):
        yield


@contextmanager
def _working(work: _Work) -> Iterator[None]:
    token = _work.set(work)
    try:
        yield
    finally:
        _work.reset(token)


def alone() -> Any:
    """Inside, every rank works on the same rows, each for itself."""
    return together(Ranks())


def ranks_here() -> Ranks:
    """The ranks that share what is computed here; one, but inside `together`."""
    work = _work.get()
    assert work.turns == 1, "training/passes.py refuses what asks about the whole batch in one turn"
    return work.ranks


def ranks_of_step() -> Ranks:
    """The ranks that share the step, whoever's turn it is."""
    return _work.get().ranks


def normal(shape: Sequence[int], rng: torch.Generator, *, rows: int = 0) -> Tensor:
    """Standard normal numbers on the generator's device.

    Args:
        shape: of this rank's part.
        rng: the same on every rank.
        rows: the dimension that the ranks share.
    """
    return _own_rows(lambda whole: torch.randn(whole, generator=rng, device=rng.device), shape, rows)


def uniform(
    shape: Sequence[int],
    rng: torch.Generator | None,
    *,
    rows: int = 0,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Uniform numbers in [0, 1); see `normal`.

    Args:
        shape: of this rank's part.
        rng: the same on every rank; None for torch's own.
        rows: the dimension that the ranks share.
        device: None for the generator's.
        dtype: None for torch's default.
    """
    if device is None and rng is not None:
        device = rng.device
    return _own_rows(lambda whole: torch.rand(whole, generator=rng, device=device, dtype=dtype), shape, rows)


def happens(
    p: float, shape: Sequence[int], rng: torch.Generator | None, device: torch.device, *, rows: int = 0
) -> Tensor:
    """Whether each of many things happens, bool; see `normal`.

    On a processor 16 random bits decide, half as many as a uniform number takes: drawing is most of dropout's time.

    Args:
        p: probability, at least 0 and below 1, to the nearest of 65,536 steps.
        shape: of this rank's part.
        rng: the same on every rank; None for torch's own.
        device: where it is wanted.
        rows: the dimension that the ranks share.
    """

    def draw(whole: list[int]) -> Tensor:
        if device.type != "cpu":
            return torch.rand(whole, generator=rng, device=device) < p
        n = math.prod(whole)
        words = torch.randint(-(2**63), 2**63 - 1, (-(-n // 4),), generator=rng)
        return words.view(torch.int16)[:n].view(whole) < min(round(p * 2**16), 2**16 - 1) - 2**15

    return _own_rows(draw, shape, rows)


def own_indices(n: int) -> tuple[int, int]:
    """Which rows, from and to, of the batch of all ranks are the n of this one."""
    rank = ranks_here().rank
    return rank * n, (rank + 1) * n


def sum_over_ranks(x: Tensor) -> Tensor:
    """The sum of every rank's x, any shape; differentiable, any number of times."""
    if ranks_here().world == 1:
        return x
    total: Tensor = _Sum.apply(x)
    return total


def mean_over_ranks(x: Tensor) -> Tensor:
    """The mean of every rank's x, any shape; differentiable, any number of times."""
    world = ranks_here().world
    return x if world == 1 else sum_over_ranks(x) / world


def gather_rows(x: Tensor) -> Tensor:
    """Every rank's rows [b, ...], in order, [B, ...]; differentiable, any number of times."""
    ranks = ranks_here()
    if ranks.world == 1:
        return x
    # A sum with zeros is exact, and its gradient is the sum over ranks, as for every collective here.
    before, after = ranks.rank * len(x), (ranks.world - 1 - ranks.rank) * len(x)
    return sum_over_ranks(torch.cat([x.new_zeros(before, *x.shape[1:]), x, x.new_zeros(after, *x.shape[1:])]))


class _Sum(torch.autograd.Function):
    """Each rank's loss reads the sum, so its gradient is the sum of what the ranks' losses say of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Sum.apply(gradient)


def _own_rows(draw: Callable[[list[int]], Tensor], shape: Sequence[int], rows: int) -> Tensor:
    """This rank's part of what is drawn for the batch of all."""
    ranks, parts, turn, turns = _work.get()
    whole, sharers = list(shape), ranks.world * turns
    if sharers == 1:
        return draw(whole)
    n = whole[rows]
    whole[rows] = n * sharers
    drawn = draw(whole).unflatten(rows, (parts, sharers, n // parts))
    return drawn.select(rows + 1, ranks.rank * turns + turn).flatten(rows, rows + 1)
