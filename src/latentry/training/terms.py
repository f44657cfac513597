"""Sums of loss terms without waiting for the device, and the watch for values that are not finite."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.precision import float64
from latentry.ranks import Ranks, mean_over_ranks, together

_COUNT = "steps"  # beside the names of terms, none of which is called so


class TermSums:
    """Running sums of the terms that a method returns, each a scalar or one value a latent dimension.

    Args:
        ranks: who has terms; each has those of its own rows. What is read here is for all, and all have to ask.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._sums: dict[str, Tensor] = {}
        self._n = 0

    def add(self, terms: dict[str, Tensor]) -> None:
        """Add one step's means."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._n += 1

    def take(self) -> dict[str, list[float] | float]:
        """The means since the last call."""
        means: dict[str, list[float] | float] = {
            name: (value / self._n).tolist() for name, value in self._shared().items()
        }
        self._sums, self._n = {}, 0
        return means

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps of them: the sums, or their means over ranks, and how many steps they are of."""
        if not self._n:
            return {}
        with together(self._ranks):
            sums = {name: mean_over_ranks(value) for name, value in self._sums.items()}
        return {**sums, _COUNT: torch.tensor(self._n)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave, on the device where the terms will be."""
        self._n = int(state.pop(_COUNT, torch.tensor(0)))
        self._sums = state

    def not_finite(self) -> list[str]:
        """The names of terms whose sum is not finite."""
        return [name for name, value in self._shared().items() if not bool(torch.isfinite(value).all())]

    def _shared(self) -> dict[str, Tensor]:
        """The means of the sums over ranks."""
        with together(self._ranks):
            return {name: mean_over_ranks(float64(value)) for name, value in self._sums.items()}


def non_finite_error(terms: list[str], module: nn.Module, images: int, lr: float, last: str) -> InputError:
    """The error that ends a run: which terms and which weights, and what to change."""
    weights = [n for n, w in module.named_parameters() if not bool(torch.isfinite(w).all())]
    which = [f"loss term {', '.join(terms)}"] if terms else []
    which += [f"first non-finite weights: {weights[0]} (of {len(weights)})"] if weights else []
    return InputError(
        f"training became non-finite by image {images}: {'; '.join(which)}; {last}; "
        f"try --lr {lr / 3:.1g} (now {lr:g}) or --clip 1"
    )
