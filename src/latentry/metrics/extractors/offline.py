"""Extractors that need no download: fixed random convolutions, a probe of the data's own labels, coordinates.

A Frechet distance in random features is sharp where colours, edges and layout differ, and blind to what only a trained
network sees; it ranks runs on one data set, and is comparable with nothing else.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from latentry._version import __version__
from latentry.data import ImageSet, condition_spec, to_float
from latentry.errors import InputError
from latentry.metrics.extractors.extractor import Extractor, weights_hash
from latentry.metrics.probe import probe_for
from latentry.settings.condition import ConditionSettings
from latentry.settings.specs import ConditionSpec

PROBE_SHOWN = 20_000  # pictures that the probe is trained on, counted with repetition


def random_convolutions(channels: int) -> Extractor:
    """Fixed random convolutions, 256 features, of pictures at their own size."""
    network = random_features(channels)

    def features(images: np.ndarray) -> Tensor:
        return network(to_float(torch.from_numpy(images)).contiguous(memory_format=torch.channels_last))

    dimension = features(np.zeros((1, channels, 8, 8), np.uint8)).shape[1]
    return Extractor(
        "random", weights_hash(network.state_dict()), "none", dimension, features, {"torch": torch.__version__}
    )


def random_features(channels: int, seed: int = 0) -> nn.Sequential:
    """Fixed random convolutions, pictures in [-1, 1], [N, C, H, W], to features [N, 256]; differentiable.

    For sets without labels, where no probe can be trained. The weights depend on the arguments alone.
    """
    rng = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for width in (32, 64, 64):
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        channels = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
    with torch.no_grad():
        for layer in layers[::2]:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
            layer.bias.zero_()
    return network.eval().requires_grad_(False)


def trained_probe(images: ImageSet, rows: np.ndarray) -> Extractor:
    """What the last layer reads of a small network that learns a set's attributes or classes; kept in the cache.

    Args:
        images: the real pictures with their labels, at the size at which pictures are measured.
        rows: those of them that it learns from.

    Raises:
        InputError: they have no labels that vary.
    """
    if images.labels is None:
        raise InputError(f"extractor=probe learns labels, and {images.name} has none; take --extractor random")
    some = images.subset(np.sort(rows[:PROBE_SHOWN]))
    probe = probe_for(some, label_spec(some), n_shown=PROBE_SHOWN, seed=0)
    network = probe.network

    def features(pictures: np.ndarray) -> Tensor:
        return torch.from_numpy(probe.features(pictures))

    dimension = probe.features(np.zeros((1, *images.spec.shape), np.uint8)).shape[1]
    return Extractor(
        "probe", weights_hash(network.state_dict()), "none", dimension, features, {"latentry": __version__}
    )


def coordinates() -> Extractor:
    """Of the points of a toy world, float32 [n, 2, 1, 1]: the points themselves."""
    return Extractor("coordinates", "", "none", 2, lambda points: torch.from_numpy(points.reshape(-1, 2)))


def label_spec(images: ImageSet) -> ConditionSpec:
    """The labels that a probe learns: the attributes that vary, else the classes.

    Raises:
        InputError: there are none.
    """
    labels = images.labels
    if labels is not None and labels.attributes is not None:
        part = labels.attributes
        varying = tuple(name for name, spread in zip(part.names, np.ptp(part.values, axis=0), strict=True) if spread)
        if varying:
            spec = condition_spec(labels, ConditionSettings("attributes", varying), images.name)
            assert spec is not None
            return spec
    spec = condition_spec(labels, ConditionSettings("class"), images.name)
    assert spec is not None
    return spec
