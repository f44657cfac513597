"""What a model is before it has learnt anything."""

import pytest
import torch

from latentry.models.build import build_model, initialise_model
from latentry.models.contract import Batch
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ImageSpec


@pytest.mark.parametrize("recipe", ["vae", "autoencoder"])
@pytest.mark.parametrize("likelihood", ["gaussian", "laplace", "bernoulli", "continuous-bernoulli"])
def test_a_fully_connected_decoder_starts_at_the_mean_picture(recipe: str, likelihood: str) -> None:
    config = find_recipe(recipe).config.with_settings(backbone="mlp", hidden=(8,), latent=2, likelihood=likelihood)
    image = ImageSpec(2, 3, 4)
    rng = torch.Generator().manual_seed(0)
    x = 1.8 * torch.rand(500, *image.shape, generator=rng) - 0.9
    x[:, 0, 0, 0] = 1  # always white: a logit without end, but for a limit
    model = build_model(config, image)
    initialise_model(model, Batch(x), rng)
    started = model.decode(torch.zeros(1, 2))[0]
    torch.testing.assert_close(started, x.mean(dim=0), atol=0.0021, rtol=0)
