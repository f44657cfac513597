"""How long is long enough: a rule of thumb from runs of the recipes (reproductions/recipes.md)."""

from __future__ import annotations

from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.vqvae import VQVAESettings

SHORT = 0.1  # share of enough below which a run shows nothing
# Images after which the recipes show what they can do, at 32 pixels. A GAN's grow with the side: there is more detail
# for generator and critic to find. Of the others it is epochs that count, where there are many pictures.
_GAN, _CODES, _OTHERS = 400_000, 150_000, 100_000
_EPOCHS, _MOST = 20, 2_000_000


def enough_images(config: Config, n_train: int, size_px: int) -> int:
    """After how many images a recipe shows what it can do: a rule of thumb, from runs of the recipes.

    Args:
        config: the recipe.
        n_train: training pictures.
        size_px: the longer side of a picture.
    """
    if isinstance(config.model, GANSettings):
        return round(_GAN * max(1.0, size_px / 32))
    least = _CODES if isinstance(config.model, VQVAESettings) else _OTHERS
    return min(_MOST, max(least, _EPOCHS * n_train))
