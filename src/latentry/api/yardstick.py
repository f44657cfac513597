"""Distances between pictures in features of their own data: of a probe, or random ones where there are no labels.

Letters: N pictures, F features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latentry.api.labelled import label_columns
from latentry.data import ImageSet, to_float
from latentry.errors import InputError
from latentry.files import json_bytes, pack_tensors
from latentry.latent.inversion import PerPicture
from latentry.metrics.extractors.offline import random_features
from latentry.metrics.probe import Probe, load_probe, probe_for
from latentry.settings.specs import ConditionSpec

_PROBE_SHOWN = 10_000
_CHUNK = 250


@dataclass(frozen=True)
class Yardstick:
    """Features, and the unit of distances in them.

    Attributes:
        judge: what gives the features: a probe of the data's labels, or fixed random convolutions.
        unit: the mean distance between two held-out pictures.
    """

    judge: Probe | nn.Module
    unit: float

    @property
    def kind(self) -> str:
        """Whose features they are."""
        return "probe" if isinstance(self.judge, Probe) else "random"

    @property
    def network(self) -> nn.Module:
        """Pictures in [-1, 1], [N, C, H, W], to features [N, F]; differentiable."""
        if not isinstance(self.judge, Probe):
            return self.judge
        assert isinstance(self.judge.network, nn.Sequential)
        return self.judge.network[:-1]

    def between(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Distances [N], in units, between pictures of each pair, uint8 [N, C, H, W]."""
        return np.linalg.norm(_features(self.network, x) - _features(self.network, y), axis=1) / self.unit

    def scaled(self, device: torch.device) -> PerPicture:
        """Features of which the mean squared difference is the squared distance in units, on a device."""
        network, unit = self.network.to(device).requires_grad_(False), self.unit

        def features(x: Tensor) -> Tensor:
            found: Tensor = network(x.contiguous(memory_format=torch.channels_last))
            return found * (found.shape[1] ** 0.5 / unit)

        return features

    def files(self) -> dict[str, bytes]:
        """What must be kept beside the facts for `read_yardstick`, by file name."""
        if not isinstance(self.judge, Probe):
            return {}
        return {
            "probe.safetensors": pack_tensors(self.judge.network.state_dict()),
            "probe.json": json_bytes(asdict(self.judge.facts)),
        }


def make_yardstick(images: ImageSet, rows: np.ndarray, held_out: np.ndarray, notes: list[str]) -> Yardstick:
    """Train a probe on some rows of a set, or take random features, and measure the unit on other pictures.

    Args:
        images: the set.
        rows: what a probe may be trained on.
        held_out: uint8 [N, C, H, W].
        notes: what a reader should know is added to them.
    """
    judge: Probe | nn.Module
    try:
        kind, _, names = label_columns(images, None)
    except InputError:
        notes.append("the data have no yes/no labels or classes for a probe, so features are random ones")
        judge = random_features(images.spec.channels)
    else:
        some = images.subset(np.sort(rows))
        judge = probe_for(some, ConditionSpec(kind, names), n_shown=_PROBE_SHOWN, seed=0, degrade=True)
    network = Yardstick(judge, 1.0).network
    apart = np.linalg.norm(np.diff(_features(network, held_out), axis=0), axis=1)  # from each picture to the next
    return Yardstick(judge, float(apart.mean()) if apart.any() else 1.0)


def read_yardstick(folder: Path, facts: dict[str, Any], channels: int) -> Yardstick:
    """The yardstick whose kind and unit are among the facts, and whose files are in the folder."""
    judge = load_probe(folder) if facts["features"] == "probe" else random_features(channels)
    return Yardstick(judge, facts["unit"])


@torch.inference_mode()
def _features(network: nn.Module, images: np.ndarray) -> np.ndarray:
    device = next(network.parameters()).device
    parts = [np.array(images[row : row + _CHUNK]) for row in range(0, len(images), _CHUNK)]
    return torch.cat([network(to_float(torch.from_numpy(part)).to(device)).cpu() for part in parts]).numpy()
