"""The VQ-VAE on two pixels whose codes are known, its training, and what it refuses."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import latentry
from latentry.errors import InputError
from latentry.models.build import build_model
from latentry.models.contract import Batch
from latentry.models.own import OwnNetworks
from latentry.models.vqvae import VQVAE, VQVAEMethod, squared_distance
from latentry.nn import initialise
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec, ImageSpec
from latentry.settings.training import TrainingSettings
from latentry.settings.vqvae import VQVAESettings

TWO_PIXELS = ImageSpec(1, 1, 2)
SETTINGS = VQVAESettings(
    codes=2, latent=1, sigma=1.0, prior_width=8, prior_blocks=1, prior_heads=2, prior_dropout=0, revival=0
)


class Scale(nn.Module):
    """x times one weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_pixels(settings: VQVAESettings = SETTINGS, encoder: float = 1.0, ends: float = 1.0) -> VQVAE:
    """Each pixel is quantised to -1 or +1 and decoded as that; the prior is uniform."""
    model = VQVAE(Scale(encoder), Scale(1.0), TWO_PIXELS, (1, 2), settings)
    initialise(model.token_prior, rng())
    with torch.no_grad():
        model.quantiser.codebook.copy_(torch.linspace(-ends, ends, settings.codes)[:, None])
    return model


def method(model: VQVAE, settings: VQVAESettings = SETTINGS, **training: Any) -> VQVAEMethod:
    return VQVAEMethod(model, settings, TrainingSettings(**training), n_data=4)


def pictures(*values: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 2)


def test_the_terms_are_those_of_the_definition() -> None:
    """Two pixels at distance 0.5 and 0.25 from their codes, under a unit Gaussian, and two of two codes."""
    x = pictures((0.5, -0.75), (1.0, -1.0))
    terms = method(two_pixels()).score(two_pixels(), Batch(x), rng())
    normaliser = 2 * 0.5 * math.log(2 * math.pi)
    distance = 0.5**2 + 0.25**2
    assert terms["commitment"].tolist() == pytest.approx([distance, 0])  # none on codewords
    assert terms["reconstruction"].tolist() == pytest.approx([normaliser + distance / 2, normaliser])
    assert terms["prior_nll"].tolist() == pytest.approx([2 * math.log(2)] * 2)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["prior_nll"])


def test_the_encoders_gradient_is_straight_through_and_committed() -> None:
    """d/dw of (1 - q)^2 / 2 + beta (w x - e)^2 at w = 1, with q passing its gradient to w x."""
    model, x = two_pixels(encoder=0.5), pictures((0.9, -0.9))
    method(model, lr=1e-9).step(Batch(x), rng(), 0.0)
    w = model.encoder.weight
    assert isinstance(w, nn.Parameter)
    assert w.grad is not None
    reconstruction = 2 * (1 - 0.9) * 0.9  # the decoder gives the code, 1, and passes d/dq = 1 - 0.9 on to w x
    commitment = 2 * 2 * (0.5 * 0.9 - 1) * 0.9
    assert w.grad.item() == pytest.approx(reconstruction + 0.25 * commitment, rel=1e-5)


def test_the_codebooks_own_term_has_no_gradient_at_the_means_of_clusters() -> None:
    """The mean is where the squared distance is least; off it, the gradient points from the mean, N times over."""
    settings = replace(SETTINGS, codebook="gradient")
    x = pictures((0.8, -0.6), (1.2, -1.4))  # +1 and -1 on average
    for codes, expected in (((-1.0, 1.0), (0.0, 0.0)), ((-1.0, 1.5), (0.0, 1.0))):
        model = two_pixels(settings)
        with torch.no_grad():
            model.quantiser.codebook.copy_(torch.tensor(codes)[:, None])
        z = model.encoder_output(x)
        squared_distance(z.detach(), model.quantiser(z)[1]).mean().backward()
        gradient = model.quantiser.codebook.grad
        assert gradient is not None
        assert gradient.flatten().tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("codebook", ["average", "gradient"])
