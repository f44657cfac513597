"""Joining the processes that train together, and what they agree on outside of a step.

`torchrun` starts the processes and tells each, in environment variables, which of how many it is. Decisions and files
are the first rank's; what it finds, and what is refused on any rank, every rank is told.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import distributed as dist
from torch import nn
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from latentry.errors import InputError
from latentry.ranks import Ranks

T = TypeVar("T")

# Ranks wait while the first one decodes, scores, draws and fits, which may take hours. One that dies is noticed at
# once all the same: its connections close, and torchrun watches it.
_PATIENCE = timedelta(days=7)
_LATEST = timedelta(minutes=15)  # how long processes wait for one another at the start


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The ranks of this run, connected while the block runs; one rank where nothing says that there are more.

    Args:
        device: what the settings ask for: ranks talk through NCCL about what is on CUDA, else through gloo.

    Raises:
        InputError: the environment says that there are several, and not who this one is.
    """
    if dist.is_available() and dist.is_initialized():  # by the caller, or by an outer block
        yield _joined_already()
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise InputError(
            f"WORLD_SIZE (={os.environ['WORLD_SIZE']}) says that there are several processes, but {missing[0]} is not "
            "set; start them with torchrun, or unset WORLD_SIZE"
        )
    on_cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_cuda else "gloo", store=_meet(rank, world), rank=rank, world_size=world,
        timeout=_PATIENCE,
    )  # fmt: skip
    try:
        yield _joined_already()
    finally:
        dist.destroy_process_group()


def _joined_already() -> Ranks:
    return Ranks(dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))


def _meet(rank: int, world: int) -> Store:
    """A store that holds nothing but what these very processes put there.

    Processes that torchrun starts again find the store of those before them, with addresses at which nobody is left
    (pytorch issue 135712); nor do they all know how often they were started. So each gives itself a new name, and the
    first rank answers every name that it sees with the place to meet; those of the dead read no answer.
    """
    is_served = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # by torchrun itself
    store = TCPStore(
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=rank == 0 and not is_served,
        wait_for_workers=False, timeout=_LATEST,
    )  # fmt: skip
    place, began = uuid.uuid4().hex, time.monotonic()
    if rank > 0:
        name = uuid.uuid4().hex
        store.set(f"latentry/{rank}", name)
        place = store.get(name).decode()
        store.add(f"{place}/arrived", 1)
        return PrefixStore(place, store)
    while (arrived := store.add(f"{place}/arrived", 0)) < world - 1:
        for other in range(1, world):
            if store.check([f"latentry/{other}"]):
                store.set(store.get(f"latentry/{other}").decode(), place)
        if time.monotonic() - began > _LATEST.total_seconds():
            raise InputError(f"{arrived + 1} of {world} processes came to {os.environ['MASTER_ADDR']}; start them all")
        time.sleep(0.02)
    return PrefixStore(place, store)


def check_batch(batch: int, packing: int, ranks: Ranks) -> None:
    """Refuse a batch that cannot be shared.

    Args:
        batch: pictures in one step, over all ranks together.
        packing: pictures that are judged together, 1 where none are.
        ranks: who shares it.
    """
    each = ranks.world * packing
    if batch % each:
        packs = f" times packing (={packing})" if packing > 1 else ""
        near = sorted({max(each, batch // each * each), (batch // each + 1) * each})
        raise InputError(
            f"batch (={batch}) must be a multiple of the number of ranks (={ranks.world}){packs}; "
            f"try {' or '.join(map(str, near))}"
        )


def everywhere(ranks: Ranks, do: Callable[[], T]) -> T:
    """What `do` returns here, after every rank has done it; on each machine one rank does it before the others.

    Raises:
        InputError: on every rank, where any rank's input was refused.
    """
    if ranks.world == 1:
        return do()
    found: T | None = None
    for is_turn in (ranks.local == 0, ranks.local != 0):
        refused = None
        if is_turn:
            try:
                found = do()
            except InputError as error:
                refused = str(error)
        said: list[str | None] = [None] * ranks.world
        dist.all_gather_object(said, refused)
        for rank, message in enumerate(said):
            if message is not None:
                raise InputError(message if said[0] is not None else f"on rank {rank}: {message}")
    return cast(T, found)


def on_first(ranks: Ranks, do: Callable[[], T]) -> T:
    """What `do` returns on the first rank, which alone does it; told to every rank.

    Raises:
        InputError: on every rank, where the first one's input was refused.
    """
    if ranks.world == 1:
        return do()
    told: list[Any] = [None, None]
    if ranks.first:
        try:
            told[0] = do()
        except InputError as error:
            told[1] = str(error)
    dist.broadcast_object_list(told, src=0)
    if told[1] is not None:
        raise InputError(told[1])
    return cast(T, told[0])


def largest(ranks: Ranks, *numbers: float) -> list[float]:
    """Each number's largest value over ranks."""
    if ranks.world == 1:
        return list(numbers)
    shared = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return cast(list[float], shared.tolist())


@torch.no_grad()
def spread_from_first(module: nn.Module, ranks: Ranks) -> None:
    """Give every rank the first one's weights and buffers, in place."""
    if ranks.world == 1:
        return
    for tensor in (*module.parameters(), *module.buffers()):
        sent = tensor.detach().contiguous()
        dist.broadcast(sent, src=0)
        tensor.copy_(sent)
