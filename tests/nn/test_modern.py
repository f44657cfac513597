"""The modern backbone: its layers against plain definitions, what Fixup promises, and each picture by itself."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.errors import InputError
from latentry.nn import (
    Dropout,
    FromBasis,
    GroupedConv,
    Layer,
    ModernBlock,
    OntoBasis,
    StagePlan,
    Stages,
    Transition,
    build_decoder,
    build_encoder,
    double_bilinear,
    halve_bilinear,
    initialise,
    plan_stages,
)
from latentry.nn.modern import hidden_channels, modern_channels, modern_decoder_stages, modern_encoder_stages
from latentry.settings.network import NetworkSettings
from latentry.settings.specs import ConditionSpec, ImageSpec

SMALL = NetworkSettings(backbone="modern", activation="leaky-relu", width=8, width_max=16, group_width=4)
SIZES = [(32, 32), (28, 28), (16, 24), (48, 64), (7, 16), (2, 3), (1, 1)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


def layers(module: nn.Module) -> list[Layer]:
    return [layer for layer in module.modules() if isinstance(layer, Layer)]


def random_weights(module: nn.Module, seed: int = 0) -> None:
    """Every weight and bias, those that start at zero too, so that no path of the network is closed."""
    source = rng(seed)
    initialise(module, source)
    with torch.no_grad():
        for layer in layers(module):
            layer.weight.add_(torch.randn(layer.weight.shape, generator=source), alpha=0.5 * layer.fan_in**-0.5)
            if layer.bias is not None:
                layer.bias.copy_(torch.randn(layer.bias.shape, generator=source) * 0.2)


def reference_block(block: ModernBlock, x: Tensor, groups: int) -> Tensor:
    """The paper's residual block, its grouped convolution as one convolution for each group."""
    first, second, third = layers(block)
    assert second.bias is not None
    y = F.leaky_relu(F.conv2d(x, first.weight, first.bias), 0.2)
    parts = zip(y.chunk(groups, dim=1), second.weight.chunk(groups), second.bias.chunk(groups), strict=True)
    y = F.leaky_relu(torch.cat([F.conv2d(*part, padding=1) for part in parts], dim=1), 0.2)
    return x + F.conv2d(y, third.weight)


@pytest.mark.parametrize(("group_width", "groups"), [(1, 12), (4, 3), (12, 1), (64, 1)])
def test_block_is_the_papers(group_width: int, groups: int) -> None:
    block = ModernBlock(replace(SMALL, group_width=group_width), 8, depth=3)
    random_weights(block)
    x = normal(2, 8, 5, 6, seed=1)
    y = block(x)
    assert (y - x).abs().mean() > 0.1
    torch.testing.assert_close(y, reference_block(block, x, groups), rtol=1e-6, atol=1e-6)
    assert [layer.bias is not None for layer in layers(block)] == [True, True, False]


def test_groups_do_not_see_one_another() -> None:
    layer = GroupedConv(12, 3, gain=1)
    random_weights(layer)
    x = normal(1, 12, 4, 4, seed=1)
    moved = x.clone()
    moved[:, 4:8] += 1
    change = (layer(moved) - layer(x)).abs().amax(dim=(0, 2, 3))
    assert change[4:8].min() > 0.1
    assert change[[0, 1, 2, 3, 8, 9, 10, 11]].max() == 0
    wide = GroupedConv(96, 24, gain=1)
    initialise(wide, rng())
    assert wide(normal(8, 96, 12, 12))[..., 1:-1, 1:-1].var().item() == pytest.approx(1, rel=0.1)


def test_wide_layer_is_whole_groups() -> None:
    """Channels and groups of the 3x3: expansion times the block's, rounded to groups; one group where it is less."""
    network = NetworkSettings(backbone="modern", expansion=1.5, group_width=16)
    wide = {3: (4, 1), 8: (12, 1), 16: (32, 2), 32: (48, 3), 40: (64, 4), 64: (96, 6)}
    assert {channels: hidden_channels(network, channels) for channels in wide} == wide
    assert hidden_channels(replace(network, expansion=0.1), 3) == (1, 1)
    assert hidden_channels(replace(network, group_width=1), 10) == (15, 15)


def test_every_resolution_has_a_stage() -> None:
    """Also the picture's own: three halvings make four stages, of as many blocks each."""
    network, plan = replace(SMALL, width_max=20, blocks=2), plan_stages(32, 32, 3)
    assert modern_channels(network, plan) == [8, 16, 20, 20]
    encoder, decoder = modern_encoder_stages(network, plan, 3), modern_decoder_stages(network, plan, 3)
    names = [type(layer).__name__ for layer in encoder]
    stage = ["ModernBlock", "ModernBlock"]
    assert names == ["Conv", *stage, *(["Transition", *stage] * 3), "OntoBasis"]
    assert [type(layer).__name__ for layer in decoder] == ["FromBasis", *names[1:-1], "Conv"]
    assert sum(isinstance(layer, nn.Identity) for layer in encoder.modules()) == 1  # 20 to 20 channels needs no weights


