"""The extractor that a measure is taken in, and what its passport says of it.

Letters: N pictures, C H W one, D features, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.passport import Passport

Advance = Callable[[int], None]
"""Called with how many pictures are done, of one set."""

_PHRASES = {"random": "random features", "probe": "probe features", "dinov2": "DINOv2 features"}


@dataclass(frozen=True)
class Extractor:
    """Features of pictures.

    Attributes:
        name: inception, dinov2, probe, random, or coordinates (of the points of a toy world).
        weights: sha256 of its weights; empty where it has none.
        resize: how it brings pictures to its own size.
        dimension: features a picture, D.
        compute: pictures [n, C, H, W] to features [n, D], of a chunk at a time.
        versions: of the packages that it came from.
        chunk: pictures at once.
        classify: pictures to probabilities of the classes that it was trained on, [n, K]; None where it has none.
    """

    name: str
    weights: str
    resize: str
    dimension: int
    compute: Callable[[np.ndarray], Tensor]
    versions: Mapping[str, str] = field(default_factory=dict)
    chunk: int = 250
    classify: Callable[[np.ndarray], Tensor] | None = None

    def features(self, images: np.ndarray, advance: Advance | None = None) -> np.ndarray:
        """Float32 [N, D] of pictures, uint8 [N, C, H, W].

        Raises:
            InputError: a feature is not finite.
        """
        found = self._in_chunks(self.compute, images, advance)
        if not np.isfinite(found).all():
            raise InputError(f"the {self.name} extractor gave features that are not finite; its weights are damaged")
        return found

    def probabilities(self, images: np.ndarray, advance: Advance | None = None) -> np.ndarray | None:
        """What it classifies pictures as, [N, K]; None where it does not."""
        return None if self.classify is None else self._in_chunks(self.classify, images, advance)

    def called(self, measure: str, famous: str | None = None) -> str:
        """A measure's name: only Inception features may have the famous one."""
        if self.name == "inception" and famous is not None:
            return famous
        return f"{measure} ({_PHRASES.get(self.name, self.name)})"

    def passport(self, **others: object) -> Passport:
        """The protocol of a number that was measured with it."""
        return Passport(self.name, self.weights, self.resize, **others)  # type: ignore[arg-type]

    @torch.inference_mode()
    def _in_chunks(
        self, compute: Callable[[np.ndarray], Tensor], images: np.ndarray, advance: Advance | None
    ) -> np.ndarray:
        parts = []
        for start in range(0, len(images), self.chunk):
            parts.append(compute(np.array(images[start : start + self.chunk])).float().cpu().numpy())
            if advance is not None:
                advance(min(start + self.chunk, len(images)))
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """A sha256 of names, shapes and values."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous().numpy()
        total.update(f"{name} {values.dtype} {values.shape}".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def as_three_channels(images: np.ndarray) -> np.ndarray:
    """Pictures uint8 [n, C, H, W] as RGB [n, 3, H, W]: grey in all three; what is transparent shows white."""
    if images.shape[1] == 4:
        opacity = images[:, 3:].astype(np.float32) / 255
        return np.rint(images[:, :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return images if images.shape[1] == 3 else images.repeat(3, axis=1)
