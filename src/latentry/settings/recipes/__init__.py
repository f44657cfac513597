"""The named presets. A recipe is what differs from the defaults, with its source and the result that was measured.

Results are of one short run each, on two cores, seed 0, by `python -m reproductions.recipes`; the whole table, with
losses, seconds and settings, is `reproductions/recipes.md`. They say what to expect, not what is possible.
"""

from latentry.errors import unknown_name
from latentry.settings.recipes.autoencoders import AUTOENCODERS
from latentry.settings.recipes.foster import FOSTER
from latentry.settings.recipes.gans import GANS
from latentry.settings.recipes.quantised import QUANTISED
from latentry.settings.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {**AUTOENCODERS, **QUANTISED, **GANS, **FOSTER}


def find_recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        InputError: there is none; the nearest names are offered.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]


__all__ = ["RECIPES", "Recipe", "find_recipe"]
