"""Modes covered by a generator of a toy world or of stacked digits, beside what a perfect sampler would score.

Letters: n samples, K classes of the grey pictures, N stacks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from latentry.data import ImageSet
from latentry.data.points import World
from latentry.metrics.modes import (
    ModeScore,
    PerfectScore,
    perfect_class_score,
    perfect_mode_score,
    score_classes,
    score_modes,
)
from latentry.metrics.probe import Probe, train_probe

_SIMULATIONS = 100
_MOST_GREY = 60_000  # grey pictures that the classifier learns from: as many as MNIST has


@dataclass(frozen=True)
class Coverage:
    """A generator's score beside the perfect one.

    Attributes:
        score: of the generator's samples.
        perfect: of as many samples of the data's own distribution.
        classifier: the accuracy of what named the samples' modes; None where places of the plane are the modes.
    """

    score: ModeScore
    perfect: PerfectScore
    classifier: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values, with lines for people under "said"."""
        return {**asdict(self), "said": self.lines()}

    def lines(self) -> list[str]:
        """For people: each number beside the perfect sampler's."""
        score, perfect = self.score, self.perfect
        lines = [
            f"covers {score.modes} of {score.n_modes} modes in {score.n_samples:,} samples "
            f"(perfect {perfect.modes:.1f})"
        ]
        if score.high_quality is not None and perfect.high_quality is not None:
            lines.append(f"  of high quality: {score.high_quality:.1%} (perfect {perfect.high_quality:.1%})")
        kl = "none" if score.reverse_kl is None else f"{score.reverse_kl:.3f}"
        lines.append(f"  reverse KL: {kl} nats (perfect {perfect.reverse_kl:.3f} +- {perfect.reverse_kl_std:.3f})")
        if self.classifier is not None:
            lines.append(
                f"  modes are named by a classifier that is right on {self.classifier:.1%} of held-out pictures"
            )
        return lines


def judge_points(points: np.ndarray, world: World) -> Coverage:
    """Score points [n, 2, 1, 1] in the plane."""
    rng = torch.Generator().manual_seed(0)
    perfect = perfect_mode_score(len(points), world.centres, world.std, rng=rng, n_simulations=_SIMULATIONS)
    return Coverage(score_modes(points.reshape(-1, 2), world.centres, world.std), perfect)


def judge_stacks(samples: np.ndarray, reals: ImageSet, *, n_shown: int, seed: int = 0) -> Coverage:
    """Score stacks, uint8 [n, 3, H, W], by a classifier of grey pictures trained on the real stacks' channels.

    Args:
        samples: generated stacks.
        reals: the real ones, with their classes.
        n_shown: grey pictures that the classifier is trained on, counted with repetition.
        seed: of the classifier.
    """
    assert reals.labels is not None and reals.labels.classes is not None
    n_classes = round(len(reals.labels.classes.names) ** (1 / 3))
    probe = _grey_probe(reals, n_classes, n_shown, seed)
    channels = [probe.predict(samples[:, [channel]]).argmax(axis=1) for channel in range(3)]
    named = _stack_class(channels, n_classes)
    rng = torch.Generator().manual_seed(0)
    shares = np.bincount(reals.labels.classes.values, minlength=n_classes**3)
    perfect = perfect_class_score(len(samples), n_classes**3, rng=rng, shares=shares, n_simulations=_SIMULATIONS)
    return Coverage(score_classes(named, n_classes**3), perfect, probe.facts.overall)


def _grey_probe(reals: ImageSet, n_classes: int, n_shown: int, seed: int) -> Probe:
    """A classifier of the channels of stacks."""
    assert reals.labels is not None and reals.labels.classes is not None
    rows = np.arange(min(len(reals), _MOST_GREY // 3))
    stacks, classes = np.asarray(reals.images[rows]), reals.labels.classes.values[rows]
    grey = stacks.reshape(-1, 1, *stacks.shape[2:])
    each = np.stack([classes // n_classes**2, classes // n_classes % n_classes, classes % n_classes], axis=1).reshape(
        -1
    )
    targets = np.eye(n_classes, dtype=np.float32)[each]
    epochs = max(1, round(n_shown / len(grey)))
    return train_probe(grey, targets, "class", tuple(map(str, range(n_classes))), epochs=epochs, seed=seed)


def _stack_class(channels: list[np.ndarray], n_classes: int) -> np.ndarray:
    """The class of stacks whose red, green and blue have these classes."""
    red, green, blue = channels
    return (red * n_classes + green) * n_classes + blue
