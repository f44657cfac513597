"""DINOv2 through transformers: features of whole pictures that agree with people better than Inception's.

Oquab et al. 2023, "DINOv2" (arXiv:2304.07193).
Stein et al. 2023, "Exposing flaws of generative model evaluation metrics" (arXiv:2306.04675): the large network.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.errors import InputError
from latentry.metrics.extractors.extractor import Extractor, as_three_channels, weights_hash

MODEL = "facebook/dinov2-large"
_SIDE_PX = 224
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which it was trained with


def dinov2(weights: Path | None = None, *, download: bool = True, device: torch.device | str = "cpu") -> Extractor:
    """The class token of the last layer, 1,024 features of the large network.

    Args:
        weights: a folder that `save_pretrained` wrote, of any size of network; None for the large one.
        download: fetch it where it is not in transformers' cache.
        device: where it computes.

    Raises:
        InputError: transformers is not there, or the weights are not or are damaged.
    """
    try:
        from transformers import AutoModel
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"extractor=dinov2 needs transformers, which fails here ({reason}); pip install 'latentry[metrics]'"
        ) from error
    where = MODEL if weights is None else str(weights)
    try:
        network: Any = AutoModel.from_pretrained(where, local_files_only=weights is not None or not download)
    except Exception as error:  # what a damaged file raises depends on its format and the version that reads it
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot load DINOv2 from {where} ({reason}); name a folder that holds it with --weights, "
            "or take --extractor random"
        ) from error
    if getattr(network.config, "model_type", None) != "dinov2":
        raise InputError(f"{where} holds a {network.config.model_type}, not a dinov2; name another folder")
    network = network.eval().requires_grad_(False).to(device)

    def features(images: np.ndarray) -> Tensor:
        return network(pixel_values=_prepare(images).to(device)).last_hidden_state[:, 0]

    return Extractor(
        "dinov2",
        weights_hash(network.state_dict()),
        f"bicubic {_SIDE_PX}, antialiased",
        int(network.config.hidden_size),
        features,
        {"transformers": metadata.version("transformers")},
        chunk=32,
    )


def _prepare(images: np.ndarray) -> Tensor:
    """Pictures uint8 [n, C, H, W] as the network takes them, [n, 3, 224, 224]."""
    x = torch.from_numpy(as_three_channels(images)).float() / 255
    x = F.interpolate(x, (_SIDE_PX, _SIDE_PX), mode="bicubic", antialias=True).clamp(0, 1)
    return (x - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]
