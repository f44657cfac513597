"""Doubling and halving: the fast forms against the definitions, and what each layer does at init and at the edge."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.errors import InputError
from latentry.nn import (
    AverageDown,
    BilinearDown,
    BilinearUp,
    Layer,
    NearestUp,
    ShuffleUp,
    StridedDown,
    TransposedUp,
    UnshuffleDown,
    double_bilinear,
    double_nearest,
    halve_average,
    halve_bilinear,
    resampling,
)
from latentry.settings.network import NetworkSettings

SIZES_UP = [(1, 1), (1, 2), (3, 5), (4, 4), (6, 7)]
SIZES_DOWN = [(2, 2), (3, 2), (3, 5), (4, 4), (7, 6)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


def pair(layer_class: type[NearestUp] | type[AverageDown]) -> tuple[Layer, Layer]:
    """The layer computed fast and by its definition, with the same random weight and bias, in float64."""
    fast = layer_class(3, 5, gain=1, fast=True).double()
    plain = layer_class(3, 5, gain=1, fast=False).double()
    with torch.no_grad():
        for layer in (fast, plain):
            layer.weight.copy_(normal(5, 3, 3, 3, seed=1))
            assert layer.bias is not None
            layer.bias.copy_(normal(5, seed=2))
    return fast, plain


def derivatives(layer: Layer, x: Tensor) -> list[Tensor]:
    """Value, gradients for input, weight and bias, and gradients of a penalty on those gradients (second order)."""
    assert layer.bias is not None
    wanted = [x, layer.weight, layer.bias]
    y = layer(x)
    first = torch.autograd.grad((y**3 * normal(*y.shape, seed=3)).sum(), wanted, create_graph=True)
    penalty = sum(((g * normal(*g.shape, seed=4)) ** 2).sum() for g in first)
    assert isinstance(penalty, Tensor)
    return [y, *first, *torch.autograd.grad(penalty, wanted)]


@pytest.mark.parametrize(
    ("layer_class", "size"),
    [(NearestUp, size) for size in SIZES_UP] + [(AverageDown, size) for size in SIZES_DOWN],
)
def test_fast_form_is_the_definition_in_value_and_two_derivatives(
    layer_class: type[NearestUp] | type[AverageDown], size: tuple[int, int]
) -> None:
    x = normal(2, 3, *size).requires_grad_()
    for fast, plain in zip(*(derivatives(layer, x) for layer in pair(layer_class)), strict=True):
        assert plain.abs().max() > 0.1
        torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer_class", [NearestUp, AverageDown])
def test_fast_form_passes_numeric_gradient_check(layer_class: type[NearestUp] | type[AverageDown]) -> None:
    layer, _ = pair(layer_class)
    x = normal(1, 3, 2, 3).requires_grad_()
    torch.autograd.gradcheck(layer, (x,))
    torch.autograd.gradgradcheck(layer, (x,))


def test_transposed_convolution_puts_zeros_between_the_pixels() -> None:
    """Kernel 3, 4, 5: the sizes double, and the values are those of a convolution over the spread-out picture."""
    x = normal(2, 3, 4, 5)
    for kernel in (3, 4, 5):
        layer = TransposedUp(3, 2, kernel=kernel, gain=1).double()
        layer.initialise(rng())
        spread = torch.zeros(2, 3, 8, 10, dtype=torch.float64)
        spread[:, :, ::2, ::2] = x
        before, after = kernel - 1 - layer.padding, layer.padding
        padded = F.pad(spread, (before, after, before, after))
        torch.testing.assert_close(layer(x), F.conv2d(padded, layer.weight.flip(2, 3), layer.bias))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 5)])
def test_blur_is_a_quarter_of_the_adjoint_of_bilinear_doubling(size: tuple[int, int]) -> None:
    """<double(x), y> = 4 <x, halve(y)>, the edge included."""
    height, width = size
    x, y = normal(2, 3, height, width, seed=1), normal(2, 3, 2 * height, 2 * width, seed=2)
    torch.testing.assert_close((double_bilinear(x) * y).sum(), 4 * (x * halve_bilinear(y)).sum())
    torch.testing.assert_close((double_nearest(x) * y).sum(), 4 * (x * halve_average(y)).sum())


def test_bilinear_doubling_keeps_a_ramp_and_halving_gives_it_back() -> None:
    """A linear ramp stays linear away from the edge: pixel centres do not move."""
    ramp = torch.arange(8, dtype=torch.float64).expand(1, 1, 8, 8)
    doubled = double_bilinear(ramp)
    torch.testing.assert_close(doubled[0, 0, 0, 1:-1], torch.arange(14, dtype=torch.float64) / 2 + 0.25)
    torch.testing.assert_close(halve_bilinear(doubled)[..., 1:-1, 1:-1], ramp[..., 1:-1, 1:-1])


@pytest.mark.parametrize("layer_class", [TransposedUp, NearestUp, BilinearUp, ShuffleUp])
@pytest.mark.parametrize("size", SIZES_UP)
def test_every_upsampling_doubles_any_size(layer_class: Callable[..., Layer], size: tuple[int, int]) -> None:
    layer = layer_class(3, 2, gain=1)
    layer.initialise(rng())
    assert layer(torch.ones(2, 3, *size)).shape == (2, 2, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("layer_class", [StridedDown, AverageDown, BilinearDown, UnshuffleDown])
@pytest.mark.parametrize("size", [(2, 2), (4, 6)])
def test_every_downsampling_halves_any_even_size(layer_class: Callable[..., Layer], size: tuple[int, int]) -> None:
    layer = layer_class(3, 2, gain=1)
    layer.initialise(rng())
    assert layer(torch.ones(2, 3, *size)).shape == (2, 2, size[0] // 2, size[1] // 2)


def test_strided_convolution_halves_with_every_kernel() -> None:
    for kernel in (3, 4, 5):
        assert StridedDown(1, 1, kernel=kernel, gain=1)(torch.ones(1, 1, 6, 4)).shape == (1, 1, 3, 2)


def test_pixel_shuffle_starts_without_a_checkerboard() -> None:
    """ICNR: at first it is a convolution with nearest-neighbour doubling behind it."""
    layer = ShuffleUp(3, 2, gain=1)
    layer.initialise(rng())
    y = layer(torch.randn(2, 3, 4, 4, generator=rng(1)))
    torch.testing.assert_close(y, double_nearest(y[..., ::2, ::2]))
    assert y.std() > 0.5


@pytest.mark.parametrize(
    ("layer_class", "size"),
    [(TransposedUp, 16), (NearestUp, 16), (ShuffleUp, 16), (StridedDown, 32), (UnshuffleDown, 32)],
)
def test_initial_weights_keep_the_variance(layer_class: Callable[..., Layer], size: int) -> None:
    """Independent inputs of variance one give outputs of variance gain squared; a wrong fan-in would not."""
    layer = layer_class(16, 64, gain=1.5)
    layer.initialise(rng())
    y = layer(torch.randn(8, 16, size, size, generator=rng(1)))[..., 2:-2, 2:-2]
    assert y.var().item() == pytest.approx(1.5**2, rel=0.06)


def test_settings_refuse_a_kernel_that_does_not_double_the_size() -> None:
    with pytest.raises(InputError, match=r"kernel \(=2\) must be 3, 4 or 5"):
        NetworkSettings(kernel=2)


@pytest.mark.parametrize(("channels", "size"), [(512, (4, 4)), (512, (1, 3)), (511, (4, 4)), (512, (4, 5))])
@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("tiles", [True, False])
def test_few_pixels_of_many_channels_are_doubled_by_definition(
    channels: int, size: tuple[int, int], kernel: int, tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a product on a processor with tiles, and as a convolution where there are fewer channels or more pixels."""
    monkeypatch.setattr(resampling, "has_tiles", lambda: tiles)
    layer = drawn(TransposedUp(channels, 5, kernel=kernel, gain=1))
    x = normal(2, channels, *size).requires_grad_()
    plain = F.conv_transpose2d(
        x, layer.weight.transpose(0, 1), layer.bias, 2, padding=(kernel - 1) // 2, output_padding=kernel % 2
    )
    same_with_gradients(layer, layer(x), plain, x)


