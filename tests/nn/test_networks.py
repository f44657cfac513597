"""Encoders and decoders: every combination runs at any size, and each does what its settings say."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.nn import Conv, Layer, Linear, ResidualBlock, build_decoder, build_encoder, initialise
from latentry.nn.layers import n_groups
from latentry.settings.network import Activation, Backbone, Downsampling, NetworkSettings, Norm, Upsampling
from latentry.settings.specs import ImageSpec

BACKBONES: tuple[Backbone, ...] = ("mlp", "conv", "residual")
RESAMPLINGS: tuple[tuple[Downsampling, Upsampling], ...] = (
    ("strided", "transposed"),
    ("average", "nearest"),
    ("bilinear", "bilinear"),
    ("pixel-unshuffle", "pixel-shuffle"),
)
NORMS: tuple[Norm, ...] = ("none", "batch", "group")
SMALL = NetworkSettings(width=8, width_max=16, hidden=(12, 10))
FACE = ImageSpec(3, 16, 24)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(network: NetworkSettings, image: ImageSpec, latent: int = 6) -> tuple[nn.Module, nn.Module]:
    encoder, decoder = build_encoder(network, image, latent), build_decoder(network, latent, image)
    initialise(encoder, rng(1))
    initialise(decoder, rng(2))
    return encoder, decoder


def pictures(n: int, image: ImageSpec) -> Tensor:
    return torch.rand(n, *image.shape, generator=rng(3)) * 2 - 1


@pytest.mark.parametrize(("backbone", "resampling", "norm"), list(itertools.product(BACKBONES, RESAMPLINGS, NORMS)))
def test_every_combination_uses_its_input_and_trains_every_weight(
    backbone: Backbone, resampling: tuple[Downsampling, Upsampling], norm: Norm
) -> None:
    down, up = resampling
    network = replace(SMALL, backbone=backbone, downsampling=down, upsampling=up, norm=norm)
    encoder, decoder = build(network, FACE)
    x = pictures(4, FACE)
    latents = encoder(x)
    output = decoder(latents)
    assert latents.shape == (4, 6)
    assert output.shape == x.shape
    assert output.is_contiguous()
    assert (latents[0] - latents[1]).abs().max() > 1e-3
    assert (output[0] - output[1]).abs().max() > 1e-4
    # The branch of a residual block starts at zero, which blocks the gradient to its first layers; so step off it.
    with torch.no_grad():
        for block in (b for b in [*encoder.modules(), *decoder.modules()] if isinstance(b, ResidualBlock)):
            for layer in block.branch.modules():
                if isinstance(layer, Layer):
                    layer.weight.add_(torch.randn(layer.weight.shape, generator=rng(4)), alpha=0.1)
    (decoder(encoder(x)) - x).square().sum().backward()
    for name, weight in [*encoder.named_parameters(), *decoder.named_parameters()]:
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize(("backbone", "stages"), list(itertools.product(("conv", "residual"), (None, 0))))
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_tiny_pictures_work(backbone: Backbone, stages: int | None, size: tuple[int, int]) -> None:
    image = ImageSpec(2, *size)
    encoder, decoder = build(replace(SMALL, backbone=backbone, stages=stages), image)
    x = pictures(2, image)
    assert decoder(encoder(x)).shape == x.shape


@pytest.mark.parametrize("norm", NORMS)
def test_mlp_takes_any_size(norm: Norm) -> None:
    image = ImageSpec(4, 37, 1)
    encoder, decoder = build(replace(SMALL, backbone="mlp", norm=norm), image)
    x = pictures(3, image)
    assert decoder(encoder(x)).shape == x.shape


def test_mlp_decoder_has_the_hidden_layers_in_reverse() -> None:
    network = NetworkSettings(backbone="mlp", hidden=(12, 10))
    encoder, decoder = build(network, ImageSpec(1, 4, 4))
    assert [m.weight.shape for m in encoder.modules() if isinstance(m, Linear)] == [(12, 16), (10, 12), (6, 10)]
    assert [m.weight.shape for m in decoder.modules() if isinstance(m, Linear)] == [(10, 6), (12, 10), (16, 12)]


def test_mlp_without_hidden_layers_is_linear() -> None:
    """The probabilistic-PCA test of the trainer rests on this."""
    encoder, _ = build(NetworkSettings(backbone="mlp", hidden=()), FACE)
    x, y = pictures(2, FACE)[:, None]
    torch.testing.assert_close(encoder(x + 2 * y), encoder(x) + 2 * encoder(y))


def weight_shapes(module: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(layer.weight.shape) for layer in module.modules() if isinstance(layer, Layer)]


def test_conv_widths_double_up_to_the_cap_and_are_mirrored() -> None:
    network = NetworkSettings(width=8, width_max=20, stages=3, upsampling="nearest")
    encoder, decoder = build(network, ImageSpec(3, 32, 32))
    assert weight_shapes(encoder) == [(8, 3, 4, 4), (16, 8, 4, 4), (20, 16, 4, 4), (6, 20 * 4 * 4)]
    assert weight_shapes(decoder) == [(20 * 4 * 4, 6), (16, 20, 3, 3), (8, 16, 3, 3), (3, 8, 3, 3)]


def test_last_layer_convolution_gives_the_layers_of_fosters_decoder() -> None:
    """Foster's Fashion-MNIST VAE: 128, 64, 32 channels at 8, 16, 32 pixels, then a 3x3 convolution to the picture."""
    network = NetworkSettings(width_max=128, stages=3, kernel=3, upsampling="transposed", last_layer="convolution")
    decoder = build_decoder(network, 2, ImageSpec(1, 32, 32))
    assert weight_shapes(decoder) == [
        (128 * 4 * 4, 2),
        (128, 128, 3, 3),
        (64, 128, 3, 3),
        (32, 64, 3, 3),
        (1, 32, 3, 3),
    ]
    assert decoder(torch.zeros(1, 2)).shape == (1, 1, 32, 32)


