"""Combinations that the papers rule out are refused with the reason, where the settings are checked."""

from typing import Any, get_args

import pytest

from latentry.errors import InputError
from latentry.settings.config import Config, config_from_json
from latentry.settings.gan import PENALTIES, WITH_LABELS, AugmentSettings, CriticSettings, GANLoss, GANSettings
from latentry.settings.recipes import RECIPES, find_recipe


def config(recipe: str = "gan", **settings: Any) -> Config:
    return find_recipe(recipe).config.with_settings(**settings)


@pytest.mark.parametrize("constraint", PENALTIES)
def test_batch_normalisation_under_any_penalty_a_picture_is_refused(constraint: str) -> None:
    """The penalty is on each picture's own gradient; the reason and the way out are in the message."""
    with pytest.raises(InputError) as refusal:
        config("gan", constraint=constraint, critic_norm="batch")
    line = str(refusal.value)
    assert f"constraint={constraint}" in line and "depend on the whole batch" in line and "critic-norm=none" in line
    for norm in ("none", "group"):
        assert config("gan", constraint=constraint, critic_norm=norm).critic.critic_norm == norm


def test_every_penalty_a_picture_is_known_to_the_rule() -> None:
    assert set(PENALTIES) == {"gradient-penalty", "r1", "r2", "r1-r2", "dragan"}


@pytest.mark.parametrize("constraint", ["none", "clip", "spectral"])
def test_batch_normalisation_is_free_where_nothing_is_penalised(constraint: str) -> None:
    assert config("gan", constraint=constraint, critic_norm="batch").critic.critic_norm == "batch"


def test_recipes_keep_the_rules() -> None:
    """Each config was checked when it was made; what is asserted here is that the rule would have caught them."""
    for name, recipe in RECIPES.items():
        game = recipe.config.model
        if isinstance(game, GANSettings) and game.constraint in PENALTIES:
            assert recipe.config.critic.critic_norm != "batch", name
        assert config_from_json(recipe.config.to_json()) == recipe.config


@pytest.mark.parametrize("loss", sorted(set(get_args(GANLoss)) - set(WITH_LABELS)))
def test_losses_without_labels_have_none_to_smooth(loss: str) -> None:
    for setting in ({"smoothing": 0.1}, {"label_noise": 0.1}):
        with pytest.raises(InputError, match=f"loss={loss} has no labels"):
            config("gan", loss=loss, **setting)


@pytest.mark.parametrize(
    ("cls", "setting", "words"),
    [
        (GANSettings, {"latent": 0}, "latent (=0) must be at least 1"),
        (GANSettings, {"critic_steps": 0}, "critic-steps (=0)"),
        (GANSettings, {"packing": 0}, "packing (=0)"),
        (GANSettings, {"clip_weights": 0.0}, "clip-weights (=0.0) must be above 0"),
        (GANSettings, {"penalty": -1.0}, "penalty (=-1.0)"),
        (GANSettings, {"penalty": float("nan")}, "penalty (=nan)"),
        (GANSettings, {"penalty_end": -1.0}, "penalty-end (=-1.0)"),
        (GANSettings, {"auxiliary": -1.0}, "auxiliary (=-1.0)"),
        (GANSettings, {"auxiliary": float("nan")}, "auxiliary (=nan)"),
        (GANSettings, {"doubt": -0.1, "guess_from": "real"}, "doubt (=-0.1)"),
        (GANSettings, {"doubt": 0.3}, "use guess-from=real, or doubt=0"),
        (GANSettings, {"smoothing": 0.5}, "below 0.5"),
        (GANSettings, {"label_noise": 0.5}, "below 0.5"),
        (CriticSettings, {"critic_width": 0}, "critic-width (=0)"),
        (CriticSettings, {"critic_hidden": (4, 0)}, "critic-hidden (=(4, 0))"),
        (CriticSettings, {"critic_dropout": 1.0}, "critic-dropout (=1.0)"),
        (CriticSettings, {"critic_lr": 0.0}, "critic-lr (=0.0)"),
        (AugmentSettings, {"augment_p": 1.5}, "augment-p (=1.5) is a probability"),
        (AugmentSettings, {"augment_target": 1.0}, "augment-target (=1.0)"),
        (AugmentSettings, {"augment": "fixed", "augment_policies": ("rotation",)}, "which way is up"),
        (AugmentSettings, {"augment": "adaptive", "augment_policies": ()}, "at least one of augment-policies"),
    ],
)
def test_values_outside_their_range_are_named(cls: Any, setting: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refusal:
        cls(**setting)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ("gan", {"packing": 3, "batch": 32}, "batch (=32) must be a multiple of packing (=3)"),
        ("cgan", {"packing": 2}, "use packing=1 or condition=none"),
        ("gan", {"critic_condition": "projection"}, "critic-condition=projection needs a condition"),
        ("acgan", {"condition": "none"}, "critic-condition=auxiliary needs a condition"),
        ("wgan-gp", {"augment": "adaptive"}, "means nothing for loss=wasserstein"),
        ("gan", {"loss": "relativistic", "augment": "adaptive"}, "means nothing for loss=relativistic"),
        ("gan", {"loss": "wassrstein"}, "did you mean wasserstein"),
        ("gan", {"constraint": "gradient-penalti"}, "did you mean gradient-penalty"),
        ("vae", {"critic_steps": 5}, "critic_steps"),
    ],
)
def test_settings_that_do_not_go_together(recipe: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refusal:
        config(recipe, **settings)
    assert words in str(refusal.value) and "\n" not in str(refusal.value), refusal.value
