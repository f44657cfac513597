"""Spectral normalisation: what a layer is divided by, and when that is brought up to date."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from latentry.nn import follow_spectra, initialise, normalise_spectrally
from latentry.nn.layers import Conv, Layer, Linear
from latentry.nn.spectral import SpectralNorm


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normalised(layer: Layer, weight: torch.Tensor) -> Layer:
    """The layer with that weight, under spectral normalisation, after as many iterations as it needs."""
    network = nn.Sequential(layer)
    normalise_spectrally(network)
    initialise(network, rng())
    with torch.no_grad():
        layer.own_weight.copy_(weight)
    for _ in range(6):
        follow_spectra(network, first=True)
    return layer


def test_a_layer_is_divided_by_its_largest_singular_value() -> None:
    layer = normalised(Linear(2, 2, gain=1.0), torch.diag(torch.tensor([3.0, 4.0])))
    torch.testing.assert_close(layer.weight, torch.diag(torch.tensor([0.75, 1.0])))
    torch.testing.assert_close(layer.own_weight, torch.diag(torch.tensor([3.0, 4.0])))
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])  # between orthogonal factors, which change no singular value
    layer = normalised(Linear(2, 2, gain=1.0), turn @ torch.diag(torch.tensor([3.0, 4.0])) @ turn)
    torch.testing.assert_close(torch.linalg.svdvals(layer.weight), torch.tensor([1.0, 0.75]))


def test_a_convolution_is_divided_by_that_of_its_weight_as_a_matrix() -> None:
    """Rows are outputs, as in the paper; the convolution itself may stretch a picture more (here 3 times, not 1)."""
    weight = torch.ones(1, 1, 3, 3)
    layer = normalised(Conv(1, 1, gain=1.0, bias=False), weight)
    torch.testing.assert_close(layer.weight, weight / 3)  # |(1, ..., 1)| of nine ones
    torch.testing.assert_close(layer(torch.ones(1, 1, 5, 5))[0, 0, 2, 2], torch.tensor(3.0))
    two = torch.randn(4, 3, 3, 3, generator=rng(1))
    layer = normalised(Conv(3, 4, gain=1.0), two)
    torch.testing.assert_close(
        layer.weight, two / torch.linalg.matrix_norm(two.flatten(1), ord=2), rtol=1e-4, atol=1e-6
    )


def test_only_the_direction_of_a_weight_counts() -> None:
    weight = torch.randn(5, 3, generator=rng(2))
    x = torch.randn(4, 3, generator=rng(3))
    outputs = [normalised(Linear(3, 5, gain=1.0), scale * weight)(x) for scale in (1.0, 1000.0)]
    torch.testing.assert_close(*outputs)
    layer = Linear(3, 5, gain=0.0)  # a block's last layer, which would start as the zero map, and stay 0 / 0
    network = nn.Sequential(layer)
    normalise_spectrally(network)
    initialise(network, rng())
    follow_spectra(network, first=True)
    assert torch.linalg.matrix_norm(layer.weight, ord=2).item() == pytest.approx(1, rel=1e-3)


def test_gradient_has_no_part_along_the_weight() -> None:
    """Eq. 12: the derivative of W / sigma(W), whose product with W is 0, by difference quotients."""
    layer = normalised(Linear(3, 2, gain=1.0, bias=False), torch.randn(2, 3, generator=rng(4)))
    own, x = layer.own_weight, torch.randn(6, 3, generator=rng(5))

    def loss() -> torch.Tensor:
        return (layer(x) ** 3).sum()

    (gradient,) = torch.autograd.grad(loss(), own)
    assert (gradient * own).sum().item() == pytest.approx(0, abs=1e-4)
    step, direction = 1e-2, torch.randn(2, 3, generator=rng(6))
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            own += sign * step * direction
            for _ in range(5):
                follow_spectra(nn.Sequential(layer), first=True)
            values.append(loss().item())
            own -= sign * step * direction
    assert (values[0] - values[1]) / (2 * step) == pytest.approx((gradient * direction).sum().item(), rel=2e-3)


def test_a_pass_changes_nothing_and_an_update_iterates_once() -> None:
    """A resumed run repeats, and two passes of one update (real, generated) see one function."""
    layer = Linear(3, 3, gain=1.0)
    network = nn.Sequential(layer)
    normalise_spectrally(network)
    initialise(network, rng())
    follow_spectra(network, first=True)
    norm = layer.parametrizations["weight"][0]  # type: ignore[index]
    assert isinstance(norm, SpectralNorm)
    u, x = norm.u.clone(), torch.randn(2, 3, generator=rng(1))
    assert torch.equal(network(x), network(x)) and torch.equal(norm.u, u)
    with torch.no_grad():
        layer.own_weight.copy_(torch.diag(torch.tensor([3.0, 2.0, 1.0])))
        norm.u.copy_(torch.tensor([1.0, 1.0, 1.0]) / math.sqrt(3))
    follow_spectra(network)
    torch.testing.assert_close(norm.v, torch.tensor([3.0, 2, 1]) / math.sqrt(14))
    torch.testing.assert_close(norm.u, torch.tensor([9.0, 4, 1]) / math.sqrt(98))


def test_one_iteration_an_update_keeps_up_with_a_weight_that_moves() -> None:
    layer = normalised(Linear(8, 8, gain=1.0), torch.randn(8, 8, generator=rng(7)))
    source = rng(8)
    for _ in range(50):
        with torch.no_grad():
            layer.own_weight.add_(0.01 * torch.randn(8, 8, generator=source))
        follow_spectra(nn.Sequential(layer))
        assert torch.linalg.matrix_norm(layer.weight, ord=2).item() == pytest.approx(1, abs=0.02)


def test_first_vectors_come_from_the_source_given() -> None:
    us = []
    for seed in (0, 0, 1):
        network = nn.Sequential(Linear(3, 4, gain=1.0), nn.ReLU(), Conv(1, 2, gain=1.0))
        normalise_spectrally(network)
        initialise(network, rng(seed))
        assert [parametrize.is_parametrized(layer) for layer in network] == [True, False, True]
        us.append(torch.cat([each.u for each in network.modules() if isinstance(each, SpectralNorm)]))
    assert torch.equal(us[0], us[1]) and not torch.equal(us[0], us[2])
    assert us[0][:4].norm().item() == pytest.approx(1) and us[0][4:].norm().item() == pytest.approx(1)
