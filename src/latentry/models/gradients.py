"""Gradients averaged over ranks while they are still being computed.

    Li et al. 2020, "PyTorch Distributed: experiences on accelerating data parallel training" (arXiv:2006.15704),
    section 3.2: buckets, sent in one order while the backward pass goes on.

Differs from the paper in: nothing wraps a network, as a step here has several networks, losses and optimisers; buckets
belong to one backward pass, and weights that it does not reach are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch import distributed as dist

from latentry.ranks import ranks_of_step

_BUCKET_BYTES = 4 << 20  # large enough that latency does not count, small enough that there are some to overlap


@contextmanager
def gradients_averaged(weights: list[nn.Parameter]) -> Iterator[None]:
    """Behind the block, what a backward pass inside it left in each weight's `grad` is the mean over ranks."""
    world = ranks_of_step().world
    if world == 1:
        yield
        return
    buckets = _Buckets(weights)
    hooks = [weight.register_post_accumulate_grad_hook(buckets.arrived) for weight in weights]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    buckets.finish(world)


class _Buckets:
    """Weights in groups of a few megabytes, those first whose gradients come first: the last of a network.

    Every rank sends the buckets in the same order, whichever is whole first; so they need no names.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self._buckets: list[list[nn.Parameter]] = []
        self._of: dict[int, int] = {}
        size = 0
        for weight in reversed(weights):
            last = self._buckets[-1][0] if self._buckets else None
            if last is None or size >= _BUCKET_BYTES or (last.dtype, last.device) != (weight.dtype, weight.device):
                self._buckets.append([])
                size = 0
            self._buckets[-1].append(weight)
            self._of[id(weight)] = len(self._buckets) - 1
            size += weight.nbytes
        self._missing = [len(bucket) for bucket in self._buckets]
        self._n_sent = 0
        self._under_way: list[tuple[list[Tensor], Tensor, dist.Work]] = []

    def arrived(self, weight: Tensor) -> None:
        """A weight's gradient is there; send the buckets whose turn it is."""
        self._missing[self._of[id(weight)]] -= 1
        while self._n_sent < len(self._buckets) and self._missing[self._n_sent] == 0:
            self._send_next()

    @torch.no_grad()
    def finish(self, world: int) -> None:
        """Send what is left, and put every mean in its place."""
        while self._n_sent < len(self._buckets):
            self._send_next()
        for gradients, flat, work in self._under_way:
            work.wait()
            parts = flat.div_(world).split([gradient.numel() for gradient in gradients])
            means = [part.view(gradient.shape) for part, gradient in zip(parts, gradients, strict=True)]
            torch._foreach_copy_(gradients, means)

    @torch.no_grad()
    def _send_next(self) -> None:
        bucket = self._buckets[self._n_sent]
        self._n_sent += 1
        gradients = [weight.grad for weight in bucket if weight.grad is not None]  # the same ones on every rank
        if gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            work = dist.all_reduce(flat, async_op=True)
            assert work is not None
            self._under_way.append((gradients, flat, work))
