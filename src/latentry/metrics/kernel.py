"""The kernel distance (KID): maximum mean discrepancy of features with a cubic kernel, without bias at any count.

    Binkowski et al. 2018, "Demystifying MMD GANs" (arXiv:1801.01401): k(x, y) = (x'y / D + 1)^3.
    Gretton et al. 2012, "A kernel two-sample test" (JMLR 13): the unbiased estimate, Eq. 3.

Being unbiased it averages 0 for a perfect generator, and is negative for about half of the samples of one.

Letters: N real and M generated vectors, D features.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.estimates import Estimate, Features, as_pair, estimate, row_blocks


def kernel_distance(real: Features, fake: Features) -> Estimate:
    """The unbiased estimate from all pairs, in blocks of bounded memory.

    The interval is the delta method's: 4 (var(g_i) / N + var(g_j) / M), with g the mean kernel value of one vector
    within its own set less that with the other set. Near a perfect generator it is too wide by up to a factor of 1.5.

    Args:
        real, fake: [N, D] and [M, D], at least 2 each.
    """
    x, y = as_pair(real, fake, least=2)
    n, m = len(x), len(y)
    across_x, across_y = x.new_zeros(n), x.new_zeros(m)
    for rows in row_blocks(n, m):
        block = _kernel(x[rows], y)
        across_x[rows] = block.sum(dim=1)
        across_y += block.sum(dim=0)
    gap_x = _within(x) / (n - 1) - across_x / m
    gap_y = _within(y) / (m - 1) - across_y / n
    error = 2 * math.sqrt(float(gap_x.var() / n + gap_y.var() / m))
    # The means of both gaps are (within - across); together across is taken twice, as the formula has it.
    return estimate(float(gap_x.mean() + gap_y.mean()), error, "delta method over all pairs")


def kernel_distance_subsets(
    real: Features, fake: Features, *, rng: torch.Generator, n_subsets: int = 100, size: int = 1000
) -> tuple[Estimate, float]:
    """The mean over random subsets, as papers print it, and the standard deviation of one subset's distance.

    The subsets overlap, so their spread over the root of their number is no error. Each subset is size / N of the
    data, so what the whole leaves to chance is about spread^2 size / N, and the choice of subsets spread^2 / n_subsets.

    Args:
        real, fake: [N, D] and [M, D], at least `size` each.
        rng: of the subsets, without replacement within one.
        n_subsets, size: 100 of 1,000 in torch-fidelity and most papers, 50 in the first one's code.

    Returns:
        The mean, and the spread.
    """
    x, y = as_pair(real, fake, least=2)
    n = min(len(x), len(y))
    if not 2 <= size <= n or n_subsets < 2:
        raise InputError(
            f"{n_subsets} subsets of {size} from {len(x)} real and {len(y)} generated features; take 2 subsets or more "
            f"of 2 to {n} each, or `kernel_distance`, which takes all pairs at once"
        )
    scores = []
    for _ in range(n_subsets):
        parts = [
            part[torch.randperm(len(part), generator=rng, device=rng.device)[:size].to(x.device)] for part in (x, y)
        ]
        scores.append(kernel_distance(*parts).value)
    spread = float(np.std(scores, ddof=1))
    error = spread * math.sqrt(size / n + 1 / n_subsets)
    return estimate(float(np.mean(scores)), error, f"spread of {n_subsets} subsets of {size:,}"), spread


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """(x'y / D + 1)^3 of all pairs, [N, M]."""
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def _within(x: Tensor) -> Tensor:
    """Sum over the other vectors of each one's kernel with it, [N]."""
    out = x.new_empty(len(x))
    for rows in row_blocks(len(x), len(x)):
        block = _kernel(x[rows], x)
        block.diagonal(rows.start).fill_(0)  # itself is no pair
        out[rows] = block.sum(dim=1)
    return out
