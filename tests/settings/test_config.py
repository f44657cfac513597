import json
import math

import pytest

from latentry.errors import InputError
from latentry.settings.config import Config, config_from_json
from latentry.settings.models import AutoencoderSettings, VAESettings
from latentry.settings.recipes import RECIPES, find_recipe
from latentry.settings.training import TrainingSettings, parse_count, parse_seconds


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_json(name):
    config = RECIPES[name].config
    assert config.recipe == name
    assert config_from_json(json.loads(json.dumps(config.to_json()))) == config


def test_unknown_keys_are_refused_with_the_nearest_name():
    record = RECIPES["vae"].config.to_json()
    record["model"]["latnet"] = 3
    with pytest.raises(InputError, match="'latnet'; did you mean latent"):
        config_from_json(record)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 99, "format 99"),
        (("family",), "vea", "did you mean vae"),
        (("training", "batch"), "many", "training.batch"),
        (("training", "schedule"), "cosin", "cosine"),
        (("model", "beta"), -1, "beta"),
        (("network", "hidden"), 3, "must be a list"),
    ],
)
def test_values_that_do_not_fit_are_refused(path, value, message):
    record = RECIPES["vae"].config.to_json()
    owner = record
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    with pytest.raises(InputError, match=message):
        config_from_json(record)


def test_settings_are_set_by_their_own_name():
    config = RECIPES["vae"].config.with_settings(beta=2, batch=16, size="32", width=8)
    assert isinstance(config.model, VAESettings)
    assert (config.model.beta, config.training.batch, config.data.size, config.network.width) == (2.0, 16, "32", 8)
    with pytest.raises(InputError, match="did you mean beta"):
        RECIPES["vae"].config.with_settings(bta=2)
    with pytest.raises(InputError, match="batch"):
        RECIPES["vae"].config.with_settings(batch="large")


def test_a_new_length_takes_the_place_of_the_recipes():
    training = RECIPES["foster-vae"].config.with_settings(budget="1m").training
    assert (training.budget, training.images, training.epochs) == ("1m", None, None)
    assert RECIPES["foster-vae"].config.with_settings(beta=1).training.epochs == 5
    with pytest.raises(InputError, match="budget and epochs"):
        RECIPES["vae"].config.with_settings(budget="1m", epochs=2)


def test_unknown_recipe_offers_the_nearest():
    with pytest.raises(InputError, match="did you mean beta-vae"):
        find_recipe("betavae")


def test_foster_weights_are_the_books():
    # 500 * mean cross-entropy over 32 x 32 pixels + KL, scaled by 1024 / 500
    fashion = RECIPES["foster-vae"].config.model
    assert isinstance(fashion, VAESettings)
    assert fashion.beta == pytest.approx(2.048)
    # 2000 * mean squared error over 64 x 64 x 3 values in [0, 1]; on [-1, 1] squares are 4 times as large, halved
    faces = RECIPES["foster-vae-faces"].config.model
    assert isinstance(faces, VAESettings)
    assert faces.beta == pytest.approx(4 * 64 * 64 * 3 / 2 / 2000)
    assert faces.sigma == 1.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("40s", 40), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1.5m", 90), ("1d", 86400)]
)
def test_durations(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "40", "m", "10 m", "0s", "-3s"])
def test_durations_that_are_none(text):
    with pytest.raises(InputError, match="budget"):
        parse_seconds(text)


def test_a_batch_of_one_is_refused_where_pictures_are_compared():
    mlp = {"backbone": "mlp", "hidden": (8,), "norm": "batch"}
    with pytest.raises(InputError, match=r"batch \(=1\) gives batch normalisation"):
        find_recipe("vae").config.with_settings(**mlp, batch=1)
    with pytest.raises(InputError, match=r"batch \(=3\) of packing \(=3\) gives batch normalisation"):
        find_recipe("gan").config.with_settings(batch=3, packing=3)
    with pytest.raises(InputError, match=r"tc-estimator=mss compares pictures; batch \(=1\)"):
        find_recipe("beta-tcvae").config.with_settings(tc_estimator="mss", batch=1)
    find_recipe("vae").config.with_settings(**{**mlp, "norm": "group"}, batch=1)


def test_counts():
    assert [parse_count(t) for t in ("60000", "500k", "2M", "1.5k")] == [60_000, 500_000, 2_000_000, 1_500]
    for text in ("", "k", "2 M", "0", "-5"):
        with pytest.raises(InputError, match="images"):
            parse_count(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: TrainingSettings(budget="1m", epochs=3), "budget and epochs were given"),
        (lambda: TrainingSettings(batch=0), "batch"),
        (lambda: TrainingSettings(batch=10**12), "batch"),
        (lambda: TrainingSettings(lr=0), "lr"),
        (lambda: TrainingSettings(seed=-1), "seed"),
        (lambda: TrainingSettings(clip=0.0), "clip"),
        (lambda: TrainingSettings(step_at=(0.5, 2.0)), "step-at"),
        (lambda: TrainingSettings(step_factor=-1.0), "step-factor"),
        (lambda: TrainingSettings(weight_decay=-1.0), "weight-decay"),
        (lambda: Config("vae", VAESettings(beta=math.nan)), "beta .=nan. must be a finite number"),
        (lambda: Config("vae", VAESettings(), training=TrainingSettings(weight_decay=math.inf)), "weight-decay"),
        (lambda: VAESettings(importance_samples=5), "importance-weighted"),
        (lambda: VAESettings(binarise=True), "likelihood=bernoulli.*not gaussian"),
        (lambda: VAESettings(objective="importance-weighted", beta=2.0), "beta"),
        (lambda: VAESettings(objective="total-correlation", prior="vamp"), "total-correlation"),
        (lambda: VAESettings(prior="vamp", free_bits=0.1), "free-bits"),
        (lambda: VAESettings(latent=0), "latent"),
        (lambda: AutoencoderSettings(masking=1.0), "masking"),
        (lambda: AutoencoderSettings(sigma=0.0), "sigma"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message) as refusal:
        settings()
    assert "\n" not in str(refusal.value)
