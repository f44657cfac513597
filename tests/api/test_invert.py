"""Inversion in a world where every picture's latent is known: the brightness of its halves."""

import shutil
from typing import Any

import numpy as np
import pytest

import latentry
from latentry.api.invert import InversionSettings, fit_inversion, invert_pictures
from latentry.errors import InputError
from tests.api.halves import SETTINGS, Halves, Painted, halves

FAST = InversionSettings(steps=60)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    own: dict[str, Any] = {"encoder": Halves(), "decoder": Painted()}
    run = latentry.train("autoencoder", halves(), out=tmp_path_factory.mktemp("runs"), **own, **SETTINGS)
    return latentry.load(run.path, **own)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A GAN whose generator is linear, and which hardly learns."""
    settings = {**SETTINGS, "augment": "none", "latent": 2, "output": "linear", "backbone": "mlp", "hidden": (8,)}
    for name in ("likelihood", "second_stage_steps", "mixture_components"):
        settings.pop(name)
    run = latentry.train(
        "gan", halves(), decoder=Painted(), critic_hidden=(8,), out=tmp_path_factory.mktemp("runs"), **settings
    )
    return latentry.load(run.path, decoder=Painted())


def painted(*brightness):
    """Pictures whose halves have so many of 255, uint8 [n, 1, 8, 8]."""
    return np.array(brightness, np.uint8).repeat(4, axis=1)[:, None, None, :].repeat(8, axis=2)


def test_the_latent_of_a_picture_that_the_model_can_make_is_found(model):
    found = invert_pictures(model, painted([60, 180], [200, 30]), settings=FAST)
    np.testing.assert_allclose(found.z, np.array([[60, 180], [200, 30]]) / 127.5 - 1, atol=2e-3)
    np.testing.assert_array_equal(found.made, found.images)
    assert found.to_json()[0]["psnr_db"] is None  # equal pictures
    assert found.inside is None  # nothing was measured to tell by


def test_the_search_mends_a_wrong_start_and_none_ends_worse(generator):
    images = painted([60, 180], [200, 30], [120, 140])
    found = invert_pictures(
        generator, images, settings=InversionSettings(start="draws", draws=8, steps=200, prior_weight=0)
    )
    np.testing.assert_allclose(found.z, images[:, 0, 0, [0, -1]] / 127.5 - 1, atol=5e-3)
    assert (found.loss <= found.loss_start).all()
    assert found.loss.max() < 1e-4 < found.loss_start.max()


def test_an_encoder_is_fitted_to_a_generator_and_starts_near(generator):
    with pytest.raises(InputError, match="--fit"):
        invert_pictures(generator, painted([60, 180]))
    record = fit_inversion(generator, FAST, data=halves(), n_images=20_000, n_held_out=20)
    assert record["encoder"]["explained"] > 0.9
    start = invert_pictures(generator, painted([60, 180], [200, 30]), settings=InversionSettings(steps=0))
    np.testing.assert_allclose(start.z, np.array([[60, 180], [200, 30]]) / 127.5 - 1, atol=0.25)


def test_the_verdict_tells_other_pictures_from_the_models_own(model):
    """Halves are dark or bright; other pictures have rows of their own."""
    fit_inversion(model, FAST, data=halves(), n_held_out=64)
    own = invert_pictures(model, halves(n=900).images[600:700], settings=FAST)
    stripes = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 1)).repeat(8, axis=3).astype(np.uint8)
    other = invert_pictures(model, stripes, settings=FAST)
    assert own.inside is not None and own.inside.mean() > 0.8
    assert other.inside is not None and not other.inside.any()
    assert own.distance is not None and other.distance is not None
    assert other.distance.mean() > 2 * own.distance.mean()
    assert invert_pictures(model, stripes, settings=InversionSettings(steps=10)).inside is None  # measured with 60


def test_fitting_is_kept_repeats_itself_and_its_damage_is_seen(generator, tmp_path):
    record = fit_inversion(generator, FAST, data=halves(), n_images=640, n_held_out=8, seed=3)
    copy = shutil.copytree(generator.path, tmp_path / "model")
    again = latentry.load(copy, decoder=Painted())
    assert again.inverse is not None and again.inverse.facts == record
    assert fit_inversion(again, FAST, data=halves(), n_images=640, n_held_out=8, seed=3) == record
    for file in (copy / "inversion").iterdir():
        assert file.read_bytes() == (generator.path / "inversion" / file.name).read_bytes(), file.name
    weights = copy / "inversion" / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x01\x02\x03")
    with pytest.raises(InputError, match="damaged"):
        _ = latentry.load(copy, decoder=Painted()).inverse


def test_settings_that_cannot_be_searched_with():
    for settings, word in (({"start": "here"}, "encoder or draws"), ({"steps": -1}, "steps"), ({"lr": 0.0}, "lr")):
        with pytest.raises(InputError, match=word):
            InversionSettings(**settings)
