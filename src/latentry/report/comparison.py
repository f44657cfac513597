"""A comparison in words: what was found of each contender, and which of them suits whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latentry.metrics.comparison import Group, headline
from latentry.metrics.evaluation import Evaluation
from latentry.metrics.passport import Score
from latentry.training.doctor import Finding
from latentry.training.enough import SHORT

_UNEQUAL = 1.5  # times as long
_FAR = 3.0  # times the floor from which on pictures are far from real
MEASURES = {  # beginnings of the measures that the table shows, and what it calls them
    "FID": "FID",
    "Frechet distance": "distance to real pictures",
    "Precision": "look real (precision)",
    "Recall": "kinds found (recall)",
    "Copies of training pictures": "copies of training pictures",
    "Condition": "obeys what is asked",
    "PSNR": "reconstructions (PSNR)",
}
REAL = "other real pictures"  # the head of the table's last column
Row = tuple[str, tuple[str, ...], tuple[bool, ...]]
"""What is measured, a cell for each column, and whether it is among the best."""


@dataclass(frozen=True)
class Contender:
    """One run in a comparison.

    Attributes:
        name: the recipe, or the run's folder where two runs have one recipe.
        run: its folder.
        recipe, data: as in its config and its data report.
        shape: of a picture, (C, H, W).
        fingerprint: of its pictures.
        parameters: of the model that is kept; a critic is not.
        model_bytes: of its weights on disk.
        images, seconds: trained on, and for how long.
        enough: images after which such a recipe shows what it can do.
        encodes: whether it finds the latent of a picture.
        asked_for: names of what can be asked for; empty where it is told nothing.
        evaluation: its numbers.
        findings: the doctor's.
        curve: images seen, and at each of them the loss on held-out pictures, or of a GAN its critic's gap.
        curve_name: what the curve shows.
        settings: every setting, by `group.name`.
        samples, reals, reconstructions: uint8 [n, C, H, W], of the same seeds and held-out pictures; for the page only.
    """

    name: str
    run: str
    recipe: str
    data: str
    shape: tuple[int, int, int]
    fingerprint: str
    parameters: int
    model_bytes: int
    images: int
    seconds: float
    enough: int
    encodes: bool
    asked_for: tuple[str, ...]
    evaluation: Evaluation
    findings: tuple[Finding, ...]
    curve: tuple[tuple[int, float], ...]
    curve_name: str
    settings: Mapping[str, Any]
    samples: np.ndarray = field(repr=False)
    reals: np.ndarray | None = field(repr=False, default=None)
    reconstructions: np.ndarray | None = field(repr=False, default=None)

    @property
    def images_per_sec(self) -> float:
        """While training, with ticks."""
        return self.images / max(self.seconds, 1e-9)

    @property
    def short(self) -> bool:
        """Whether it was trained too little to show what the recipe can do."""
        return self.images < SHORT * self.enough

    def find(self, start: str) -> Score | None:
        """The first score whose name begins so."""
        return next((score for score in self.evaluation.scores if score.name.startswith(start)), None)


@dataclass(frozen=True)
class Comparison:
    """Contenders, and the groups in which they may be ranked.

    Attributes:
        contenders: in the order in which they were given.
        groups: of names, the largest first.
        notes: what was refused or failed on the way.
    """

    contenders: tuple[Contender, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

    def named(self, name: str) -> Contender:
        """The contender of that name."""
        return next(each for each in self.contenders if each.name == name)

    @property
    def answer(self) -> tuple[str, ...]:
        """Which of these suits, in sentences; the first one is for new pictures."""
        return tuple(line for part in self.groups for line in _verdict_of(part, self))

    @property
    def cautions(self) -> tuple[str, ...]:
        """What speaks against trusting the answer, in sentences."""
        return tuple(_cautions(self))

    def to_json(self) -> dict[str, Any]:
        """A record that `json` can write; pictures are left out."""
        pictures = ("samples", "reals", "reconstructions")
        names = [each.name for each in dataclasses.fields(Contender) if each.name not in pictures]
        return {
            "answer": list(self.answer),
            "cautions": list(self.cautions),
            "groups": [
                {**dataclasses.asdict(part), "rankings": [dataclasses.asdict(each) for each in part.rankings.values()]}
                for part in self.groups
            ],
            "contenders": [{name: _plain(getattr(each, name)) for name in names} for each in self.contenders],
            "notes": list(self.notes),
        }


def differing_settings(contenders: Sequence[Contender]) -> dict[str, tuple[str, ...]]:
    """The settings that are not the same for all, by name, as text for each contender."""
    names = dict.fromkeys(name for each in contenders for name in each.settings)
    rows = {name: tuple(_text(each.settings.get(name, "")) for each in contenders) for name in names}
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def value_text(score: Score) -> str:
    """A score with its interval, in short."""
    share = score.unit == "share"
    ends = (
        ""
        if score.interval is None
        else f" ({_number(score.interval[0], share)} to {_number(score.interval[1], share)})"
    )
    unit = {"share": "", "": "", "nats per picture": " nats"}.get(score.unit, f" {score.unit}")
    return f"{_number(score.value, share)}{unit}{ends}"


def table_rows(part: Group, comparison: Comparison) -> list[Row]:
    """The group's table, with a last cell for what other real pictures score in a contender's place."""
    who = [comparison.named(name) for name in part.names]
    rows: list[Row] = []
    for start, title in MEASURES.items():
        found = [each.find(start) for each in who]
        names = {score.name for score in found if score is not None}
        if not names:
            continue
        ranking = part.rankings.get(min(names)) if len(names) == 1 else None
        best = () if ranking is None else ranking.best
        cells = tuple("" if score is None else value_text(score) for score in found)
        marks = tuple(score is not None and each.name in best for score, each in zip(found, who, strict=True))
        floor = next((score.floor for score in found if score is not None), None)
        share = any(score is not None and score.unit == "share" for score in found)
        beside = "" if floor is None else _number(floor, share)
        rows.append((title, (*cells, beside), (*marks, False)))
    plain = {
        "encodes your own pictures": ["yes" if each.encodes else "no" for each in who],
        "can be asked for": [_few(each.asked_for) or "nothing" for each in who],
        "trained on": [f"{each.images:,} images" for each in who],
        "training time": [_time(each.seconds) for each in who],
        "speed": [f"{each.images_per_sec:,.0f} images/s" for each in who],
        "parameters": [f"{each.parameters:,}" for each in who],
        "model on disk": [f"{each.model_bytes / 1e6:,.1f} MB" for each in who],
        "doctor": [", ".join(finding.name for finding in each.findings) or "nothing wrong" for each in who],
    }
    return rows + [(title, (*cells, ""), (False,) * (len(who) + 1)) for title, cells in plain.items()]


def _verdict_of(part: Group, comparison: Comparison) -> list[str]:
    """What one group says; the first sentence is about new pictures, the second about pictures of one's own."""
    about = comparison.named(part.names[0])
    where = "" if len(comparison.groups) == 1 else f" (on {about.data}, {_size(about)})"
    if len(part.names) == 1:
        why = f": {'; '.join(part.apart)}" if part.apart else ""
        return [f"{about.name} is ranked with no other{where}{why}."]
    lines = [f"Ranked apart{where}: {'; '.join(part.apart)}."] if part.apart else []
    ranking = None if part.headline is None else part.rankings.get(part.headline)
    if ranking is None:
        return [
            *lines,
            f"{_listed(part.names)} cannot be ranked{where}: none of their samples were compared with real.",
        ]
    scores = {name: headline(comparison.named(name).evaluation) for name in part.names}
    shown = ", ".join(f"{name} {value_text(s)}" for name in ranking.order if (s := scores[name]) is not None)
    so_far = "So far, for" if any(comparison.named(name).short for name in part.names) else "For"
    if ranking.winner:
        found = f"take {ranking.winner}{where}: its samples are nearest to real ones, beyond chance"
    else:
        found = f"{_listed(ranking.best)}{where}: {ranking.reason}"
    lines += [f"{so_far} new pictures {found}.", f"{ranking.measure}, less is better: {shown}."]
    return [*lines, *_for_own_pictures(part, comparison)]


