"""Inception-v3 of 2015 as papers use it for the FID, through torch-fidelity; the one extractor that may be called so.

Heusel et al. 2017 (arXiv:1706.08500); the weights are TensorFlow's, converted by torch-fidelity.
"""

from __future__ import annotations

import pickle
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.metrics.extractors.extractor import Extractor, as_three_channels, weights_hash

_RESIZE = "bilinear 299, as TensorFlow 1 does (torch-fidelity)"
_FEATURES = 2048
_LANDMARKS = ("Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch1x1.conv.weight", "fc.weight")  # of its state dictionary
_INSTALL = "pip install 'latentry[metrics]' and a torchvision built for the same torch"


def cached_weights() -> Path | None:
    """Where torch-fidelity keeps the weights that it has downloaded; None where they are not.

    Raises:
        InputError: torch-fidelity is not there, or does not import.
    """
    name = Path(_module().URL_INCEPTION_V3).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    return path if path.is_file() else None


def inception(weights: Path | None = None, *, device: torch.device | str = "cpu") -> Extractor:
    """Its pool features, 2,048, and its 1,008 classes for the inception score.

    Args:
        weights: a file of them, as torch-fidelity publishes; None for those in its cache, which are downloaded first
            where they are not there.
        device: where it computes.

    Raises:
        InputError: torch-fidelity does not import, or the weights are damaged or cannot be downloaded.
    """
    module = _module()
    path = weights or cached_weights()
    if path is not None:
        _check(path)
    try:
        network = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=path and str(path)
        )
    except OSError as error:
        raise InputError(
            f"the Inception weights cannot be downloaded ({error}); fetch {module.URL_INCEPTION_V3} elsewhere "
            "and name the file with --weights, or take --extractor random"
        ) from error

    network = network.to(device)

    def both(images: np.ndarray) -> tuple[Tensor, Tensor]:
        features, logits = network(torch.from_numpy(as_three_channels(images)).to(device))
        return features, logits

    return Extractor(
        "inception",
        weights_hash(network.state_dict()),
        _RESIZE,
        _FEATURES,
        lambda images: both(images)[0],
        {"torch-fidelity": metadata.version("torch-fidelity")},
        chunk=32,
        classify=lambda images: both(images)[1].softmax(dim=1),
    )


def _module() -> Any:
    """torch-fidelity's module; it imports torchvision, which fails in its own ways beside another torch."""
    try:
        import torch_fidelity.feature_extractor_inceptionv3 as module
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"extractor=inception needs torch-fidelity, which fails here ({reason}); {_INSTALL}, "
            "or take --extractor random"
        ) from error
    return module


def _check(path: Path) -> None:
    """Refuse a file that is no such weights; read as tensors alone, since torch-fidelity itself unpickles anything."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the weights {path}: {error.strerror or error}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise InputError(
            f"the weights {path} are damaged or hold more than tensors; fetch them again, or take --extractor random"
        ) from error
    if not isinstance(tensors, dict) or not all(name in tensors for name in _LANDMARKS):
        raise InputError(
            f"{path} holds no Inception-v3 of torch-fidelity (its {_LANDMARKS[0]} is missing); give the file "
            "weights-inception-2015-12-05-6726825d.pth"
        )
