"""What watches a run: the console, the grids on disk, the trackers. The loop tells them; they tell it nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from latentry.settings.config import Config
from latentry.training.doctor import Finding
from latentry.training.run import Run


@dataclass(frozen=True)
class Pace:
    """How far a run is and how fast it goes."""

    progress: float  # share of the run that is over, from 0 to 1
    images: int
    images_per_sec: float
    seconds_left: float


@dataclass(frozen=True)
class Pictures:
    """What a model shows at a tick, uint8 [n, C, H, W] each."""

    samples: np.ndarray | None  # of latents that stay the same all run; None where nothing can be sampled yet
    reals: np.ndarray  # the same pictures all run, held out where the set allows
    reconstructions: np.ndarray | None  # None where the model does not encode


class Observer(Protocol):
    """Something that watches a run."""

    def started(self, run: Run, config: Config, resumed_at: int | None) -> None:
        """Training begins, or goes on from `resumed_at` images."""
        ...

    def advanced(self, pace: Pace) -> None:
        """A few times a second, between ticks."""
        ...

    def ticked(self, record: dict[str, Any], pictures: Pictures) -> None:
        """A log record was written."""
        ...

    def found(self, finding: Finding) -> None:
        """Something goes wrong; each thing is told once, after the tick that showed it."""
        ...

    def ended(self) -> None:
        """The loop is left, for whatever reason."""
        ...
