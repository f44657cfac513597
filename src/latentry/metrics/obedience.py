"""How well a conditional model does what it is told: a probe judges pictures that were asked for.

Letters: n pictures, K classes, attributes or numbers.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latentry.data import ImageSet
from latentry.errors import InputError
from latentry.metrics.probe import Probe, agreement, probe_for
from latentry.models.trained import TrainedModel
from latentry.settings.specs import ConditionKind


@dataclass(frozen=True)
class Obedience:
    """Shares of generated pictures in which the probe sees what was asked, and its own accuracy on real ones.

    Attributes:
        kind: of the condition.
        names: of the K classes, attributes or numbers.
        share: for each name, right of all (numbers: R^2); NaN where none was asked for.
        error: standard error of each share; NaN for numbers.
        overall: share of pictures whose class is right, or the mean of `share`.
        ceiling: the probe's own accuracy for each name, on held-out real pictures.
        ceiling_overall: likewise.
        n: pictures judged.
    """

    kind: ConditionKind
    names: tuple[str, ...]
    share: tuple[float, ...]
    error: tuple[float, ...]
    overall: float
    ceiling: tuple[float, ...]
    ceiling_overall: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values, NaN as null, with lines for people under "said"."""
        record = {**asdict(self), "said": self.lines()}
        for name in ("share", "error", "ceiling"):
            record[name] = [None if math.isnan(value) else value for value in record[name]]
        return record

    def lines(self) -> list[str]:
        """For people: overall, then the names that obey least, beside the probe's own accuracy on real pictures."""
        is_number = self.kind == "numbers"
        if is_number:
            head = (
                f"obeys the numbers asked for with a mean R^2 of {self.overall:.2f} over {self.n:,} samples; "
                f"the probe itself reads held-out real pictures with {self.ceiling_overall:.2f}"
            )
        else:
            what = "the class" if self.kind == "class" else "an attribute"
            head = (
                f"obeys {what} asked for in {self.overall:.1%} of {self.n:,} samples; "
                f"the probe itself is right on {self.ceiling_overall:.1%} of held-out real pictures"
            )
        lines = [head]
        known = [k for k, share in enumerate(self.share) if not math.isnan(share)]
        for k in sorted(known, key=lambda k: self.share[k])[:5]:
            if is_number:
                how = f"R^2 {self.share[k]:.2f} (probe on real pictures {self.ceiling[k]:.2f})"
            else:
                how = f"{self.share[k]:.1%} +- {self.error[k]:.1%} (probe on real pictures {self.ceiling[k]:.1%})"
            lines.append(f"  {self.names[k]}: {how}")
        return lines


def obedience(probe: Probe, images: np.ndarray, asked: np.ndarray) -> Obedience:
    """Judge generated pictures, uint8 [n, C, H, W], by the condition vectors [n, K] that they were asked for with."""
    facts = probe.facts
    share, overall = agreement(probe.predict(images), asked, facts.kind)
    counts = (asked > 0.5).sum(axis=0) if facts.kind == "class" else np.full(len(share), len(images))
    if facts.kind == "numbers":
        error = np.full(len(share), np.nan)
    else:
        # Wilson's: not 0 where all are right.
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt(share * (1 - share) / counts + 1 / (4 * counts**2)) / (1 + 1 / counts)
    return Obedience(
        facts.kind,
        facts.names,
        tuple(share.tolist()),
        tuple(error.tolist()),
        overall,
        facts.accuracy,
        facts.overall,
        len(images),
    )


def judge(model: TrainedModel, images: ImageSet, *, n: int = 2000, n_shown: int = 100_000, seed: int = 0) -> Obedience:
    """How well a conditional model obeys: n samples, with conditions as often as its data have them.

    Args:
        model: told a class, attributes or numbers.
        images: its real pictures with their labels, at its size.
        n: samples, with seeds 0 to n - 1.
        n_shown: pictures that the probe is trained on, counted with repetition; it is kept in the cache.
        seed: of the probe.

    Raises:
        InputError: the model is told nothing.
    """
    spec = model.network.condition
    if spec is None:
        raise InputError("this model is told nothing, so there is nothing to obey; train one with a condition")
    probe = probe_for(images, spec, n_shown=n_shown, seed=seed)
    seeds = range(n)
    asked = model.conditions(seeds)
    assert asked is not None
    return obedience(probe, model.decode(model.latents(seeds, conditions=asked), asked), asked)
