"""The conditions that a model knows: what they are called, how they become vectors, and which ones its data have.

Letters: n conditions, K numbers in a condition vector, M examples.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentry.settings.specs import ConditionSpec

N_EXAMPLES = 1000  # condition vectors of training pictures that travel with a model


class Conditions(nn.Module):
    """Condition vectors of a model's data, to draw from where nothing is asked for.

    Args:
        spec: what the model is told.
    """

    def __init__(self, spec: ConditionSpec) -> None:
        super().__init__()
        self.spec = spec
        self.examples: Tensor
        self.register_buffer("examples", torch.zeros(N_EXAMPLES, spec.size))

    def draw(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Conditions [n, K], as often as the data have them."""
        return self.examples[torch.randint(N_EXAMPLES, (n,), generator=rng, device=rng.device)]


def tell(network: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    """A network's output for x, which is given the condition [B, K] where there is one."""
    output: Tensor = network(x) if condition is None else network(x, condition)
    return output
