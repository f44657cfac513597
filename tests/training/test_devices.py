"""An accelerator does what the processor does: every block, and a short training of every recipe.

They run where there is one (CUDA, else Apple's), or on the device that LATENTRY_TEST_DEVICE names; `cpu` tries the
tests themselves.
"""

import copy
import itertools
import os

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import latentry
from latentry.nn import build_decoder, build_encoder, initialise
from latentry.settings.network import Backbone, Downsampling, NetworkSettings, Norm, Upsampling
from latentry.settings.specs import ImageSpec
from tests.api.test_train import small_settings
from tests.nn.test_networks import NORMS, RESAMPLINGS


def accelerator() -> str | None:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


DEVICE = os.environ.get("LATENTRY_TEST_DEVICE", accelerator())
pytestmark = pytest.mark.skipif(DEVICE is None, reason="there is no accelerator here")

IMAGE = ImageSpec(3, 16, 32)
CONVOLUTIONAL: tuple[Backbone, ...] = ("conv", "residual")
CASES: list[tuple[Backbone, tuple[Downsampling, Upsampling], Norm]] = [
    *(("mlp", RESAMPLINGS[0], norm) for norm in NORMS),
    *itertools.product(CONVOLUTIONAL, RESAMPLINGS, NORMS),
    ("modern", RESAMPLINGS[0], "none"),
]


@pytest.mark.parametrize(("backbone", "resampling", "norm"), CASES)
def test_networks_and_their_gradients_are_the_processors(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone, resampling: tuple[Downsampling, Upsampling], norm: Norm
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    network = NetworkSettings(
        backbone=backbone, norm=norm, width=8, width_max=16, hidden=(12, 10), group_width=8, base=4,
        downsampling=resampling[0], upsampling=resampling[1],
    )  # fmt: skip
    here = nn.Sequential(build_encoder(network, IMAGE, 6), build_decoder(network, 6, IMAGE))
    initialise(here, torch.Generator().manual_seed(0), 0.1)  # so that no branch starts at zero
    there = copy.deepcopy(here).to(DEVICE)
    x = torch.rand(4, *IMAGE.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    for mine, theirs in zip(answers(here, x), answers(there, x.to(DEVICE)), strict=True):
        scale = mine.abs().max().item()
        torch.testing.assert_close(theirs.cpu(), mine, rtol=1e-3, atol=1e-4 * scale)


def answers(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradient for every weight."""
    output = module(x)
    return [output, *torch.autograd.grad(output.square().mean(), list(module.parameters()))]


@pytest.mark.parametrize("recipe", latentry.RECIPES)
def test_every_recipe_trains_and_draws_as_the_processor_does(recipe, tmp_path):
    """Ticks, samplers, the doctor and all that is measured at the end included."""
    run = latentry.train(recipe, out=tmp_path, **small_settings(recipe), device=DEVICE)
    values = [value for record in run.log for value in record["train"].values()]
    assert all(np.isfinite(value).all() for value in values)
    here, there = latentry.load(run.path), latentry.load(run.path, device=str(DEVICE))
    mine, theirs = (model.sample(4, sampler="prior" if "prior" in model.samplers else None) for model in (here, there))
    assert np.abs(mine.astype(int) - theirs).mean() < 1
