"""What pictures are asked for, in the data's own names and units. No torch here.

Letters: n conditions, K numbers in a condition vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from latentry.errors import InputError, unknown_name
from latentry.settings.specs import ConditionSpec


class Wish:
    """What pictures are asked for, in the data's own names and units.

    Args:
        class_name: a class.
        attributes: yes (1) or no (0), or between, by attribute.
        numbers: by name, in the data's own units.
    """

    def __init__(
        self,
        class_name: str | None = None,
        attributes: Mapping[str, float] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        self.class_name, self.attributes, self.numbers = class_name, attributes or {}, numbers or {}

    def __bool__(self) -> bool:
        return self.class_name is not None or bool(self.attributes or self.numbers)

    def against(self, spec: ConditionSpec | None) -> tuple[list[int], list[float]]:
        """The columns of a condition vector that the wish sets, and their values.

        Raises:
            InputError: the model is told nothing of the kind, knows no such name, or a value is out of its range.
        """
        given = {"class": self.class_name is not None, "attributes": self.attributes, "numbers": self.numbers}
        for kind, asked in given.items():
            if asked and (spec is None or spec.kind != kind):
                told = "nothing" if spec is None else f"{spec.kind}: {_few(spec.names)}"
                raise InputError(f"{kind} was asked for, but this model is conditioned on {told}")
        if spec is None:
            return [], []
        for name in (*self.attributes, *self.numbers, *([] if self.class_name is None else [self.class_name])):
            if name not in spec.names:
                raise unknown_name("class" if spec.kind == "class" else spec.kind.removesuffix("s"), name, spec.names)
        for name, value in (*self.attributes.items(), *self.numbers.items()):
            if not math.isfinite(value) or (spec.kind == "attributes" and not 0 <= value <= 1):
                allowed = "from 0 (no) to 1 (yes)" if spec.kind == "attributes" else "a finite number"
                raise InputError(f"{spec.kind.removesuffix('s')} {name} (={value}) must be {allowed}")
        if self.class_name is not None:
            return list(range(spec.size)), [float(name == self.class_name) for name in spec.names]
        if spec.kind == "attributes":
            asked = {name: 2 * value - 1 for name, value in self.attributes.items()}
        else:
            place = {name: index for index, name in enumerate(spec.names)}
            asked = {n: (v - spec.centre[place[n]]) / spec.spread[place[n]] for n, v in self.numbers.items()}
        return [spec.names.index(name) for name in asked], list(asked.values())

    def told(self, n: int, spec: ConditionSpec | None) -> np.ndarray | None:
        """What a model is told of n pictures that come without labels, float32 [n, K]; None where it is told nothing.

        What is not said of them stays unknown: between yes and no; of numbers, the mean.

        Raises:
            InputError: the model is told the class, and none is said; or see `against`.
        """
        self.against(spec)
        if spec is None:
            return None
        if spec.kind == "class" and self.class_name is None:
            raise InputError(
                "this model is told the class, and these pictures come without one; say which they show (--class): "
                f"{_few(spec.names)}"
            )
        return self.apply(np.zeros((n, spec.size), np.float32), spec)

    def apply(self, drawn: np.ndarray, spec: ConditionSpec) -> np.ndarray:
        """Conditions, float32 [n, K], with what is wished for in place of what was drawn."""
        columns, values = self.against(spec)
        changed = drawn.astype(np.float32)
        changed[:, columns] = values
        return changed


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