def test_blocks_are_counted_per_stage() -> None:
    for blocks in (1, 3):
        encoder, decoder = build(replace(SMALL, backbone="residual", stages=3, blocks=blocks), ImageSpec(3, 32, 32))
        for network in (encoder, decoder):
            assert sum(isinstance(module, ResidualBlock) for module in network.modules()) == 3 * blocks


def test_decoder_makes_as_many_channels_as_asked() -> None:
    for backbone in BACKBONES:
        decoder = build_decoder(replace(SMALL, backbone=backbone), 6, FACE, channels=5)
        assert decoder(torch.zeros(2, 6)).shape == (2, 5, FACE.height, FACE.width)


def test_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(InputError, match="try 36 or 40, or backbone=mlp"):
        build_encoder(NetworkSettings(), ImageSpec(3, 37, 37), 8)
    with pytest.raises(InputError, match="try 28 or 32"):
        build_decoder(NetworkSettings(stages=2), 8, ImageSpec(3, 30, 30))


def test_groups_divide_the_channels() -> None:
    for channels in range(1, 300):
        groups = n_groups(channels)
        assert channels % groups == 0
        assert groups == 1 or channels // groups >= 4
    assert [n_groups(channels) for channels in (1, 4, 8, 32, 128, 256)] == [1, 1, 2, 8, 32, 32]


def test_group_norm_sees_each_picture_alone() -> None:
    encoder, _ = build(replace(SMALL, norm="group"), FACE)
    x = pictures(3, FACE)
    torch.testing.assert_close(encoder(x)[:1], encoder(x[:1]))


@pytest.mark.parametrize("resample", ["none", "down", "up"])
@pytest.mark.parametrize("channels", [(8, 8), (8, 12)])
def test_residual_block_starts_as_its_skip_path(resample: str, channels: tuple[int, int]) -> None:
    """With a zero branch, equal channels pass unchanged, but for the resampling."""
    block = ResidualBlock(SMALL, *channels, resample)  # type: ignore[arg-type]
    initialise(block, rng())
    x = torch.randn(2, channels[0], 4, 4, generator=rng(1))
    skip = block.project(x)
    if resample == "down":
        skip = skip.unflatten(3, (2, 2)).unflatten(2, (2, 2)).mean(dim=(3, 5))
    if resample == "up":
        skip = skip.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(block(x), skip)


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "silu", "tanh"])
def test_variance_neither_vanishes_nor_explodes_with_depth(activation: Activation) -> None:
    """Ten layers, each with the gain of the activation before it."""
    network = NetworkSettings(backbone="mlp", hidden=(400,) * 10, activation=activation)
    encoder = build_encoder(network, ImageSpec(1, 20, 20), 400)
    initialise(encoder, rng())
    hidden = encoder.features(torch.randn(64, 1, 20, 20, generator=rng(1)))
    assert 0.1 < hidden.square().mean().item() < 3


def test_weights_are_zero_until_initialised() -> None:
    """So that a forgotten `initialise` shows at once, and building draws no random number."""
    assert all(weight.abs().max() == 0 for weight in build_encoder(SMALL, FACE, 4).parameters())
    assert Conv(2, 2, gain=1).weight.abs().max() == 0
