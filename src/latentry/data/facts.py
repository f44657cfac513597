"""The report on a set of pictures: what was found, what was done about it, and what it means for training."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latentry.data.decode import Facts, Policy
from latentry.data.labels import Labels

_TINY = 2000
_LISTED = 1000  # at most so many different sizes or damaged files are listed one by one


@dataclass(frozen=True)
class Skipped:
    """A file that could not be decoded, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class SizeCount:
    """How many pictures have one size, in pixels as displayed."""

    width: int
    height: int
    n_images: int


@dataclass(frozen=True)
class Range:
    """Smallest, mean and largest of a number over the pictures."""

    least: float
    mean: float
    most: float


@dataclass(frozen=True)
class Duplicates:
    """Pictures that occur more than once, as groups of files; and the groups that lie on both sides of the split."""

    exact: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]

    @property
    def n_copies(self) -> int:
        """How many pictures are exact copies of an earlier one."""
        return sum(len(group) - 1 for group in self.exact)


@dataclass(frozen=True)
class Report:
    """What is known about a set before any training."""

    source: str
    n_images: int
    channels: int
    height: int
    width: int
    policy: tuple[str, ...]  # in words
    policy_key: str  # in short
    fingerprint: str = ""
    sizes: tuple[SizeCount, ...] = ()  # commonest first
    modes: dict[str, int] = field(default_factory=dict)  # PIL's names, commonest first
    n_rotated: int = 0
    n_transparent: int = 0
    n_skipped: int = 0
    skipped: tuple[Skipped, ...] = ()
    classes: dict[str, int] | None = None  # pictures in each
    attributes: dict[str, float] | None = None  # share of pictures that have each
    numbers: dict[str, Range] | None = None
    n_held_out: int | None = None  # by the source's own split
    notes: tuple[str, ...] = ()  # choices that were made
    warnings: tuple[str, ...] = ()  # what would trouble training
    duplicates: Duplicates | None = None  # only `inspect_images` looks for them
    points: bool = False  # a toy world: no pictures but points of the plane

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dataclasses.asdict(self)


def report_from_json(record: dict[str, Any]) -> Report:
    """The report that `Report.to_json` gave, without duplicates, which are never stored."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
    fields["sizes"] = tuple(SizeCount(**item) for item in record["sizes"])
    fields["skipped"] = tuple(Skipped(**item) for item in record["skipped"])
    if record["numbers"] is not None:
        fields["numbers"] = {name: Range(**item) for name, item in record["numbers"].items()}
    return Report(**fields)


def make_report(
    source: str,
    policy: Policy,
    facts: Counter[Facts],
    skipped: Sequence[Skipped],
    labels: Labels | None,
    split: np.ndarray | None,
    notes: tuple[str, ...],
) -> Report:
    """The report on decoded pictures, but for its fingerprint.

    Args:
        source: as it should read.
        policy: what they were turned into.
        facts: of the pictures that are in the set, and how many have them.
        skipped: those that are not.
        labels, split: of those that are.
        notes: choices that were made on the way.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    for fact, n in facts.items():
        sizes[fact.width, fact.height] += n
        modes[fact.mode] += n
    report = Report(
        source=source,
        n_images=facts.total(),
        channels=policy.channels,
        height=policy.height,
        width=policy.width,
        policy=policy.describe(),
        policy_key=policy.key,
        sizes=tuple(SizeCount(w, h, n) for (w, h), n in sizes.most_common(_LISTED)),
        modes=dict(modes.most_common()),
        n_rotated=sum(n for fact, n in facts.items() if fact.rotated),
        n_transparent=sum(n for fact, n in facts.items() if fact.transparent),
        n_skipped=len(skipped),
        skipped=tuple(skipped[:_LISTED]),
        notes=notes,
    )
    report = with_labels(report, labels, split)
    return dataclasses.replace(report, warnings=_warnings(report, policy, sizes, split))


def with_labels(report: Report, labels: Labels | None, split: np.ndarray | None) -> Report:
    """The report with what these labels say."""
    classes, attributes, numbers = (labels.classes, labels.attributes, labels.numbers) if labels else (None,) * 3
    changes: dict[str, Any] = {"classes": None, "attributes": None, "numbers": None}
    changes["n_held_out"] = None if split is None else int(split.sum())
    if classes is not None:
        counts = np.bincount(classes.values, minlength=len(classes.names)).tolist()
        changes["classes"] = dict(zip(classes.names, counts, strict=True))
    if attributes is not None:
        changes["attributes"] = dict(zip(attributes.names, attributes.values.mean(axis=0).tolist(), strict=True))
    if numbers is not None:
        ranges = [Range(float(x.min()), float(x.mean(dtype=np.float64)), float(x.max())) for x in numbers.values.T]
        changes["numbers"] = dict(zip(numbers.names, ranges, strict=True))
    return dataclasses.replace(report, **changes)


def _warnings(
    report: Report, policy: Policy, sizes: Counter[tuple[int, int]], split: np.ndarray | None
) -> tuple[str, ...]:
    """What would trouble training, one line each."""
    out = []
    n, width, height = report.n_images, policy.width, policy.height
    if n < _TINY:
        out.append(f"{n} pictures are few: below {_TINY:,} a model mostly learns them by heart")
    if (1, 1) in sizes:
        out.append(f"{sizes[1, 1]} pictures are 1 x 1 pixel")
    small = sum(count for (w, h), count in sizes.items() if w < width and h < height)
    if small:
        out.append(f"{small} pictures are smaller than {width} x {height} and are enlarged, which blurs them")
    cut = sum(count * _share_cut(w, h, policy) for (w, h), count in sizes.items()) / n
    if policy.fit == "crop" and cut > 0.15:
        out.append(f"cropping cuts away {cut:.0%} of a picture on average; --fit pad keeps all of it")
    if policy.fit == "stretch" and cut > 0.15:
        out.append("stretching changes the pictures' proportions a lot; --fit crop or pad keeps them")
    if report.n_skipped:
        out.append(f"{report.n_skipped} files could not be decoded and are left out")
    if report.classes:
        counts = [count for count in report.classes.values() if count]
        if max(counts) >= 10 * min(counts):
            out.append(f"classes are imbalanced: the largest has {max(counts)} pictures, the smallest {min(counts)}")
        if empty := [name for name, count in report.classes.items() if count == 0]:
            out.append(f"{len(empty)} classes have no picture: {', '.join(empty[:5])}")
    for name, share in (report.attributes or {}).items():
        if not 0.01 <= share <= 0.99:
            out.append(f"attribute {name} is nearly constant: {share:.1%} of the pictures have it")
    for name, range_ in (report.numbers or {}).items():
        if range_.least == range_.most:
            out.append(f"number {name} is constant: {range_.least:g}")
    if split is not None and not 0 < int(split.sum()) < n:
        out.append("one side of the source's split is empty")
    return tuple(out)


def _share_cut(width: int, height: int, policy: Policy) -> float:
    """The share of a picture that a centre crop to the policy's proportions cuts away."""
    ratio = (width / height) / (policy.width / policy.height)
    return 1 - min(ratio, 1 / ratio)