def test_both_codebooks_settle_on_the_means(codebook: Any) -> None:
    settings = replace(SETTINGS, codebook=codebook, codebook_decay=0.9)
    model = two_pixels(settings)
    with torch.no_grad():
        model.quantiser.codebook.copy_(torch.tensor([[-0.2], [0.1]]))
    model.encoder.requires_grad_(False)
    trained = method(model, settings, lr=0.05)
    x = pictures((0.8, -0.6), (1.2, -1.4))
    for step in range(150):
        terms = trained.step(Batch(x), rng(step), 0.5)
    assert model.quantiser.codebook.flatten().tolist() == pytest.approx([-1, 1], abs=0.02)
    assert terms["perplexity"].item() == pytest.approx(2, rel=1e-3)
    assert terms["code_usage"].item() == 1
    assert terms["prior_nll"].item() < 0.1  # the left pixel is always bright, the right one dark


def test_the_prior_does_not_move_the_codes_nor_the_autoencoder_the_prior() -> None:
    model = two_pixels()
    trained = method(model)
    groups = [{id(w) for g in o.param_groups for w in g["params"]} for o in trained.optimisers.values()]
    assert not groups[0] & groups[1]
    assert groups[1] == {id(w) for w in model.token_prior.parameters()}
    assert groups[0] == {id(w) for w in (*model.encoder.parameters(), *model.decoder.parameters())}


def test_a_batch_twice_is_the_same_step() -> None:
    x = pictures((0.5, -0.75), (0.9, 0.9))
    once, twice = (method(two_pixels()).step(Batch(part), rng(), 0.0) for part in (x, torch.cat([x, x])))
    for name in ("loss", "reconstruction", "commitment", "prior_nll", "perplexity"):
        torch.testing.assert_close(once[name], twice[name])


def test_what_is_encoded_is_codes_and_what_is_drawn_too() -> None:
    model = two_pixels().eval()
    assert model.encode(pictures((0.3, -5.0))).flatten().tolist() == [1, -1]
    assert model.decode(pictures((0.3, -0.2))).flatten().tolist() == pytest.approx([0.3, -0.2])  # as given
    drawn = model.own_prior(400, rng=rng())
    assert drawn.shape == (400, 1, 1, 2)
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    assert abs(drawn.mean().item()) < 0.15
    assert torch.equal(model.prior(5, rng=rng(3)), model.own_prior(5, rng=rng(3)))


def test_only_the_prior_is_told() -> None:
    told = ConditionSpec("class", ("a", "b"))
    model = VQVAE(Scale(1.0), Scale(1.0), TWO_PIXELS, (1, 2), SETTINGS, told)
    initialise(model.token_prior, rng())
    with torch.no_grad():
        model.quantiser.codebook.copy_(torch.tensor([[-1.0], [1.0]]))
    x = pictures((1.0, 1.0), (-1.0, -1.0))
    conditions = torch.eye(2)
    assert torch.equal(model.encode(x, conditions), model.encode(x))
    trained = method(model, lr=0.02)
    for step in range(120):
        trained.step(Batch(x, conditions), rng(step), 0.5)
    drawn = model.own_prior(2, rng=rng(), condition=conditions.flip(0))
    assert drawn.flatten(1).tolist() == [[-1, -1], [1, 1]] or drawn.sign().flatten(1).tolist() == [[-1, -1], [1, 1]]
    assert trained.score(model, Batch(x, conditions), rng())["prior_nll"].max().item() < 0.2


def collapsed(revival: float) -> dict[str, Any]:
    """The last log record of a run with far more codes than few pictures can fill."""
    settings = replace(SETTINGS, codes=4096, revival=revival)
    model = two_pixels(settings, ends=50)  # most codes far from any picture
    trained = VQVAEMethod(model, settings, TrainingSettings(lr=1e-4), n_data=500)
    x = torch.rand(500, 1, 1, 2, generator=rng()) * 2 - 1
    for step in range(24):
        terms = trained.step(Batch(x[torch.randint(500, (250,), generator=rng(step))]), rng(step), 0.5)
    return {name: value.item() for name, value in terms.items()}


