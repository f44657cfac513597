"""Which extractor: the one that was asked for, or the best that is at hand without a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from latentry.data import ImageSet
from latentry.errors import InputError, unknown_name
from latentry.metrics.extractors.dinov2 import dinov2
from latentry.metrics.extractors.extractor import Extractor
from latentry.metrics.extractors.inception import cached_weights, inception
from latentry.metrics.extractors.offline import coordinates, random_convolutions, trained_probe

NAMES = ("auto", "inception", "dinov2", "probe", "random")


def open_extractor(
    name: str, images: ImageSet, rows: np.ndarray, weights: Path | None = None, *, device: torch.device | str = "cpu"
) -> tuple[Extractor, str]:
    """The extractor, and why this one in words.

    Args:
        name: one of `NAMES`; auto takes the first of inception, dinov2, probe and random that is at hand, and
            downloads nothing.
        images: the real pictures, at the size at which pictures are measured.
        rows: those of them whose labels a probe may learn.
        weights: of inception (a file) or dinov2 (a folder); None for their own caches or a download.
        device: where these two compute; the others are small.

    Raises:
        InputError: an unknown name, what it needs is not there, or weights are given for one that has none.
    """
    if name not in NAMES:
        raise unknown_name("extractor", name, NAMES)
    if images.spec.points:
        if name not in ("auto", "random"):
            raise InputError(f"extractor={name} looks at pictures, and these are points of the plane; take auto")
        return coordinates(), "points of the plane are measured by their coordinates"
    if weights is not None and name not in ("inception", "dinov2"):
        raise InputError(f"weights ({weights}) belong to an extractor; say which with --extractor inception or dinov2")
    match name:
        case "inception":
            return inception(weights, device=device), "asked for"
        case "dinov2":
            return dinov2(weights, device=device), "asked for"
        case "probe":
            return trained_probe(images, rows), "asked for"
        case "random":
            return random_convolutions(images.spec.channels), "asked for"
    return _best(images, rows, device)


def _best(images: ImageSet, rows: np.ndarray, device: torch.device | str) -> tuple[Extractor, str]:
    """The first that is at hand, and what those before it lack."""
    reasons = []
    try:
        if cached_weights() is not None:
            return inception(device=device), "the one that papers use, and its weights are here"
        reasons.append("Inception's weights are not here (--extractor inception downloads them)")
    except InputError:
        reasons.append("torch-fidelity does not import")
    try:
        return dinov2(download=False, device=device), f"its weights are here; {'; '.join(reasons)}"
    except InputError as error:
        missing = "needs transformers" in str(error)
        reasons.append("transformers does not import" if missing else "DINOv2's weights are not here")
    try:
        return trained_probe(images, rows), f"the data have labels to train it on; {'; '.join(reasons)}"
    except InputError:
        reasons.append("the data have no labels that vary for a probe")
    return random_convolutions(images.spec.channels), f"it needs nothing; {'; '.join(reasons)}"
