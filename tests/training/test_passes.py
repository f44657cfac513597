"""A batch in passes: their gradients add up to the whole batch's, and what would not add up is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latentry.api.opening import open_config_images
from latentry.api.train import train
from latentry.data import condition_spec, condition_vectors, to_float
from latentry.errors import InputError
from latentry.models.build import build_method, build_model, initialise_model
from latentry.models.contract import Batch
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks, in_parts, in_turn, normal, sum_over_ranks, together
from latentry.settings.config import Config
from latentry.settings.recipes import find_recipe
from latentry.training.passes import check_passes
from tests.training.families import config_of

# What reads the whole batch is turned off; everything else that a step draws or counts stays on.
EXACT: dict[str, dict[str, Any]] = {
    "autoencoder, noise, masking, dropout": {},
    "vae, batch norm, flips": {"norm": "group"},
    "importance weighted": {},
    "binarised": {},
    "vampprior, batch norm, dropout": {"norm": "group"},
    "conditional vae": {},
    "vq-vae, revival": {},
    "vq-vae, learned codes": {},
    "dcgan, batch norm in both": {"norm": "none", "critic_norm": "group"},
    "wgan-gp, five critic steps": {"norm": "none"},
    "wgan, clipped": {"norm": "none", "critic_norm": "none"},
    "dragan, label noise": {"constraint": "gradient-penalty", "norm": "none"},
    "r3gan": {},
    "pacgan": {"critic_norm": "none", "norm": "none"},
    "sngan": {"norm": "none"},
    "cgan, projection": {"norm": "none", "critic_norm": "none"},
    "cgan, fully connected, dropout": {"norm": "none"},
    "acgan, doubt": {"norm": "none", "critic_norm": "none"},
    "adaptive augmentation, critic dropout": {"norm": "none"},
}


@pytest.fixture
def in_float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a network returns is made float32, whatever it computed in; not here."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def steps(config: Config, n: int = 2, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Everything that is trained or counted after a few steps on the same pictures, and the last step's terms."""
    images = open_config_images(config)
    condition = condition_spec(images.labels, config.condition, images.name)
    told = None if condition is None else torch.from_numpy(condition_vectors(images.labels, condition)).to(dtype)
    x = to_float(torch.from_numpy(np.array(images.images[:200]))).to(dtype)
    model = build_model(config, images.spec, condition)
    rng = torch.Generator().manual_seed(1)
    initialise_model(model, Batch(x[:100], told), rng, std=config.network.init_std)
    method = build_method(config, model, 100, rng)
    if (p := method.module.state_dict().get("augmentation.p")) is not None:
        p.fill_(0.4)
    pictures = config.training.batch * method.batches
    for step in range(n):
        rows = slice(step * pictures, (step + 1) * pictures)
        batch = Batch(x[rows], None if told is None else told[rows])
        terms = method.step(batch, torch.Generator().manual_seed(step), 0.5)
    return {**method.module.state_dict(), **{f"term {name}": value for name, value in terms.items()}}


@pytest.mark.parametrize("family", EXACT)
@pytest.mark.parametrize("size", [4, 8])
def test_passes_do_what_the_whole_batch_does(in_float64: None, family: str, size: int) -> None:
    """Two steps in four or two passes, with all that they draw and count, to the rounding of float64."""
    config = config_of(family).with_settings(**EXACT[family], optimiser="sgd")
    whole, parts = steps(config), steps(config.with_settings(micro_batch=size))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert torch.allclose(parts[name], value, rtol=1e-9, atol=1e-11), name


def test_each_passes_noise_is_its_part_of_the_whole_batches() -> None:
    """Or the passes would learn from one another's noise, and two ranks with passes from other noise than one."""

    def source() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    whole = normal((12, 4), source())
    for rank in range(2):
        for turn in range(3):
            with together(Ranks(rank, 2)), in_turn(turn, 3):
                start = (3 * rank + turn) * 2
                assert torch.equal(normal((2, 4), source()), whole[start : start + 2])
                with in_parts(2):
                    both = torch.cat([whole[:6][3 * rank + turn].unsqueeze(0), whole[6:][3 * rank + turn].unsqueeze(0)])
                    assert torch.equal(normal((2, 4), source()), both)


