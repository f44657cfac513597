"""Scores of generated pictures from features: distances and neighbours, each beside what real pictures score.

Letters: N pictures, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from latentry.metrics.copies import CopyAudit, CopyShare
from latentry.metrics.estimates import Estimate, estimate, share_estimate
from latentry.metrics.extractors.extractor import Extractor
from latentry.metrics.frechet import (
    LEAST_FOR_LINE,
    few_samples,
    frechet_distance,
    frechet_estimate,
    frechet_infinity,
)
from latentry.metrics.gaussian import GaussianStatistics
from latentry.metrics.inception_score import inception_score
from latentry.metrics.kernel import kernel_distance
from latentry.metrics.neighbours import neighbourhoods
from latentry.metrics.passport import Passport, Score

_K = 5  # of neighbours, as in papers for density and coverage
_MOST_FOR_LINE = 512  # features above which fifteen distances on a line take minutes
_FEWEST_OF_CLASS = 25
_BETTER = {"precision": True, "recall": True, "density": None, "coverage": True}


@dataclass(frozen=True)
class Sides:
    """Features of one extractor, float32 [N, D].

    Attributes:
        real: the reference.
        fake: of generated pictures.
        floor: of other real pictures, which play the generator's part; None where there are none.
    """

    real: np.ndarray
    fake: np.ndarray
    floor: np.ndarray | None


def quality_scores(sides: Sides, extractor: Extractor, passport: Passport, *, rng: torch.Generator) -> list[Score]:
    """Frechet and kernel distance, precision, recall, density and coverage.

    Args:
        sides: the features.
        extractor: whose they are; it names the numbers.
        passport: of all of them.
        rng: of half samples and subsets.
    """
    scores = _frechet_scores(sides, extractor, passport, rng)
    found = kernel_distance(sides.real, sides.fake)
    floor = None if sides.floor is None else kernel_distance(sides.real, sides.floor).value
    name = extractor.called("Kernel distance", "KID")
    how = replace(passport, details={"estimate": "all pairs, unbiased"})
    scores.append(Score.of(name, found, how, higher_is_better=False, floor=floor))
    if min(len(sides.real), len(sides.fake)) <= _K:
        return scores
    near = neighbourhoods(sides.real, sides.fake, rng=rng, k=_K)
    perfect = None if sides.floor is None else neighbourhoods(sides.real, sides.floor, rng=rng, k=_K, n_draws=0)
    how = replace(passport, details={"k": _K})
    for measure, better in _BETTER.items():
        floor = None if perfect is None else getattr(perfect, measure).value
        name, unit = extractor.called(measure.capitalize()), "" if measure == "density" else "share"
        found = getattr(near, measure)
        scores.append(Score.of(name, found, how, unit=unit, higher_is_better=better, floor=floor))
    return scores


def _frechet_scores(sides: Sides, extractor: Extractor, passport: Passport, rng: torch.Generator) -> list[Score]:
    real, fake = GaussianStatistics.of(sides.real), GaussianStatistics.of(sides.fake)
    floor = None if sides.floor is None else frechet_distance(real, GaussianStatistics.of(sides.floor))
    name = extractor.called("Frechet distance", "FID")
    found = frechet_estimate(real, fake)
    # Its analytic floor is for Gaussians; the measured one beside it is better.
    found = replace(found, said=few_samples(min(len(sides.real), len(sides.fake)), sides.real.shape[1]))
    scores = [Score.of(name, found, passport, higher_is_better=False, floor=floor)]
    n, dimension = sides.fake.shape
    sets = [sides.fake] if sides.floor is None else [sides.fake, sides.floor]
    if dimension <= _MOST_FOR_LINE and n // 10 > dimension and min(map(len, sets)) >= LEAST_FOR_LINE:
        how = replace(passport, details={"sizes": 15})
        line = frechet_infinity(real, sides.fake, rng=rng)
        beside = None if sides.floor is None else frechet_infinity(real, sides.floor, rng=rng).value
        name = extractor.called("Frechet distance, N to infinity", "FID, N to infinity")
        scores.append(Score.of(name, line, how, higher_is_better=False, floor=beside))
    return scores


def statistics_score(
    statistics: GaussianStatistics, fake: np.ndarray, extractor: Extractor, passport: Passport
) -> Score:
    """The Frechet distance to statistics from a file; of these there are no pictures, so no floor is measured."""
    found = frechet_estimate(statistics, GaussianStatistics.of(fake))
    name = f"{extractor.called('Frechet distance', 'FID')}, imported statistics"
    return Score.of(name, found, passport, higher_is_better=False)


def inception_scores(
    probabilities: np.ndarray, floor: np.ndarray | None, extractor: Extractor, passport: Passport
) -> list[Score]:
    """The inception score over ten splits, as papers print it, beside that of real pictures.

    Args:
        probabilities: [N, K] of generated pictures.
        floor: of as many real ones.
        extractor: the classifier.
        passport: of the score, which looks at no real picture.
    """
    splits = min(10, len(probabilities))
    found = inception_score(probabilities, splits)
    beside = None if floor is None else inception_score(floor, splits).mean
    how = replace(passport, n_real=0, details={"splits": splits})
    spread = estimate(found.mean, found.spread / splits**0.5, "spread of splits", least=1.0)
    name = extractor.called("Class score", "Inception score")
    return [Score.of(name, spread, how, higher_is_better=True, floor=beside)]


def class_scores(
    sides: Sides,
    classes: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    names: tuple[str, ...],
    extractor: Extractor,
    passport: Passport,
) -> list[Score]:
    """The kernel distance of each class, which few pictures do not bias, in the order of their names.

    Args:
        sides: the features.
        classes: of the reference, of what generated pictures were asked to show, and of the floor: indices [N].
        names: of the classes.
        extractor, passport: as in `quality_scores`.
    """
    scores = []
    for index, name in enumerate(names):
        real, fake = sides.real[classes[0] == index], sides.fake[classes[1] == index]
        if min(len(real), len(fake)) < _FEWEST_OF_CLASS:
            continue
        found, floor = kernel_distance(real, fake), None
        if sides.floor is not None and classes[2] is not None:
            others = sides.floor[classes[2] == index]
            floor = kernel_distance(real, others).value if len(others) >= _FEWEST_OF_CLASS else None
        how = replace(passport, n_real=len(real), n_fake=len(fake), details={"class": name})
        title = f"{extractor.called('Kernel distance', 'KID')} of {name}"
        scores.append(Score.of(title, found, how, higher_is_better=False, floor=floor))
    return scores


def copy_scores(audit: CopyAudit, passports: dict[str, Passport]) -> list[Score]:
    """Shares of samples that nearly repeat a training picture, or another sample, in each space."""
    scores = []
    for what, found in (("Copies of training pictures", audit.training), ("Repeats among samples", audit.each_other)):
        for space, share in found.items():
            how = replace(passports[space], details={"ratio": audit.ratio})
            score = Score.of(f"{what} ({space})", _of_share(share, audit), how, unit="share", floor=share.floor)
            scores.append(replace(score, higher_is_better=False))
    return scores


def _of_share(share: CopyShare, audit: CopyAudit) -> Estimate:
    said: tuple[str, ...] = ("more than real pictures repeat each other: it copies",) if share.copies else ()
    if share.exact > 0:
        said += (f"{share.exact:.1%} are exact",)
    return share_estimate(share.share, min(audit.n_samples, len(share.ratio)), said)
