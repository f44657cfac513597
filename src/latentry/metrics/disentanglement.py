"""How well single latent dimensions stand for single factors of the data: MIG, DCI, FactorVAE's score and SAP.

    Chen et al. 2018, "Isolating sources of disentanglement" (arXiv:1802.04942): mutual information gap.
    Eastwood and Williams 2018 (OpenReview By-7dz-AZ): disentanglement, completeness, informativeness.
    Kim and Mnih 2018, "Disentangling by factorising" (arXiv:1802.05983): the FactorVAE score.
    Kumar et al. 2018, "Variational inference of disentangled latent concepts" (arXiv:1711.00848): SAP.
    Locatello et al. 2019, "Challenging common assumptions" (arXiv:1811.12359): 20 bins, 10,000 points.

Differs from the papers in: MIG takes the posterior's means in bins of equal width, as Locatello et al. do, and no
integral over posteriors; published numbers of the two disagree by factors. DCI takes random forests (its paper's second
choice; the first, the lasso, sees straight lines only); informativeness is the share of held-out pictures read right.

Letters: N pictures, D latent, K factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from latentry.errors import InputError
from latentry.metrics.estimates import Features, as_features

_TREES = 50
_PRUNED = 0.05  # latent variance below which a dimension has collapsed, of the prior's 1; Kim and Mnih 2018
_VOTES_AT_ONCE = 1000


@dataclass(frozen=True)
class InformationGap:
    """MIG and what it could have been.

    Attributes:
        value: mean over factors of the gap between the two most informative dimensions, in shares of the factor's
            entropy; 0 to `ceiling`.
        ceiling: what a perfect code reaches: no more than ln bins of a factor's entropy can be seen. .908 for
            dSprites and 20 bins.
        gaps: of each factor, [K].
        information: of each dimension about each factor in nats, [D, K]; biased up by about
            (bins - 1)(values - 1) / 2N.
        estimator: how, in words.
    """

    value: float
    ceiling: float
    gaps: np.ndarray
    information: np.ndarray
    estimator: str


@dataclass(frozen=True)
class DCI:
    """Eastwood and Williams' three.

    Attributes:
        disentanglement: whether each dimension serves one factor, weighed by how much it serves; 0 to 1.
        completeness: whether each factor is served by one dimension; 0 to 1.
        informativeness: share of held-out pictures whose factor is read right, mean over factors.
        importance: of each dimension for each factor, [D, K]; a column's sum is 1.
        chance: informativeness of always saying the commonest value.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray
    chance: float


def mutual_information_gap(codes: Features, factors: np.ndarray, *, bins: int = 20) -> InformationGap:
    """The gap, from histograms of equal width from each dimension's least to its largest code.

    Args:
        codes: posterior means, [N, D], D at least 2; papers take 10,000.
        factors: whole numbers [N, K], each factor with two values at least.
        bins: a dimension; 20 in papers.
    """
    z, v = _checked(codes, factors, least_dimensions=2)
    if bins < 2:
        raise InputError(f"bins (={bins}) must be at least 2; papers take 20")
    binned = [_bins(column, bins) for column in z.T]
    entropy = np.array([_entropy(np.bincount(column)) for column in v.T])
    found = np.array([[_information(code, factor) for factor in v.T] for code in binned])
    top = np.sort(found, axis=0)[::-1]
    gaps = (top[0] - top[1]) / entropy
    ceiling = float(np.minimum(1.0, math.log(bins) / entropy).mean())
    words = f"posterior means, {bins} bins of equal width, {len(z):,} points, ceiling {ceiling:.3f}"
    return InformationGap(float(gaps.mean()), ceiling, gaps, found, words)


