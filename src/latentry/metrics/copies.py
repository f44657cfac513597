"""Whether a generator copies its training pictures, or itself: nearest neighbours in two spaces, beside real pictures.

A sample is called a copy where its nearest training picture is much nearer than the next ones are, after the distance
that Carlini et al. 2023 (arXiv:2301.13188) normalise by neighbours. What counts as much is a convention; so every share
stands beside that of held-out real pictures which the same rule flags: the floor. Real sets hold near duplicates too.

Letters: N training pictures, M samples, D features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.estimates import as_features, refuse_other_dimension, row_blocks, squared_distances

_NEXT = 10  # further neighbours that the nearest is compared with
_RATIO = 0.5
_SHOWN = 16
_ROUNDING = 1e-12  # of the largest squared norm: squared distances below are 0


@dataclass(frozen=True)
class CopyShare:
    """How many pictures are copies of others, in one space.

    Attributes:
        share: of samples that are flagged.
        floor: of held-out real pictures that the same rule flags.
        z: their difference in standard errors.
        exact: share of samples at distance 0 from another picture.
        nearest: index of each sample's nearest picture, [M].
        ratio: its distance over the mean distance to the next ten, [M]; 0 is a perfect copy.
    """

    share: float
    floor: float
    z: float
    exact: float
    nearest: np.ndarray
    ratio: np.ndarray

    @property
    def copies(self) -> bool:
        """More than real pictures, beyond doubt: z above 4. Single copies are too few for that; `worst` shows them."""
        return self.z > 4

    def worst(self, n: int = _SHOWN) -> list[tuple[int, int]]:
        """The n closest pairs, sample and other picture, to be looked at."""
        order = np.argsort(self.ratio, kind="stable")[:n]
        return [(int(i), int(self.nearest[i])) for i in order]


@dataclass(frozen=True)
class CopyAudit:
    """What was found, by the name of the space.

    Attributes:
        training: samples that copy a training picture.
        each_other: samples that copy another sample.
        ratio: the threshold.
        n_samples, n_training, n_held_out: pictures.
    """

    training: dict[str, CopyShare]
    each_other: dict[str, CopyShare]
    ratio: float
    n_samples: int
    n_training: int
    n_held_out: int

    def said(self) -> list[str]:
        """In words, one line for each space and kind."""
        lines = []
        for kind, found in (("a training picture", self.training), ("another sample", self.each_other)):
            for space, share in found.items():
                verdict = "copies" if share.copies else "no more than real pictures do"
                lines.append(
                    f"{share.share:.1%} of {self.n_samples:,} samples nearly repeat {kind} in {space} "
                    f"({share.exact:.1%} exactly); of {self.n_held_out:,} held-out real pictures "
                    f"{share.floor:.1%}: {verdict}"
                )
        return lines


def pixel_features(images: np.ndarray) -> np.ndarray:
    """Pictures uint8 [N, C, H, W] as vectors of pixels from 0 to 255, whose distances are exact."""
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(f"images are {images.dtype} {list(images.shape)}; give uint8 pictures, as [N, C, H, W]")
    return images.reshape(len(images), -1).astype(np.float64)


def audit_copies(
    samples: Mapping[str, np.ndarray | Tensor],
    training: Mapping[str, np.ndarray | Tensor],
    held_out: Mapping[str, np.ndarray | Tensor],
    *,
    ratio: float = _RATIO,
) -> CopyAudit:
    """Look for copies in each space: pixels find exact ones, features find those that are shifted or recoloured.

    Duplicates among samples are compared with duplicates among held-out pictures; samples are cut to as many, since
    more pictures lie closer.

    Args:
        samples, training, held_out: vectors [., D] by the name of the space, e.g. "pixels" (`pixel_features`) and
            "dinov2"; the same pictures in the same order in each space, and none of `held_out` seen in training.
        ratio: how much nearer than the next ten on average is a copy.

    Raises:
        InputError: spaces that differ, counts that differ between spaces, or fewer than 12 pictures of a kind.
    """
    if not (samples.keys() == training.keys() == held_out.keys()) or not samples:
        raise InputError(
            f"spaces are {[*samples]} for samples, {[*training]} for training and {[*held_out]} for held-out pictures; "
            "give the same, one at least"
        )
    if not 0 < ratio < 1:
        raise InputError(f"ratio (={ratio}) must lie between 0 and 1; one half is usual")
    seen: set[tuple[int, ...]] = set()
    from_training, from_others = {}, {}
    for space in samples:
        x, y, real = (
            as_features(kind[space], f"{name} in {space}", least=_NEXT + 2)
            for kind, name in ((training, "training pictures"), (samples, "samples"), (held_out, "held-out pictures"))
        )
        refuse_other_dimension(x.shape[1], y.shape[1])
        refuse_other_dimension(x.shape[1], real.shape[1])
        seen.add((len(y), len(x), len(real)))
        from_training[space] = _compare(_closeness(y, x), _closeness(real, x), ratio)
        n = min(len(y), len(real))
        from_others[space] = _compare(_closeness(y[:n]), _closeness(real[:n]), ratio)
    if len(seen) > 1:
        raise InputError(f"numbers of samples, training and held-out pictures differ between spaces: {sorted(seen)}")
    n_samples, n_training, n_held_out = seen.pop()
    return CopyAudit(from_training, from_others, ratio, n_samples, n_training, n_held_out)


def _closeness(asked: Tensor, among: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Nearest picture of each asked one, its distance, and that over the mean of the next ten; [M] each.

    `among` None: among the others of `asked`.
    """
    others = asked if among is None else among.to(asked.device)
    index = torch.empty(len(asked), dtype=torch.long, device=asked.device)
    distance, ratio = asked.new_empty(len(asked)), asked.new_empty(len(asked))
    rounding = _ROUNDING * float(max(part.square().sum(dim=1).max() for part in (asked, others)))
    for rows in row_blocks(len(asked), len(others)):
        squared = squared_distances(asked[rows], others)
        if among is None:
            squared.diagonal(rows.start).fill_(math.inf)
        near = squared.topk(_NEXT + 1, dim=1, largest=False)
        lengths = torch.where(near.values > rounding, near.values, 0.0).sqrt()
        after = lengths[:, 1:].mean(dim=1)
        index[rows], distance[rows] = near.indices[:, 0], lengths[:, 0]
        # Eleven equal pictures leave 0 / 0: copies all the same.
        ratio[rows] = torch.where(after > 0, lengths[:, 0] / after, 0.0)
    return index, distance, ratio


def _compare(fake: tuple[Tensor, Tensor, Tensor], real: tuple[Tensor, Tensor, Tensor], threshold: float) -> CopyShare:
    """Shares flagged, and their difference over its binomial standard error were both shares the same."""
    index, distance, ratio = fake
    flagged, flagged_real = ratio < threshold, real[2] < threshold
    n, n_real = len(flagged), len(flagged_real)
    share, floor = float(flagged.double().mean()), float(flagged_real.double().mean())
    # One flagged and one unflagged picture are added, so that none among few is no proof of never.
    both = (float(flagged.sum() + flagged_real.sum()) + 1) / (n + n_real + 2)
    error = math.sqrt(both * (1 - both) * (1 / n + 1 / n_real))
    exact = float((distance == 0).double().mean())
    return CopyShare(share, floor, (share - floor) / error, exact, index.cpu().numpy(), ratio.cpu().numpy())
