"""What a score was measured with: the passport that every number carries, and whether two numbers may be compared.

The same metric with another extractor, resize, count or split is another number: real pictures of one set have scored 3
or 30 by the count alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from latentry.errors import InputError
from latentry.metrics.estimates import Estimate


@dataclass(frozen=True)
class Passport:
    """The protocol of a measurement.

    Attributes:
        extractor: what turned pictures into features: inception, dinov2, random, probe, pixels; "none" for none.
        extractor_hash: of its weights; empty where it has none.
        resize: how pictures were brought to its size, e.g. "bilinear 299, antialiased"; "none" where they were not.
        n_real, n_fake: pictures of each side; 0 for a side that the metric does not look at.
        split: of the real pictures: train, held out, all.
        data: fingerprint of the real pictures.
        seed: of the generated ones. Scores of different seeds may be compared: that is what seeds are for.
        versions: of the packages that took part, by name.
        details: what else defines the number, by name: k of neighbours, size of subsets, bins.
    """

    extractor: str
    extractor_hash: str
    resize: str
    n_real: int
    n_fake: int
    split: str
    data: str
    seed: int
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A number with its interval and its passport.

    Attributes:
        name: of the metric, with the extractor's where it is not the one that the name is known for.
        value: the number.
        interval: of 95 %; None where there is none.
        passport: what it was measured with.
        unit: "nats per picture", "share"; empty for a bare number.
        higher_is_better: None where neither is.
        said: what a reader must know before trusting it, one sentence each.
        floor: what other real pictures, as many, score in its place: no generator can be expected to do better. Of a
            measure of codes, what codes that know nothing score. None where there is no such thing.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    passport: Passport
    unit: str = ""
    higher_is_better: bool | None = None
    said: tuple[str, ...] = ()
    floor: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        found: Estimate,
        passport: Passport,
        *,
        unit: str = "",
        higher_is_better: bool | None = None,
        floor: float | None = None,
    ) -> Score:
        """An estimate with its passport."""
        interval = None if math.isnan(found.error) else (found.low, found.high)
        return cls(name, found.value, interval, passport, unit, higher_is_better, found.said, floor)

    def to_json(self) -> dict[str, Any]:
        """A record that `json` can write; numbers that are not finite become null, which JSON has."""
        record = asdict(self)
        ends = None if self.interval is None else [_finite(end) for end in self.interval]
        passport = {
            **record["passport"],
            "versions": dict(self.passport.versions),
            "details": dict(self.passport.details),
        }
        return {
            **record,
            "value": _finite(self.value),
            "interval": ends,
            "passport": passport,
            "said": list(self.said),
            "floor": None if self.floor is None else _finite(self.floor),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Score:
        """What `to_json` gave.

        Raises:
            InputError: a key is missing or unknown.
        """
        known = _known(cls, record, "score")
        passport = Passport(**_known(Passport, known["passport"], "passport"))
        ends = known["interval"]
        return cls(
            **{
                **known,
                "value": _number(known["value"]),
                "interval": None if ends is None else (_number(ends[0]), _number(ends[1])),
                "passport": passport,
                "said": tuple(known["said"]),
                "floor": None if known["floor"] is None else float(known["floor"]),
            }
        )

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        ends = "" if self.interval is None else f" ({self.interval[0]:.4g} to {self.interval[1]:.4g})"
        p = self.passport
        return f"{self.name} {self.value:.4g}{unit}{ends}, {p.extractor}, {p.n_real:,} real and {p.n_fake:,} generated"


_WORDS = {
    "extractor": "extractors",
    "extractor_hash": "weights of the extractor",
    "resize": "resizing",
    "n_real": "numbers of real pictures",
    "n_fake": "numbers of generated pictures",
    "split": "splits of the real pictures",
    "data": "real pictures (fingerprint)",
}


def comparable(a: Score | Passport, b: Score | Passport) -> tuple[str, ...]:
    """Why two scores must not be ranked, in words, one reason each; empty where they may be.

    Seeds may differ. So may the last part of a package's version, and packages that only one of the two names.
    """
    reasons = []
    if isinstance(a, Score) and isinstance(b, Score) and a.name != b.name:
        reasons.append(f"they are different measures: {a.name} and {b.name}")
    p, q = (each.passport if isinstance(each, Score) else each for each in (a, b))
    for name, words in _WORDS.items():
        one, other = getattr(p, name), getattr(q, name)
        if one != other:
            reasons.append(f"their {words} differ: {_shown(name, one)} and {_shown(name, other)}")
    for name in sorted(p.versions.keys() & q.versions.keys()):
        one, other = p.versions[name], q.versions[name]
        if one.split(".")[:2] != other.split(".")[:2]:
            reasons.append(f"their versions of {name} differ: {one} and {other}")
    for name in sorted(p.details.keys() | q.details.keys()):
        if p.details.get(name) != q.details.get(name):
            one, other = p.details.get(name, "not stated"), q.details.get(name, "not stated")
            reasons.append(f"their {name} differs: {one} and {other}")
    return tuple(reasons)


def _shown(name: str, value: str | int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return (value[:12] if name in ("data", "extractor_hash") else value) or "none"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _known(cls: type, record: Mapping[str, Any], what: str) -> dict[str, Any]:
    names = {each.name for each in fields(cls)}
    if not isinstance(record, Mapping) or set(record) != names:
        keys = sorted(set(record) ^ names) if isinstance(record, Mapping) else record
        raise InputError(f"this is no {what}: {keys} missing or unknown; a {what} has {sorted(names)}")
    return dict(record)