def dci(codes: Features, factors: np.ndarray, *, seed: int, held_out: float = 1 / 3) -> DCI:
    """Importance by random forests of 50 trees (scikit-learn), one a factor; about a second for 1,000 points a factor.

    Args:
        codes: posterior means, [N, D], D at least 2; papers take 10,000 and 5,000 held out.
        factors: whole numbers [N, K], K at least 2.
        seed: of the split and the trees.
        held_out: share that informativeness is measured on.
    """
    from sklearn.ensemble import RandomForestClassifier  # slow to import

    z, v = _checked(codes, factors, least_dimensions=2)
    if v.shape[1] < 2:
        raise InputError(f"DCI of {v.shape[1]} factor says nothing; give two factors at least")
    order = np.random.default_rng(seed).permutation(len(z))
    known, asked = np.split(order, [round(len(z) * (1 - held_out))])
    if not len(known) or not len(asked):
        raise InputError(f"held_out (={held_out}) of {len(z)} points leaves none on one side; take a third")
    importance, right, chance = [], [], []
    for factor in v.T:
        # Every split looks at all dimensions: among a random few, it would have to make do with one that says nothing.
        forest = RandomForestClassifier(_TREES, min_samples_leaf=2, max_features=None, random_state=seed)
        forest.fit(z[known], factor[known])
        importance.append(forest.feature_importances_)
        right.append(np.mean(forest.predict(z[asked]) == factor[asked]))
        chance.append(np.mean(np.bincount(factor[known]).argmax() == factor[asked]))
    weights = np.stack(importance, axis=1)
    served = weights.sum(axis=1)
    by_dimension = 1 - _row_entropies(weights) / math.log(weights.shape[1])
    by_factor = 1 - _row_entropies(weights.T) / math.log(weights.shape[0])
    return DCI(
        float((by_dimension * served).sum() / served.sum()),
        float(by_factor.mean()),
        float(np.mean(right)),
        weights,
        float(np.mean(chance)),
    )


def factor_vae_score(
    codes: Features,
    factors: np.ndarray,
    *,
    rng: torch.Generator,
    n_votes: int = 10_000,
    n_asked: int = 5_000,
    n: int = 64,
) -> float:
    """Accuracy of naming the factor that was held fixed from the dimension that varied least.

    Kim and Mnih 2018, section 4. Each vote fixes one factor at a value that occurs, takes `n` pictures with it and
    finds the dimension with the least variance, in units of its variance over all pictures. The majority of `n_votes`
    names each dimension's factor; it is judged on `n_asked` others. Dimensions with a variance below .05 have collapsed
    and take no part; 0 if all have.

    Args:
        codes: posterior means, [N, D].
        factors: whole numbers [N, K].
        rng: of the votes; pictures are drawn with replacement.
        n_votes, n_asked, n: as in papers.
    """
    z, v = _checked(codes, factors)
    spread = z.var(axis=0)
    alive = spread >= _PRUNED
    if not alive.any():
        return 0.0
    z = z[:, alive] / np.sqrt(spread[alive])
    source = np.random.default_rng(int(torch.randint(2**62, (), generator=rng, device=rng.device)))
    votes = np.zeros((z.shape[1], v.shape[1]), np.int64)
    np.add.at(votes, _votes(z, v, n_votes, n, source), 1)
    dimension, factor = _votes(z, v, n_asked, n, source)
    return float((votes.argmax(axis=1)[dimension] == factor).mean())


def sap(codes: Features, factors: np.ndarray, *, ordered: Sequence[bool]) -> float:
    """The separated attribute predictability: mean gap between the two dimensions that predict a factor best.

    Prediction of an ordered factor is the squared correlation; of an unordered one the balanced accuracy of the best
    two thresholds for each value, mean over values; 0 for a collapsed dimension (variance below .05), as in the paper.

    Args:
        codes: posterior means, [N, D], D at least 2.
        factors: whole numbers [N, K].
        ordered: whether each factor is (scale, place) or is not (shape).
    """
    z, v = _checked(codes, factors, least_dimensions=2)
    if len(ordered) != v.shape[1]:
        raise InputError(
            f"ordered names {len(ordered)} factors and there are {v.shape[1]}; give one truth value a factor"
        )
    scores = np.zeros((z.shape[1], v.shape[1]))
    for i, code in enumerate(z.T):
        if code.var() < _PRUNED:
            continue
        for j, factor in enumerate(v.T):
            scores[i, j] = np.corrcoef(code, factor)[0, 1] ** 2 if ordered[j] else _threshold_accuracy(code, factor)
    top = np.sort(scores, axis=0)[::-1]
    return float((top[0] - top[1]).mean())