def test_nothing_can_be_said_of_the_whole_batch_in_one_pass() -> None:
    with in_turn(0, 2), pytest.raises(AssertionError):
        sum_over_ranks(torch.ones(1))


@pytest.mark.parametrize(
    ("recipe", "settings", "said"),
    [
        ("vae", {"micro_batch": 12}, r"micro-batch \(=12\) .* on each device \(=32\); try 8 or 16"),
        ("pacgan", {"micro_batch": 3, "packing": 2, "norm": "none"}, r"into packs of 2; try 2 or 4"),
        ("beta-tcvae", {"micro_batch": 8}, r"in 4 passes, but objective=total-correlation reads all"),
        ("vae", {"micro_batch": 8, "free_bits": 0.1}, r"but free-bits \(=0.1\) reads all"),
        ("wgan-gp", {"micro_batch": 8, "norm": "batch"}, r"but norm=batch reads all .* choose norm=group"),
        ("dcgan", {"micro_batch": 8, "norm": "none", "critic_norm": "batch"}, r"critic-norm=group"),
        ("dcgan", {"micro_batch": 8, "norm": "none", "critic_norm": "none", "constraint": "dragan"}, r"=dragan reads"),
    ],
)
def test_passes_that_would_not_add_up(recipe: str, settings: dict[str, Any], said: str) -> None:
    config = find_recipe(recipe).config.with_settings(batch=32, **settings)
    with pytest.raises(InputError, match=said):
        check_passes(config, OwnNetworks(), Ranks())
    check_passes(config.with_settings(micro_batch=32), OwnNetworks(), Ranks())  # one pass reads all
    check_passes(config.with_settings(micro_batch=None), OwnNetworks(), Ranks())


def test_batch_normalisation_of_the_callers_own() -> None:
    own = OwnNetworks(encoder=nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6)))
    config = find_recipe("vae").config.with_settings(micro_batch=8)
    with pytest.raises(InputError, match="batch normalisation in your encoder reads all"):
        check_passes(config, own, Ranks())


def test_more_devices_need_no_passes() -> None:
    """Of 32 pictures each of four devices has 8."""
    check_passes(find_recipe("beta-tcvae").config.with_settings(batch=32, micro_batch=8), OwnNetworks(), Ranks(0, 4))


def test_a_run_in_passes_ends_where_the_run_in_whole_batches_does(tmp_path: Path) -> None:
    """Through the loop: the log says the same, and the setting is in the run's record."""
    quick: dict[str, Any] = {"mixture_components": 1, "second_stage_steps": 0, "ticks": 2, "device": "cpu"}
    settings: dict[str, Any] = {"data": "digits", "width": 4, "images": "256", "batch": 16, "flip": "no", **quick}
    whole = train("vae", out=tmp_path / "whole", **settings)
    parts = train("vae", out=tmp_path / "parts", **settings, micro_batch=4)
    assert parts.run.read_config().training.micro_batch == 4
    for mine, other in zip(parts.log, whole.log, strict=True):
        assert mine["images"] == other["images"]
        assert mine["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-4)
        assert mine["held_out"]["loss"] == pytest.approx(other["held_out"]["loss"], rel=1e-4)


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 0}])
def test_the_setting(settings: dict[str, Any]) -> None:
    if not settings:
        assert find_recipe("vae").config.training.micro_batch is None
        return
    with pytest.raises(InputError, match=r"micro-batch \(=0\) must be at least 1"):
        find_recipe("vae").config.with_settings(**settings)


def test_a_pass_holds_its_own_activations_only() -> None:
    """What backward needs, counted in bytes, falls with the pass: for a quarter of the batch about a quarter."""
    saved = {}
    for size in (16, 4):
        config = config_of("wgan-gp, five critic steps").with_settings(norm="none", micro_batch=size)
        held = most = 0

        class Held:
            def __init__(self, tensor: Tensor) -> None:
                nonlocal held, most
                self.tensor, self.bytes = tensor.detach(), tensor.nbytes  # with its graph it would hold itself
                held += self.bytes
                most = max(most, held)

            def __del__(self) -> None:
                nonlocal held
                held -= self.bytes

        with torch.autograd.graph.saved_tensors_hooks(Held, lambda kept: kept.tensor):
            steps_of = steps(config, n=1, dtype=torch.float32)
        assert steps_of
        saved[size] = most
    assert saved[4] < 0.4 * saved[16]