@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
@pytest.mark.parametrize("outputs", [1, 3, 4, 5])
@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_doubling_to_few_outputs_is_by_definition(size: tuple[int, int], outputs: int, kernel: int) -> None:
    layer = drawn(TransposedUp(6, outputs, kernel=kernel, gain=1))
    x = normal(2, 6, *size).requires_grad_()
    plain = F.conv_transpose2d(
        x, layer.weight.transpose(0, 1), layer.bias, 2, padding=(kernel - 1) // 2, output_padding=kernel % 2
    )
    same_with_gradients(layer, layer(x), plain, x)


def test_doubling_to_few_outputs_is_exported_as_what_it_is_called() -> None:
    exported = torch.export.export(TransposedUp(6, 3, gain=1), (normal(2, 6, 4, 4).float(),))
    operations = {str(node.target).partition(".")[2] for node in exported.graph.nodes if node.op == "call_function"}
    assert "conv_transpose2d.input" in operations and not any("slice" in name for name in operations)


@pytest.mark.parametrize(
    ("channels", "size"), [(256, (8, 8)), (256, (7, 2)), (255, (8, 8)), (256, (9, 9)), (2, (2, 2)), (2, (2, 3))]
)
@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("tiles", [True, False])
def test_few_pixels_of_many_channels_are_halved_by_definition(
    channels: int, size: tuple[int, int], kernel: int, tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one place of the kernel is a product with what of it lies within the picture."""
    monkeypatch.setattr(resampling, "has_tiles", lambda: tiles)
    layer = drawn(StridedDown(channels, 3, kernel=kernel, gain=1))
    x = normal(2, channels, *size).requires_grad_()
    plain = F.conv2d(x, layer.weight, layer.bias, 2, padding=(kernel - 1) // 2)
    same_with_gradients(layer, layer(x), plain, x)


def drawn(layer: Layer) -> Layer:
    """The layer in float64, with random weights and biases."""
    layer = layer.double()
    assert layer.bias is not None
    layer.weight.data.copy_(normal(*layer.weight.shape, seed=1))
    layer.bias.data.copy_(normal(*layer.bias.shape, seed=2))
    return layer


def same_with_gradients(layer: Layer, y: Tensor, plain: Tensor, x: Tensor) -> None:
    """Value, and gradients of input, weight and bias, and of a penalty on the input's."""
    assert layer.bias is not None
    wanted = [x, layer.weight, layer.bias]
    found = []
    for each in (y, plain):
        first = torch.autograd.grad((each**3).sum(), wanted, create_graph=True)
        found.append([each, *first, *torch.autograd.grad(first[0].square().sum(), wanted[:2])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * float(theirs.detach().abs().max()))