def _checked(codes: Features, factors: np.ndarray, least_dimensions: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Codes as float64 [N, D]; factors as 0, 1, 2, ... in the order of their values, [N, K]."""
    z, v = as_features(codes, "codes", least=2).cpu().numpy(), np.asarray(factors)
    if z.shape[1] < least_dimensions:
        raise InputError(f"codes have {z.shape[1]} dimension; a gap between two needs {least_dimensions} at least")
    if v.ndim != 2 or len(v) != len(z) or v.dtype.kind not in "iub":
        raise InputError(
            f"factors are {v.dtype} {list(v.shape)} for {len(z)} codes; give whole numbers, as [{len(z)}, K]"
        )
    ranks = np.stack([np.unique(column, return_inverse=True)[1] for column in v.T], axis=1)
    constant = np.flatnonzero(ranks.max(axis=0) == 0)
    if len(constant):
        raise InputError(f"factor {constant[0]} (from 0) has one value in all {len(z)} points; leave it out")
    return z, ranks


def _bins(code: np.ndarray, bins: int) -> np.ndarray:
    """Which of `bins` equal parts of its range each code is in; a constant code is in one."""
    low, width = code.min(), np.ptp(code)
    return (
        np.zeros(len(code), np.int64) if width == 0 else np.minimum((code - low) / width * bins, bins - 1).astype(int)
    )


def _entropy(counts: np.ndarray) -> float:
    """Of a histogram, in nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _row_entropies(weights: np.ndarray) -> np.ndarray:
    """Of each row as shares of its sum, in nats; a row of zeros has the largest."""
    return np.array([_entropy(row) if row.sum() > 0 else math.log(len(row)) for row in weights])


def _information(code: np.ndarray, factor: np.ndarray) -> float:
    """Mutual information of two columns of small whole numbers, in nats."""
    joint = np.bincount(code * (factor.max() + 1) + factor)
    return _entropy(np.bincount(code)) + _entropy(np.bincount(factor)) - _entropy(joint)


def _votes(
    z: np.ndarray, v: np.ndarray, n_votes: int, n: int, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """For each vote the dimension that varied least and the factor that was fixed."""
    members = [[np.flatnonzero(column == value) for value in range(column.max() + 1)] for column in v.T]
    fixed = source.integers(v.shape[1], size=n_votes)
    least = np.empty(n_votes, np.int64)
    for start in range(0, n_votes, _VOTES_AT_ONCE):
        chosen = []
        for factor in fixed[start : start + _VOTES_AT_ONCE]:
            same = members[factor][source.integers(len(members[factor]))]
            chosen.append(same[source.integers(len(same), size=n)])
        least[start : start + _VOTES_AT_ONCE] = z[np.stack(chosen)].var(axis=1).argmin(axis=1)
    return least, fixed


def _threshold_accuracy(code: np.ndarray, factor: np.ndarray) -> float:
    """Balanced accuracy of an interval of codes for each value against the others, at its best; mean over values."""
    order = np.argsort(code, kind="stable")
    ordered, sorted_code = factor[order], code[order]
    ends = np.append(sorted_code[1:] != sorted_code[:-1], True)  # no threshold goes between equal codes
    best = []
    for value in range(factor.max() + 1):
        within = ordered == value
        gain = np.where(within, 1 / within.sum(), -1 / (~within).sum())
        upto = np.append(0.0, np.cumsum(gain)[ends])
        # True positives less false positives of codes from one end to a later one: the largest rise of `upto`.
        best.append(0.5 + 0.5 * float((upto - np.minimum.accumulate(upto)).max()))
    return float(np.mean(best))
