"""What a model is before it has learnt anything."""

from typing import get_args

import pytest
import torch

from latentry.models.build import build_model, initialise_model
from latentry.models.contract import Batch
from latentry.settings.config import Config
from latentry.settings.network import Upsampling
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ImageSpec


@pytest.mark.parametrize("recipe", ["vae", "autoencoder"])
@pytest.mark.parametrize("likelihood", ["gaussian", "laplace", "bernoulli", "continuous-bernoulli"])
def test_a_fully_connected_decoder_starts_at_the_mean_picture(recipe: str, likelihood: str) -> None:
    config = find_recipe(recipe).config.with_settings(backbone="mlp", hidden=(8,), latent=2, likelihood=likelihood)
    x = 1.8 * torch.rand(500, 2, 3, 4, generator=torch.Generator().manual_seed(0)) - 0.9
    x[:, 0, 0, 0] = 1  # always white: a logit without end, but for a limit
    torch.testing.assert_close(started(config, x), x.mean(dim=0), atol=0.0021, rtol=0)


@pytest.mark.parametrize("upsampling", get_args(Upsampling))
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_logits_of_a_convolutional_decoder_start_at_the_mean_colour(upsampling: str, likelihood: str) -> None:
    settings = {"width": 4, "latent": 2, "likelihood": likelihood, "upsampling": upsampling}
    config = find_recipe("vae").config.with_settings(**settings)
    x = 1.2 * torch.rand(500, 3, 8, 16, generator=torch.Generator().manual_seed(0)) - 0.9
    x[:, 1] += 0.6
    colour = x.mean(dim=(0, 2, 3)) if likelihood == "bernoulli" else torch.zeros(3)
    torch.testing.assert_close(started(config, x), colour[:, None, None].expand(3, 8, 16), atol=1e-5, rtol=0)


def started(config: Config, x: torch.Tensor) -> torch.Tensor:
    """The picture that a new model makes of a latent of zeros."""
    model = build_model(config, ImageSpec(*x.shape[1:]))
    initialise_model(model, Batch(x), torch.Generator().manual_seed(0))
    with torch.no_grad():
        picture: torch.Tensor = model.eval().decode(torch.zeros(1, 2))[0]
    return picture
