"""A training step that can be repeated without the Python that led to it.

What a step reads is put at addresses that stay: its pictures, its random numbers (drawn as ever, from the step's own
source, and handed in), and the share of the run that is over. Then its tensor operations can be written down as a graph
(`Recorded`, for the compiler) or captured on a CUDA device (graphs.py). Optimisers stay outside, as they are: the
learning rate and Adam's decays change from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from latentry.models.contract import Batch, Method
from latentry.models.optimise import updates_by

Terms = dict[str, Tensor]


class _Draw(NamedTuple):
    """Random numbers that a step asks for: of which operation, with which arguments but the source."""

    operation: Callable[..., Tensor]
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def __call__(self, rng: torch.Generator) -> Tensor:
        return self.operation(*self.arguments, generator=rng, **self.options)


class StaticStep:
    """A training step whose inputs all lie in buffers of its own, so that it can be repeated without arguments.

    Building one performs a step, and so does each call: inside `leaving_no_trace` they are undone.

    Args:
        method: what is trained; it has taken a step before, so that its optimisers have their state.
        batch: pictures of the size that every step has.
        precision: that the networks compute in, as in the settings.
    """

    def __init__(self, method: Method, batch: Batch, precision: str) -> None:
        self.method, self.precision, self.device = method, precision, batch.x.device
        self._rng = torch.Generator(self.device)  # tells a step which device it is on; what it draws is handed in
        self.batch = Batch(batch.x.clone(), None if batch.condition is None else batch.condition.clone())
        # Of 64 bits, like the Python numbers that it stands for: what is computed of it is rounded once, and late.
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        self.progress = torch.full((), 0.5, dtype=exact, device=self.device)
        with _Listen() as heard, in_precision(precision, self.device):
            method.step(self.batch, self._rng, self.progress)
        self._draws = heard.draws
        self.drawn = [draw(self._rng) for draw in self._draws]

    def fill(self, batch: Batch, rng: torch.Generator, progress: float) -> None:
        """Put in what the next step reads."""
        self.batch.x.copy_(batch.x)
        if self.batch.condition is not None:
            assert batch.condition is not None
            self.batch.condition.copy_(batch.condition)
        self.progress.fill_(progress)
        for here, draw in zip(self.drawn, self._draws, strict=True):
            here.copy_(draw(rng))

    def inputs(self) -> list[Tensor]:
        """All that changes from step to step."""
        told = [] if self.batch.condition is None else [self.batch.condition]
        return [self.batch.x, *told, self.progress, *self.drawn]

    def __call__(self, *inputs: Tensor) -> Terms:
        """A step of `inputs`, which are those of `inputs()` or stand for them."""
        x, *rest = inputs or self.inputs()
        condition = rest.pop(0) if self.batch.condition is not None else None
        progress, *drawn = rest
        with _Feed(drawn) as feed, in_precision(self.precision, self.device):
            terms = self.method.step(Batch(x, condition), self._rng, progress)
        assert feed.n == len(drawn), "a step drew other random numbers than the one before it"
        return terms


@contextmanager
def in_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Inside, networks compute as the settings say."""
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        yield


@contextmanager
def leaving_no_trace(method: Method) -> Iterator[None]:
    """Behind the block, weights, buffers and the optimisers' state are what they were before it."""
    tensors = [*method.module.parameters(), *method.module.buffers()]
    for optimiser in method.optimisers.values():
        tensors += [value for state in optimiser.state.values() for value in state.values() if torch.is_tensor(value)]
    before = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)


