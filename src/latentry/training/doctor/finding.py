"""What a rule reads, and what it finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from latentry.settings.config import Config
from latentry.settings.gan import GANSettings

_YOUNG = 100  # steps before which untrained and collapsed models look alike
# Likewise for generators. In 7 of 60 runs that ended well half of the pictures repeated others, or the critic was sure
# of every picture, somewhere in the first 240 steps, and in none later.
_YOUNG_GAN = 300


@dataclass(frozen=True)
class Curve:
    """Evidence to draw: one number over the images seen, and where it should be.

    Attributes:
        name: what is drawn, with its unit.
        at: images seen.
        values: one for each of these.
        normal: from where to where is normal; None at an end that is open.
    """

    name: str
    at: tuple[int, ...]
    values: tuple[float, ...]
    normal: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class Finding:
    """One thing that goes wrong.

    Attributes:
        name: short, the same whenever it is found.
        evidence: the numbers that show it, in a sentence.
        cause: the likely one, in a sentence.
        change: the flag to change and what to, in words that can be typed.
        curve: the evidence over time, where there is such.
    """

    name: str
    evidence: str
    cause: str
    change: str
    curve: Curve | None = None


@dataclass(frozen=True)
class Case:
    """All that is known of a run: the settings, one log record a tick, the data report, and how it failed if it did."""

    config: Config
    log: list[dict[str, Any]]
    data: dict[str, Any]
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def progress(self) -> float:
        """The share of the run's ticks that are over."""
        return len(self.log) / self.config.training.ticks

    @property
    def young(self) -> bool:
        """Whether so few steps were made that what a model shows is its beginning."""
        needed = _YOUNG_GAN if isinstance(self.config.model, GANSettings) else _YOUNG
        return not self.log or self.log[-1].get("step", needed) < needed

    def values(self, *path: str) -> list[Any]:
        """What stands under these keys in every record that has it, oldest first."""
        found = (_look_up(record, path) for record in self.log)
        return [value for value in found if value is not None]

    def last(self, *path: str) -> Any:
        """The newest of `values`; None where there is none."""
        return next(iter(self.values(*path)[-1:]), None)

    def recent(self, *path: str, n: int = 3) -> list[float]:
        """The newest `n` of the finite `values`; empty where there are fewer."""
        found = [value for value in self.values(*path) if math.isfinite(value)]
        return found[-n:] if len(found) >= n else []

    def curve(self, name: str, *path: str, above: float | None = None, below: float | None = None) -> Curve:
        """The number under these keys over the images seen; normal is `above` one value and `below` another."""
        pairs = [(record["images"], value) for record in self.log if (value := _look_up(record, path)) is not None]
        return Curve(name, tuple(at for at, _ in pairs), tuple(value for _, value in pairs), (above, below))


Rule = Callable[[Case], Finding | None]


def _look_up(record: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = record
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
