"""The inception score: how sure a classifier is of each picture, and how evenly it sees its classes.

Salimans et al. 2016 (arXiv:1606.03498), section 4: exp of the mean over x of KL(p(y | x) || p(y)), from 1 to K. It
looks at no real picture. Barratt and Sharma 2018 (arXiv:1801.01973) say what else it does not see.

Letters: N pictures, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.estimates import Estimate, Features, as_features, estimate


@dataclass(frozen=True)
class InceptionScore:
    """The score of all pictures at once, and the mean of splits that papers print.

    Attributes:
        whole: of all N pictures, with its interval. It is biased down, by a share of (K - 1) / (2 N) at most.
        mean, spread: over the splits, the spread with n - 1; the bias is as many times larger as there are splits.
        n_splits: equal parts, in the order of the pictures.
    """

    whole: Estimate
    mean: float
    spread: float
    n_splits: int


def inception_score(probabilities: Features, n_splits: int = 10) -> InceptionScore:
    """The score from what a classifier says, probabilities [N, K].

    The pictures must be in random order, or the splits see different classes. The interval is the delta method's on the
    logarithm: the standard deviation of the N divergences over the root of N.

    Args:
        probabilities: rows of sum 1.
        n_splits: 10 in papers; 1 for the whole alone.

    Raises:
        InputError: rows that are no probabilities (logits, perhaps), or more splits than pictures.
    """
    p = as_features(probabilities, "probabilities")
    n, k = p.shape
    worst = float((p.sum(dim=1) - 1).abs().max())
    if float(p.min()) < 0 or worst > 1e-3:
        raise InputError(
            f"probabilities go down to {float(p.min()):.3g} and a row's sum is off 1 by {worst:.3g}; "
            "give the classifier's softmax, not its logits"
        )
    if not 1 <= n_splits <= n:
        raise InputError(f"n_splits (={n_splits}) must be from 1 to {n}, the number of pictures")
    p = p / p.sum(dim=1, keepdim=True)  # float32 sums are not quite 1
    divergence = _divergences(p)
    log_score = float(divergence.mean())
    error = float(divergence.std(correction=1)) / math.sqrt(n) if n > 1 else math.nan
    on_log = estimate(log_score, error, "delta method", least=0.0, most=math.log(k))
    value = math.exp(log_score)
    whole = Estimate(value, value * error, math.exp(on_log.low), math.exp(on_log.high), on_log.how)
    scores = [math.exp(float(_divergences(part).mean())) for part in p.tensor_split(n_splits)]
    spread = float(np.std(scores, ddof=1)) if n_splits > 1 else math.nan
    return InceptionScore(whole, float(np.mean(scores)), spread, n_splits)


def _divergences(p: Tensor) -> Tensor:
    """KL(p(y | x) || p(y)) in nats for each picture, [N]."""
    marginal = p.mean(dim=0)
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, marginal)).sum(dim=1)
