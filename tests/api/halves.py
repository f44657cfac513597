"""A world where the right latents are known: grey pictures with a left and a right half, each dark or bright.

A picture's latent is the brightness of each half. The labels say which half is bright, and mostly go together.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from latentry.data import open_images
from latentry.data.images import ImageSet
from latentry.data.labels import AttributeLabels, ClassLabels, Labels

STEP = 120 / 127.5  # from a dark half to a bright one, in the latent's own numbers


class Halves(nn.Module):
    """Pictures [B, 1, 8, 8] to the means of their halves, [B, 2]; the weight is there to have something to train."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * torch.stack([x[..., :4].mean(dim=(1, 2, 3)), x[..., 4:].mean(dim=(1, 2, 3))], dim=1)


class Painted(nn.Module):
    """The other way round; linear."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.layer = nn.Linear(2, 64, bias=False)
        left = torch.zeros(8, 8)
        left[:, :4] = 1
        with torch.no_grad():
            self.layer.weight.copy_(torch.stack([left.flatten(), 1 - left.flatten()], dim=1))
        self.layer.weight.requires_grad_(False)

    def forward(self, z):
        return self.scale * self.layer(z)


def halves(n=600, by="attributes", labels=None):
    rng = np.random.default_rng(0)
    left = rng.random(n) < 0.5
    right = rng.random(n) < np.where(left, 0.8, 0.2)
    shown = np.stack([left, right], axis=1).astype(np.uint8)
    pixels = 60 + 120 * shown.repeat(4, axis=1)[:, None, None, :] + rng.integers(-8, 9, (n, 1, 8, 8))
    opened = open_images(pixels.astype(np.uint8))
    if labels is None:
        named = {
            "attributes": Labels(attributes=AttributeLabels(shown, ("left", "right"))),
            "class": Labels(
                classes=ClassLabels((2 * left + right).astype(np.int64), ("none", "right", "left", "both"))
            ),
        }
        labels = named[by]
    return ImageSet(opened.images, labels, f"{by}{n}", "halves", opened.report, digests=opened.digests)


SETTINGS: dict[str, Any] = {
    "images": "40", "batch": 20, "ticks": 1, "lr": 1e-9, "latent": 2, "likelihood": "gaussian", "size": "8",
    "second_stage_steps": 2, "mixture_components": 1, "holdout": 0.2, "flip": "no",
}  # fmt: skip
