"""Contenders side by side: who may be ranked with whom, and which differences are more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from latentry.metrics.estimates import Z_95
from latentry.metrics.evaluation import Evaluation
from latentry.metrics.passport import Score, comparable

_HEADLINES = ("FID", "Frechet distance", "KID", "Kernel distance")


@dataclass(frozen=True)
class Ranking:
    """Contenders by one measure.

    Attributes:
        measure: its name.
        order: their names, best first.
        best: the first, and those that chance may have put behind it.
        reason: why `best` has several names, where it has; empty where one is best.
    """

    measure: str
    order: tuple[str, ...]
    best: tuple[str, ...]
    reason: str = ""

    @property
    def winner(self) -> str | None:
        """The one that is best beyond chance; None where there is no such one."""
        return self.best[0] if len(self.best) == 1 else None


@dataclass(frozen=True)
class Group:
    """Contenders that were measured alike, ranked by every measure that two of them have.

    Attributes:
        names: of the contenders, best first by the headline.
        headline: the measure that compares samples with real pictures; None where none was taken.
        rankings: by the measure's name.
        apart: why they are not ranked with the group before, one reason each; empty in the first group.
    """

    names: tuple[str, ...]
    headline: str | None
    rankings: Mapping[str, Ranking]
    apart: tuple[str, ...] = ()


def told_apart(a: Score, b: Score, n_pairs: int = 1) -> bool:
    """Whether two scores differ by more than chance: 95 % sure of all of `n_pairs` such statements together.

    The samples are independent, so that the variance of the difference is the sum of the two; each score's interval
    towards the other is its error. Scores without intervals cannot be told apart, however far they are.
    """
    if a.interval is None or b.interval is None or not (math.isfinite(a.value) and math.isfinite(b.value)):
        return False
    low, high = (a, b) if a.value <= b.value else (b, a)
    assert low.interval is not None and high.interval is not None
    error = math.hypot(low.interval[1] - low.value, high.value - high.interval[0])
    wider = NormalDist().inv_cdf(1 - 0.025 / max(1, n_pairs)) / Z_95  # Bonferroni
    return high.value - low.value > wider * error


def rank(scores: Mapping[str, Score]) -> Ranking | None:
    """Contenders by one measure that all of them have; None where neither end of it is better.

    Args:
        scores: of one measure and one protocol, by contender; at least one.
    """
    first = next(iter(scores.values()))
    if first.higher_is_better is None:
        return None
    known = {name: score for name, score in scores.items() if math.isfinite(score.value)}
    order = sorted(known, key=lambda name: known[name].value, reverse=first.higher_is_better)
    if not order:
        return None
    n_pairs = len(order) * (len(order) - 1) // 2
    top = known[order[0]]
    best = (order[0], *(name for name in order[1:] if not told_apart(top, known[name], n_pairs)))
    if len(best) == 1:
        return Ranking(first.name, tuple(order), best)
    bare = any(known[name].interval is None for name in best)
    reason = "it has no interval, so no difference is claimed" if bare else "no difference that the samples can show"
    return Ranking(first.name, tuple(order), best, reason)


def group(evaluations: Mapping[str, Evaluation]) -> tuple[Group, ...]:
    """Contenders parted by what they were measured with, the largest group first; each ranked within itself.

    Args:
        evaluations: by contender.
    """
    parts: list[list[str]] = []
    for name, evaluation in evaluations.items():
        for part in parts:
            if all(not why_apart(evaluation, evaluations[other]) for other in part):
                part.append(name)
                break
        else:
            parts.append([name])
    parts.sort(key=len, reverse=True)
    groups = []
    for part in parts:
        apart = () if part is parts[0] else why_apart(evaluations[part[0]], evaluations[parts[0][0]])
        groups.append(_ranked({name: evaluations[name] for name in part}, apart))
    return tuple(groups)


def why_apart(a: Evaluation, b: Evaluation) -> tuple[str, ...]:
    """Why two contenders must not be ranked: what differs in the passports of their headlines."""
    one, other = headline(a), headline(b)
    if one is None or other is None:
        return () if one is other else ("samples of one of them were not compared with real pictures",)
    return comparable(one, other)


def headline(evaluation: Evaluation) -> Score | None:
    """The score that compares samples with real pictures: a Frechet distance, else a kernel distance."""
    for start in _HEADLINES:
        for score in evaluation.scores:
            if score.name.startswith(start) and not any(word in score.name for word in (", ", " of ")):
                return score
    return None


def _ranked(evaluations: Mapping[str, Evaluation], apart: tuple[str, ...]) -> Group:
    names = list(evaluations)
    measures = list(dict.fromkeys(score.name for each in evaluations.values() for score in each.scores))
    rankings = {}
    for measure in measures:
        found = {name: score for name in names if (score := evaluations[name].find(measure)) is not None}
        alike = _alike(found)
        if len(alike) > 1 and (ranking := rank(alike)) is not None:
            rankings[measure] = ranking
    head = headline(evaluations[names[0]])
    title = None if head is None else head.name
    if title in rankings:
        order = rankings[title].order
        names = [*order, *(name for name in names if name not in order)]
    return Group(tuple(names), title, rankings, apart)


def _alike(scores: dict[str, Score]) -> dict[str, Score]:
    """The scores of one measure if all were taken alike; none where one was not: likelihoods of two kinds, say."""
    values: Sequence[Score] = list(scores.values())
    return scores if all(not comparable(values[0], other) for other in values[1:]) else {}
