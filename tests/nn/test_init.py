"""First weights come from the given source of randomness and from nothing else."""

import itertools

import pytest
import torch
from torch import nn

from latentry.nn import build_decoder, build_encoder, initialise
from latentry.settings.network import Backbone, NetworkSettings, Norm
from latentry.settings.specs import ImageSpec

IMAGE = ImageSpec(3, 8, 8)
CASES = list(itertools.product(("mlp", "conv", "residual"), ("none", "batch", "group")))


def built(backbone: Backbone, norm: Norm, seed: int) -> nn.Module:
    network = NetworkSettings(backbone=backbone, norm=norm, width=8, hidden=(9,))
    module = nn.ModuleList([build_encoder(network, IMAGE, 4), build_decoder(network, 4, IMAGE)])
    initialise(module, torch.Generator().manual_seed(seed))
    return module


@pytest.mark.parametrize(("backbone", "norm"), CASES)
def test_global_random_state_is_neither_changed_nor_read(backbone: Backbone, norm: Norm) -> None:
    before = torch.get_rng_state()
    first = built(backbone, norm, 7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        second = built(backbone, norm, 7).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights() -> None:
    first, second = (built("conv", "none", seed).state_dict() for seed in (1, 2))
    assert all(not torch.equal(first[name], second[name]) for name in first if name.endswith("weight"))


def test_no_two_layers_get_the_same_numbers() -> None:
    """A generator restarted for each layer would correlate them."""
    weights = [weight for weight in built("conv", "none", 3).parameters() if weight.dim() > 1]
    starts = {round((weight.flatten()[0] / weight.std()).item(), 4) for weight in weights}
    assert len(starts) == len(weights)


def test_precision_does_not_change_the_draw() -> None:
    network = NetworkSettings(width=8)
    single, double = build_encoder(network, IMAGE, 4), build_encoder(network, IMAGE, 4).double()
    for module in (single, double):
        initialise(module, torch.Generator().manual_seed(5))
    for a, b in zip(single.parameters(), double.parameters(), strict=True):
        assert torch.equal(a, b.float())


def test_initialising_again_forgets_running_statistics_and_keeps_what_is_not_a_layer() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.log_sigma = nn.Parameter(torch.tensor(-0.7))
            self.encoder = build_encoder(NetworkSettings(width=8, norm="batch"), IMAGE, 4)

    model = Model()
    rng = torch.Generator().manual_seed(1)
    initialise(model, rng)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    model.encoder(torch.randn(4, *IMAGE.shape, generator=rng))
    assert any(not torch.equal(first[name], value) for name, value in model.state_dict().items())
    initialise(model, torch.Generator().manual_seed(1))
    assert all(torch.equal(first[name], value) for name, value in model.state_dict().items())
    assert model.log_sigma.item() == pytest.approx(-0.7)


def test_parameters_are_stored_in_the_default_layout() -> None:
    """safetensors refuses tensors that are not contiguous."""
    assert all(value.is_contiguous() for value in built("residual", "batch", 1).state_dict().values())