def _for_own_pictures(part: Group, comparison: Comparison) -> list[str]:
    """Who encodes, and who does it best; who can be asked for something."""
    who = [comparison.named(name) for name in part.names]
    encoding, lines = [each for each in who if each.encodes], []
    if encoding:
        ranking = next((each for name, each in part.rankings.items() if name.startswith("PSNR")), None)
        if len(encoding) == 1:
            lines.append(f"To edit or morph pictures of your own take {encoding[0].name}: of these it alone encodes.")
        elif ranking is not None and ranking.winner:
            lines.append(f"To edit or morph pictures of your own take {ranking.winner}: it reconstructs them best.")
        elif ranking is not None:
            lines.append(f"To edit or morph pictures of your own, {_listed(ranking.best)}: {ranking.reason}.")
    told = [each.name for each in who if each.asked_for]
    if told and len(told) < len(who):
        lines.append(f"Only {_listed(told)} can be asked for what to show.")
    return lines


def _cautions(comparison: Comparison) -> list[str]:
    """What speaks against trusting the ranking, in sentences."""
    lines = []
    if short := [f"{each.name} ({each.images / each.enough:.0%})" for each in comparison.contenders if each.short]:
        lines.append(
            f"Trained too little to be judged: {_listed(short)} of the images that such a recipe takes, by a rule of "
            "thumb. This says who learns fastest, not who ends best."
        )
    for part in comparison.groups:
        who = sorted((comparison.named(name) for name in part.names), key=lambda each: each.seconds)
        if who[-1].seconds > _UNEQUAL * who[0].seconds:
            ends = " to ".join(f"{_time(each.seconds)} ({each.name})" for each in (who[0], who[-1]))
            lines.append(f"Trained for unequal times, {ends}: this ranks these runs, not their recipes.")
    for each in comparison.contenders:
        if (copies := each.find("Copies")) is not None and any("it copies" in said for said in copies.said):
            lines.append(f"{each.name} repeats training pictures ({value_text(copies)} of its samples): look at them.")
    first = comparison.groups[0] if comparison.groups else None
    score = None if first is None else headline(comparison.named(first.names[0]).evaluation)
    if score is not None and score.floor is not None and score.floor > 0 and score.value > _FAR * score.floor:
        lines.append(
            f"Even the best is {score.value / score.floor:,.0f} times as far from real pictures as other real pictures "
            "are: longer training may change the order."
        )
    if len(comparison.contenders) > 1:
        lines.append("Intervals are about samples of these models; another training seed may give another order.")
    return lines


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _size(contender: Contender) -> str:
    return f"{contender.shape[1]} x {contender.shape[2]}"


def _time(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def _number(value: float, share: bool = False) -> str:
    if share:
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    """A field's value as JSON can write it."""
    if isinstance(value, Evaluation):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dataclasses.asdict(value) if isinstance(value, Finding) else value
