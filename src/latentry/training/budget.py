"""How much of a run is over, counted in images or in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from latentry.settings.training import TrainingSettings, parse_count, parse_seconds

_FINISHING = 0.15  # share of a time budget kept for fitting samplers and drawing the last grids


@dataclass(frozen=True)
class Budget:
    """When a run ends: after so many images, or after so many seconds of training; exactly one is given."""

    images: int | None
    seconds: float | None

    def progress(self, images: int, seconds: float) -> float:
        """The share of the run that is over, from 0 to 1, after so many images and so many seconds."""
        if self.images is not None:
            return min(1.0, images / self.images)
        assert self.seconds is not None
        return min(1.0, seconds / self.seconds)


def resolve_budget(training: TrainingSettings, n_data: int, default_seconds: float) -> Budget:
    """The budget that the settings ask for.

    A run in seconds depends on the machine's speed, so only runs in images or epochs repeat bit for bit.

    Args:
        training: holds at most one of budget, images and epochs.
        n_data: pictures in an epoch.
        default_seconds: how long to train where the settings do not say.
    """
    if training.images is not None:
        return Budget(images=parse_count(training.images), seconds=None)
    if training.epochs is not None:
        return Budget(images=max(1, round(training.epochs * n_data)), seconds=None)
    seconds = parse_seconds(training.budget) if training.budget is not None else default_seconds
    return Budget(images=None, seconds=seconds * (1 - _FINISHING))