class Recorded:
    """A step as a graph of tensor operations, and of updates by the optimisers in between.

    Args:
        step: the step, which is taken once to write it down.
    """

    def __init__(self, step: StaticStep) -> None:
        from torch.fx.experimental.proxy_tensor import make_fx

        self._optimisers = list(step.method.optimisers.values())
        self.step = step
        with updates_by(self._record_update), _acting_on(self._optimisers):
            self.graph = make_fx(self._whole)(*step.inputs())
        for node in reversed(self.graph.graph.nodes):
            if "profiler" in str(node.target):  # the optimisers' marks for a profiler, which no compiler reads
                self.graph.graph.erase_node(node)
            elif node.target is torch.ops.aten.view.default:  # a compiler may lay out otherwise what is viewed here
                node.target = torch.ops.aten.reshape.default
        self.graph.recompile()

    def __len__(self) -> int:
        """How many operations there are."""
        return len(self.graph.graph.nodes)

    def run(self, graph: Callable[..., tuple[Terms, list[list[Tensor | None]]]]) -> Terms:
        """Take a step of what `fill` put in, by the graph or by what was made of it."""
        with torch.no_grad(), _acting_on(self._optimisers):
            terms, gradients = graph(*self.step.inputs())
        for optimiser, found in zip(self._optimisers, gradients, strict=True):
            put_gradients(weights_of(optimiser), found)  # the doctor looks at those of the last step
        return terms

    def _whole(self, *inputs: Tensor) -> tuple[Terms, list[list[Tensor | None]]]:
        terms = self.step(*inputs)
        return terms, [[weight.grad for weight in weights_of(optimiser)] for optimiser in self._optimisers]

    def _record_update(self, optimiser: torch.optim.Optimizer) -> None:
        index = next(i for i, own in enumerate(self._optimisers) if own is optimiser)
        weights = weights_of(optimiser)
        which = [i for i, weight in enumerate(weights) if weight.grad is not None]
        gradients = [weights[i].grad for i in which]
        torch.ops.latentry.update(index, which, [weights[i].detach() for i in which], gradients)


def weights_of(optimiser: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    """What an optimiser moves."""
    return [weight for group in optimiser.param_groups for weight in group["params"]]


def put_gradients(weights: list[torch.nn.Parameter], gradients: list[Tensor | None]) -> None:
    """Give each weight its gradient."""
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient


_acted_on: ContextVar[list[torch.optim.Optimizer]] = ContextVar("latentry_optimisers")


@contextmanager
def _acting_on(optimisers: list[torch.optim.Optimizer]) -> Iterator[None]:
    """Inside, `update` moves the weights of these: a graph can name an optimiser by a number only."""
    token = _acted_on.set(optimisers)
    try:
        yield
    finally:
        _acted_on.reset(token)


# The schema is written out, as torch 2.6 cannot read `list[int]` in a signature.
@torch.library.custom_op(
    "latentry::update",
    mutates_args={"weights"},
    schema="(int optimiser, int[] which, Tensor(a!)[] weights, Tensor[] gradients) -> ()",
)
def _update(optimiser: int, which: list[int], weights: list[Tensor], gradients: list[Tensor]) -> None:
    """One update by an optimiser, as one operation of a graph."""
    acting = _acted_on.get()[optimiser]
    own = weights_of(acting)
    found: list[Tensor | None] = [None] * len(own)
    for index, gradient in zip(which, gradients, strict=True):
        found[index] = gradient
    # A compiler may hold a weight elsewhere while a step changes it more than once, as weight clipping does.
    elsewhere = [
        (own[i], weight) for i, weight in zip(which, weights, strict=True) if own[i].data_ptr() != weight.data_ptr()
    ]
    for here, weight in elsewhere:
        here.data.copy_(weight)
    put_gradients(own, found)
    acting.step()
    for here, weight in elsewhere:
        weight.copy_(here.data)


class _Listen(TorchDispatchMode):
    """Writes down what is drawn at random."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[_Draw] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what is asked, and remember it."""
        kwargs = kwargs or {}
        if kwargs.get("generator") is not None:
            if any(isinstance(argument, Tensor) for argument in args):
                raise RuntimeError(f"{func} draws random numbers that depend on others")
            self.draws.append(_Draw(func, args, {k: v for k, v in kwargs.items() if k != "generator"}))
        return func(*args, **kwargs)


class _Feed(TorchDispatchMode):
    """Hands out tensors, in order, where random numbers are asked for."""

    def __init__(self, drawn: list[Tensor]) -> None:
        super().__init__()
        self._drawn, self.n = drawn, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what is asked, but for drawing."""
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            return func(*args, **kwargs)
        self.n += 1
        return self._drawn[self.n - 1]
