"""The full report on pictures, with what takes a while to find: copies, and copies across the split."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from latentry.data.duplicates import exact_groups, near_groups, pixel_digests
from latentry.data.facts import Duplicates, Report
from latentry.data.images import ImageSet, open_images
from latentry.data.in_place import spread
from latentry.settings.data import Channels, Fit

_MANY_COPIES = 0.01
_COMPARED = 200_000  # pictures at most that are looked at for copies: half a minute, and thumbnails of 150 MB


def inspect_images(
    spec: Any,
    size: int | tuple[int, int] | None = None,
    channels: Channels = "auto",
    fit: Fit = "crop",
    *,
    cache: Path | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Open pictures and report on them in full; the arguments are those of `open_images`."""
    images = open_images(spec, size, channels, fit, cache=cache, limit=limit, progress=progress)
    return inspect_set(images)


def inspect_set(images: ImageSet) -> Report:
    """The report on an open set, with duplicates and leaks and the warnings that follow from them."""
    looked_at = spread(len(images), _COMPARED)
    if images.digests is None:
        exact = [looked_at[group].tolist() for group in exact_groups(pixel_digests(images.images[looked_at]))]
    else:
        exact = exact_groups(images.digests)
    copies = np.zeros(len(images), bool)
    first_of = {}
    for group in exact:
        copies[group[1:]] = True
        first_of[group[0]] = group
    points = images.spec.points  # however close, two points are no copies: that is what a mode is made of
    near = [] if points else near_groups(images.images, looked_at[~copies[looked_at]])
    near_with_copies = [[row for head in group for row in first_of.get(head, [head])] for group in near]
    leaks = _leaks(images, [*exact, *near_with_copies])
    duplicates = Duplicates(_named(images, exact), _named(images, near), _named(images, leaks))
    report = images.report
    warnings = list(report.warnings)
    if duplicates.n_copies > _MANY_COPIES * len(images):
        warnings.append(f"{duplicates.n_copies} pictures are exact copies of others: they count more in training")
    if images.labels is not None and images.labels.classes is not None:
        classes = images.labels.classes.values
        if torn := sum(len(set(classes[group].tolist())) > 1 for group in exact):
            warnings.append(f"{torn} pictures occur in several classes at once: look at their labels")
    if leaks:
        warnings.append(
            f"{len(leaks)} pictures occur on both sides of the source's split: held-out scores will look too good"
        )
    notes = report.notes
    if len(looked_at) < len(images):
        what = "near copies" if images.digests is not None else "copies"
        notes = (*notes, f"{what} were looked for among {len(looked_at):,} of the {len(images):,} pictures")
    return dataclasses.replace(report, duplicates=duplicates, notes=notes, warnings=tuple(warnings))


def _leaks(images: ImageSet, groups: list[list[int]]) -> list[list[int]]:
    """The groups that have pictures on both sides of the set's own split."""
    if images.split is None:
        return []
    sides = images.split
    mixed = [group for group in groups if len({int(sides[row]) for row in group}) == 2]
    covered = {row for group in mixed for row in group}
    widest: list[list[int]] = []
    for group in sorted(mixed, key=len, reverse=True):  # a group of exact copies may lie within a near one
        if covered.issuperset(group):
            widest.append(sorted(group))
            covered -= set(group)
    return sorted(widest)


def _named(images: ImageSet, groups: list[list[int]]) -> tuple[tuple[str, ...], ...]:
    files = images.files
    return tuple(tuple(files[row] if files else f"picture {row}" for row in group) for group in groups)