@pytest.mark.parametrize("resample", ["down", "up"])
def test_transition_is_the_same_on_either_side(resample: str) -> None:
    """Mixing the channels and resampling commute, so the cheap order is the paper's function, edge included."""
    layer = Transition(6, 4, resample)  # type: ignore[arg-type]
    random_weights(layer)
    x = normal(2, 6, 4, 6, seed=1)
    weight = layer.project.weight
    assert isinstance(weight, Tensor)
    mixed = F.conv2d(x, weight)
    other = halve_bilinear(mixed) if resample == "down" else F.conv2d(double_bilinear(x), weight)
    assert other.std() > 0.05
    torch.testing.assert_close(layer(x), other, rtol=1e-5, atol=1e-6)


def test_bases_are_learned_pictures_one_a_channel() -> None:
    """Onto one: a depthwise convolution without padding. From one: each picture times its channel's number."""
    onto, start = OntoBasis(400, 4, 3), FromBasis(400, 4, 3)
    random_weights(onto)
    initialise(start, rng())
    x, z = normal(2, 400, 4, 3, seed=1), normal(2, 400, 1, 1, seed=2)
    torch.testing.assert_close(onto(x), F.conv2d(x, onto.weight[:, None], groups=400), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(start(z)[1, 7], z[1, 7, 0, 0] * start.weight[7])
    assert start.weight.square().mean().item() == pytest.approx(1, abs=0.05)


def test_every_block_starts_as_the_identity() -> None:
    network = replace(SMALL, blocks=2)
    stages = [f(network, StagePlan(2, 4, 4), 3) for f in (modern_encoder_stages, modern_decoder_stages)]
    blocks = [block for part in stages for block in part if isinstance(block, ModernBlock)]
    assert len(blocks) == 12
    for part in stages:
        initialise(part, rng())
    for block in blocks:
        x = normal(1, layers(block)[0].weight.shape[1], 4, 4)
        assert torch.equal(block(x), x)


def test_first_weights_are_scaled_as_fixup_says() -> None:
    """L^(-1 / (2 m - 2)) for m = 3 layers: one half for 16 blocks; 1.3868 is leaky ReLU's gain."""
    encoder = modern_encoder_stages(replace(SMALL, blocks=4), StagePlan(3, 4, 4), 3)
    blocks = [block for block in encoder if isinstance(block, ModernBlock)]
    assert len(blocks) == 16
    for block in blocks:
        assert [layer.gain for layer in layers(block)] == pytest.approx([0.5, 0.5 * 1.3868, 0])


def smooth_pictures(n: int, height: int, width: int) -> Tensor:
    """Noise at a quarter of the resolution: on pixels that know nothing of each other the blurs would cancel it."""
    return double_bilinear(double_bilinear(normal(n, 3, height // 4, width // 4, seed=3))) * 1.5


def stages_and_input(network: NetworkSettings, which: str) -> tuple[Stages, Tensor]:
    """An encoder's or a decoder's stages with first weights, and an input of variance one."""
    plan = StagePlan(2, 4, 4)
    if which == "encoder":
        stages, x = modern_encoder_stages(network, plan, 3), smooth_pictures(32, 16, 16)
    else:
        stages, x = modern_decoder_stages(network, plan, 3), normal(32, modern_channels(network, plan)[-1], 1, 1)
    initialise(stages, rng(5))
    return stages, x


@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_neither_variance_nor_a_step_of_descent_grows_with_depth(which: str) -> None:
    """Fixup's promise: without its factor, eight blocks a stage would move the output eight times as far as one."""
    variances, moves = [], []
    for blocks in (1, 8):
        stages, x = stages_and_input(replace(SMALL, blocks=blocks, width=32, width_max=64, group_width=16), which)
        before = stages(x)
        last = [layers(block)[-1].weight for block in stages if isinstance(block, ModernBlock)]
        slopes = torch.autograd.grad((before * normal(*before.shape, seed=7).sign()).mean(), last)
        with torch.no_grad():
            for weight, slope in zip(last, slopes, strict=True):
                weight.sub_(slope, alpha=0.1)
        variances.append(before.var().item())
        moves.append((stages(x) - before).square().mean().sqrt().item())
    assert 0.02 < variances[0] < 2
    assert 0.5 < variances[1] / variances[0] < 2
    assert 0.5 < moves[1] / moves[0] < 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_any_size_works_and_every_pixel_is_seen(size: tuple[int, int], channels: int) -> None:
    image = ImageSpec(channels, *size)
    encoder, decoder = build_encoder(SMALL, image, 5), build_decoder(SMALL, 5, image)
    random_weights(encoder, 1)
    random_weights(decoder, 2)
    x = normal(2, *image.shape, seed=3).requires_grad_()
    y = decoder(latents := encoder(x))
    assert (latents.shape, y.shape) == ((2, 5), x.shape)
    assert y.is_contiguous()
    (slope,) = torch.autograd.grad(latents.sum(), x, retain_graph=True)
    assert slope.abs().min() > 0
    assert (y[0] - y[1]).abs().min() > 0
    weights = [*encoder.parameters(), *decoder.parameters()]
    assert all(slope.abs().max() > 0 for slope in torch.autograd.grad(y.square().sum(), weights))


def test_each_picture_is_judged_alone() -> None:
    """A gradient penalty is on each picture's own gradient."""
    encoder = build_encoder(replace(SMALL, blocks=2), ImageSpec(3, 16, 24), 1)
    random_weights(encoder)
    x = normal(3, 3, 16, 24, seed=1).requires_grad_()
    (slope,) = torch.autograd.grad(encoder(x)[1].sum(), x)
    assert slope[1].abs().max() > 1e-3
    assert slope[[0, 2]].abs().max() == 0


@pytest.mark.parametrize("group_width", [1, 4, 64])
def test_second_derivatives_are_those_of_finite_differences(group_width: int) -> None:
    """d/dw of a zero-centred penalty |d score / dx|^2 / 2, along one random direction of all weights."""
    network = replace(SMALL, group_width=group_width, activation="tanh")
    encoder = build_encoder(network, ImageSpec(2, 14, 16), 1).double()
    random_weights(encoder)
    x = normal(2, 2, 14, 16, seed=1).double().requires_grad_()
    weights = list(encoder.parameters())
    direction = [normal(*weight.shape, seed=i).double() * 0.1 for i, weight in enumerate(weights)]

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(encoder(x).sum(), x, create_graph=True)
        return slope.square().sum() / 2

    slopes = torch.autograd.grad(penalty(), weights, allow_unused=True)
    along = sum((a * b).sum().item() for a, b in zip(slopes, direction, strict=True) if a is not None)
    values, step = [], 1e-5
    for sign in (1, -2):
        with torch.no_grad():
            for weight, towards in zip(weights, direction, strict=True):
                weight.add_(towards, alpha=sign * step)
        values.append(penalty().item())
    assert abs(along) > 1e-3
    assert along == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_second_derivatives_are_finite_at_the_start() -> None:
    """Zero branches, flat pictures: nothing is divided by a norm that could be zero."""
    encoder = build_encoder(SMALL, ImageSpec(3, 16, 16), 1)
    initialise(encoder, rng())
    x = torch.zeros(2, 3, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(encoder(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    sizes = [weight.grad.abs().max() for weight in encoder.parameters() if weight.grad is not None]
    assert 0 < torch.stack(sizes).max() < 100  # false for a nan too


def test_condition_is_read_beside_the_input() -> None:
    condition, image = ConditionSpec("class", ("a", "b", "c")), ImageSpec(3, 16, 16)
    encoder, decoder = build_encoder(SMALL, image, 4, condition), build_decoder(SMALL, 4, image, beside=condition)
    random_weights(encoder)
    random_weights(decoder)
    for network, x in ((encoder, normal(1, *image.shape)), (decoder, normal(1, 4))):
        outputs = network(x.expand(3, *x.shape[1:]), torch.eye(3))
        assert all((a - b).abs().mean() > 1e-3 for a, b in pairwise(outputs))


def test_only_the_encoder_drops() -> None:
    network, image = replace(SMALL, dropout=0.5), ImageSpec(3, 16, 16)
    parts = build_encoder(network, image, 4), build_decoder(network, 4, image)
    drops = [sum(isinstance(layer, Dropout) for layer in part.modules()) for part in parts]
    assert drops == [4, 0]  # two activations in each of two blocks


def test_equal_sources_give_equal_weights() -> None:
    plan = StagePlan(1, 4, 4)
    before = torch.get_rng_state()
    networks = []
    for seed in (1, 1, 2):
        networks.append(nn.ModuleList([modern_encoder_stages(SMALL, plan, 3), modern_decoder_stages(SMALL, plan, 3)]))
        assert all(weight.abs().max() == 0 for weight in networks[-1].parameters())
        initialise(networks[-1], rng(seed))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b, other in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(a, b)
        assert a.is_contiguous()
        assert a.abs().max() == 0 or not torch.equal(a, other)


@pytest.mark.parametrize(
    ("name", "value", "allowed"), [("norm", "batch", "none for backbone=modern"), ("expansion", 0, "above 0")]
)
def test_settings_that_cannot_be_built_are_refused(name: str, value: object, allowed: str) -> None:
    with pytest.raises(InputError, match=rf"{name} \(={value}\) must be {allowed}"):
        replace(SMALL, **{name: value})  # type: ignore[arg-type]
