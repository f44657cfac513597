"""What a model is conditioned on, from the labels of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError


@dataclass(frozen=True)
class ConditionSettings:
    """Which labels the networks are told, and how the decoder or generator takes them in."""

    condition: Literal["none", "class", "attributes", "numbers"] = "none"
    """labels that the model is told: each picture's class, its yes/no attributes, or its numbers."""
    condition_on: tuple[str, ...] = ()
    """names of the attributes or numbers to use; empty uses all that the data have."""
    condition_by: Literal["concatenation", "norm"] = "concatenation"
    """how the decoder or generator takes it in: beside the latent, or as gain and shift of each normalisation."""

    def __post_init__(self) -> None:
        """Refuse names without a kind that has them."""
        if self.condition_on and self.condition not in ("attributes", "numbers"):
            raise InputError(
                f"condition-on ({', '.join(self.condition_on)}) names attributes or numbers; "
                f"it needs condition=attributes or condition=numbers, not {self.condition}"
            )
        if len(set(self.condition_on)) != len(self.condition_on):
            raise InputError(f"condition-on ({', '.join(self.condition_on)}) names something twice")
