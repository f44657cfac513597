"""How well an edit does what its name says, from what a probe sees before and after.

Each picture is moved towards what it does not show: by +dose without the label, by -dose with it. Dose 0 is the null
edit, which only reconstructs; what it changes is the model's doing and not the edit's, so flips and drift are counted
from it.

Letters: T doses, n pictures, K labels.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latentry.errors import InputError


@dataclass(frozen=True)
class EditGrade:
    """What an edit of one label does at each dose, by a probe.

    Attributes:
        label: which of the K it is.
        doses: the first is 0, the null edit.
        added: share of pictures without the label in which the probe sees it, at each dose; NaN where all have it.
        removed: share of pictures with the label in which the probe no longer sees it.
        flips: share of pictures in which each other label is seen to change, [T][K]; NaN for the label itself.
        drift: mean change of the probe's probability of each other label; NaN where there is no other.
        ceiling_added: share of reconstructed pictures with the label in which the probe sees it.
        ceiling_removed: share of reconstructed pictures without it in which the probe does not.
        recommended: of the doses up to the first whose success reaches the ceiling, the one with the largest success
            less mean flips; of equals, the smallest. An edit need not show more than real pictures do.
        n_without, n_with: pictures.
    """

    label: int
    doses: tuple[float, ...]
    added: tuple[float, ...]
    removed: tuple[float, ...]
    flips: tuple[tuple[float, ...], ...]
    drift: tuple[float, ...]
    ceiling_added: float
    ceiling_removed: float
    recommended: float
    n_without: int
    n_with: int

    @property
    def at(self) -> int:
        """Where the recommended dose stands among the doses."""
        return self.doses.index(self.recommended)

    @property
    def success(self) -> tuple[float, ...]:
        """The mean of `added` and `removed` at each dose."""
        return tuple(_mean(pair) for pair in zip(self.added, self.removed, strict=True))

    @property
    def ceiling(self) -> float:
        """The mean of both ceilings: no edit through this model can be expected above it."""
        return _mean((self.ceiling_added, self.ceiling_removed))

    @property
    def mean_flips(self) -> tuple[float, ...]:
        """The mean over the other labels at each dose, 0 where there is none."""
        return tuple(_mean(row, empty=0.0) for row in self.flips)

    @property
    def error(self) -> float:
        """Standard error of the success at the recommended dose."""
        parts = [
            (share * (1 - share) / n) if n else 0.0
            for share, n in ((self.added[self.at], self.n_without), (self.removed[self.at], self.n_with))
        ]
        return math.sqrt(sum(parts)) / max(1, (self.n_without > 0) + (self.n_with > 0))

    def to_json(self) -> dict[str, Any]:
        """As JSON values, NaN as null, with what follows from them."""
        record = asdict(self) | {"success": self.success, "ceiling": self.ceiling, "mean_flips": self.mean_flips}
        return {name: _plain(value) for name, value in (record | {"error": self.error}).items()}


def grade_edit(
    outputs: np.ndarray, labels: np.ndarray, label: int, doses: tuple[float, ...], *, exclusive: bool = False
) -> EditGrade:
    """Grade the edit of one label.

    Args:
        outputs: the probe's probabilities at each dose, [T, n, K]; the first are of the null edit.
        labels: what the unedited pictures show, 0 or 1, [n, K].
        label: which of the K is edited.
        doses: T of them, rising from 0.
        exclusive: the labels are classes, of which a picture shows one. Its own class gives way when another is added,
            and any may follow when it is removed; so flips and drift are those of third classes, in the pictures that
            are moved towards the label.

    Raises:
        InputError: the doses do not rise from 0, or there are no pictures.
    """
    if not doses or doses[0] != 0 or any(b <= a for a, b in itertools.pairwise(doses)):
        raise InputError(f"doses (={doses}) must rise from 0, the null edit")
    if len(labels) == 0:
        raise InputError("there are no pictures to grade an edit on; give at least one")
    has = labels[:, label] > 0.5
    seen = calls(outputs, exclusive=exclusive)
    target = seen[:, :, label]
    added, removed = _share(target[:, ~has]), 1 - _share(target[:, has])
    flips, drift = _others(outputs, seen, labels, label, exclusive)
    ungraded = EditGrade(
        label=label,
        doses=doses,
        added=tuple(added.tolist()),
        removed=tuple(removed.tolist()),
        flips=tuple(tuple(row) for row in flips.tolist()),
        drift=tuple(drift.tolist()),
        ceiling_added=float(_share(target[:1, has])[0]),
        ceiling_removed=float(1 - _share(target[:1, ~has])[0]),
        recommended=0.0,
        n_without=int((~has).sum()),
        n_with=int(has.sum()),
    )
    return dataclasses.replace(ungraded, recommended=_recommend(ungraded))


def calls(outputs: np.ndarray, *, exclusive: bool) -> np.ndarray:
    """What the probe says of each label, bool [..., K]: above a half, or, of classes, the most likely."""
    if not exclusive:
        return outputs > 0.5
    return outputs.argmax(axis=-1)[..., None] == np.arange(outputs.shape[-1])


def flip_matrix(grades: list[EditGrade]) -> np.ndarray:
    """What each edit does to each label at its recommended dose, [len(grades), K].

    Success where the label is the edited one, share of flips elsewhere.
    """
    rows = []
    for grade in grades:
        row = np.array(grade.flips[grade.at])
        row[grade.label] = grade.success[grade.at]
        rows.append(row)
    return np.stack(rows)


def _recommend(grade: EditGrade) -> float:
    """See `EditGrade.recommended`; never the null edit, even where no dose does better, unless there is no other."""
    success, flips = grade.success, grade.mean_flips
    best = 1
    for at in range(1, len(grade.doses)):
        if success[at] - flips[at] > success[best] - flips[best]:
            best = at
        if success[at] >= grade.ceiling:
            break
    return grade.doses[best] if len(grade.doses) > 1 else 0.0


def _others(
    outputs: np.ndarray, seen: np.ndarray, labels: np.ndarray, label: int, exclusive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Flips [T, K] and drift [T] of the labels that are not edited."""
    counted = np.ones(labels.shape, bool)
    counted[:, label] = False
    changed = seen != seen[:1]
    if exclusive:
        counted &= (labels < 0.5) & (labels[:, [label]] < 0.5)
        changed = seen & ~seen[:1]
    n = counted.sum(axis=0)  # [K]
    with np.errstate(invalid="ignore"):
        flips = (changed & counted).sum(axis=1) / np.where(n, n, np.nan)
        total = counted.sum()
        drift = (np.abs(outputs - outputs[:1]) * counted).sum(axis=(1, 2)) / (total if total else np.nan)
    return flips, drift


def _share(rows: np.ndarray) -> np.ndarray:
    """Share of True in each row, [T]; NaN where a row is empty."""
    return rows.mean(axis=1) if rows.shape[1] else np.full(len(rows), np.nan)


def _mean(values: tuple[float, ...] | np.ndarray, empty: float = math.nan) -> float:
    """The mean of what is a number."""
    known = [float(value) for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else empty


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