def test_a_codebook_too_large_shows_in_its_usage_unless_it_is_revived() -> None:
    dead, revived = collapsed(0), collapsed(1)
    assert dead["code_usage"] < 0.05
    assert dead["perplexity"] < 120
    assert revived["code_usage"] > 3 * dead["code_usage"]
    assert revived["perplexity"] > 3 * dead["perplexity"]


@pytest.mark.parametrize(
    ("size", "grid"), [((32, 32), (8, 8)), ((28, 28), (7, 7)), ((64, 96), (8, 12)), ((1, 1), (1, 1))]
)
def test_the_grid_is_the_picture_halved_and_each_code_paints_its_own_place(
    size: tuple[int, int], grid: tuple[int, int]
) -> None:
    image = ImageSpec(3, *size)
    config = find_recipe("vq-vae").config.with_settings(width=4, codes=4, prior_width=4)
    model = build_model(config, image)
    assert isinstance(model, VQVAE)
    initialise(model, rng())
    assert model.latent.shape == (16, *grid)
    z = torch.randn(1, 16, *grid, generator=rng()).requires_grad_()
    assert model.encode(torch.zeros(1, *image.shape)).shape == z.shape
    output = model.decoder_output(z)
    assert output.shape == (1, *image.shape)
    # The picture's first pixel is painted by the codes around the first position, not by far ones.
    gradient = torch.autograd.grad(output[0, :, 0, 0].sum(), z)[0][0].abs().sum(dim=0)
    assert gradient[0, 0] > 0
    assert gradient[0, 0] >= gradient.max() / 4
    if grid[0] > 4:
        assert gradient[-1, -1] == 0


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(InputError, match=r"codes \(=1\)"):
        VQVAESettings(codes=1)
    with pytest.raises(InputError, match=r"prior-heads \(=3\).*prior-width \(=98\).*99"):
        VQVAESettings(prior_width=98, prior_heads=3)
    with pytest.raises(InputError, match=r"revival \(=-1"):
        VQVAESettings(revival=-1)
    config = find_recipe("vq-vae").config
    with pytest.raises(InputError, match="condition-by=norm"):
        config.with_settings(condition="class", condition_by="norm", norm="group")
    with pytest.raises(InputError, match=r"backbone \(=mlp\).*conv or residual"):
        build_model(config.with_settings(backbone="mlp"), ImageSpec(1, 16, 16))
    with pytest.raises(InputError, match=r"\[1, 6\].*latent \(=16\)"):
        own = OwnNetworks(encoder=nn.Sequential(nn.Flatten(), nn.Linear(256, 6)))
        build_model(config, ImageSpec(1, 16, 16), own=own)


def test_samples_are_a_function_of_their_seed_and_no_others(tmp_path: Any) -> None:
    rows = np.random.default_rng(0).integers(0, 255, (60, 1, 4, 6), np.uint8)
    small: dict[str, Any] = {
        "images": "120",
        "batch": 20,
        "ticks": 1,
        "width": 4,
        "codes": 8,
        "prior_width": 8,
        "prior_blocks": 1,
    }
    model = latentry.train("vq-vae", rows, out=tmp_path, **small).load()
    many = model.sample(40)
    assert model.latents([0]).shape == (1, 16, 4, 6)
    for seed in (0, 31, 32, 39):
        assert np.array_equal(model.sample(seeds=[seed])[0], many[seed])
    assert len(np.unique(many.reshape(40, -1), axis=0)) == 40
    likeliest = model.latents(range(5), truncation=0.0)
    assert np.array_equal(likeliest, likeliest[:1].repeat(5, axis=0))
    z = model.encode(rows[:3])
    assert isinstance(model.network, VQVAE)
    codes = model.network.quantiser.codebook.numpy()
    assert {tuple(v) for v in np.moveaxis(z, 1, -1).reshape(-1, 16)} <= {tuple(code) for code in codes}
    assert model.sample(0).shape == (0, 1, 4, 6)
    with pytest.raises(InputError, match="sampler"):
        model.sample(2, sampler="mixture")
