"""How a network is told: beside its first input, or in its normalisations; each against the plain layer."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.errors import InputError
from latentry.nn import build_decoder, build_features, initialise
from latentry.nn.conditioning import (
    Concatenated,
    ConditionalNorm,
    Stages,
    norm_and_activation,
    norm_layer,
    tell_first_layer,
)
from latentry.nn.layers import Conv, Linear
from latentry.nn.twice import Rectifier
from latentry.settings.condition import ConditionSettings
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.network import Backbone, NetworkSettings, Norm
from latentry.settings.specs import ConditionSpec, ImageSpec

CLASSES = ConditionSpec("class", tuple("abcde"))
ATTRIBUTES = ConditionSpec("attributes", ("hat", "smile", "glasses"))
IMAGE = ImageSpec(3, 8, 8)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vectors(condition: ConditionSpec, n: int) -> Tensor:
    """Condition vectors as data have them."""
    drawn = torch.randint(condition.size, (n,), generator=rng(1))
    if condition.kind == "class":
        return torch.eye(condition.size)[drawn]
    return 2.0 * torch.randint(2, (n, condition.size), generator=rng(1)) - 1


def test_concatenation_is_a_linear_map_of_both_side_by_side() -> None:
    layer = Concatenated(Linear(4, 3, gain=1.0), CLASSES)
    for weight in layer.parameters():
        nn.init.normal_(weight, generator=rng())
    x, told = torch.randn(6, 4, generator=rng(2)), vectors(CLASSES, 6)
    both = torch.cat([layer.layer.weight, layer.told.weight], dim=1)
    torch.testing.assert_close(layer(x, told), F.linear(torch.cat([x, told], dim=1), both, layer.layer.bias))


def test_beside_a_picture_the_condition_stands_at_every_pixel_and_beyond_the_edge() -> None:
    """A convolution of the picture and of planes of the condition that are padded with themselves, not with zeros."""
    layer = Concatenated(Conv(2, 3, gain=1.0), CLASSES)
    for weight in layer.parameters():
        nn.init.normal_(weight, generator=rng())
    x, told = torch.randn(4, 2, 5, 6, generator=rng(2)), vectors(CLASSES, 4)
    planes = F.pad(told.view(4, 5, 1, 1).expand(4, 5, 5, 6), (1, 1, 1, 1), mode="replicate")
    kernel = (layer.told.weight / 9).view(3, 5, 1, 1).expand(3, 5, 3, 3)
    torch.testing.assert_close(layer(x, told), layer.layer(x) + F.conv2d(planes, kernel))


@pytest.mark.parametrize("condition", [CLASSES, ATTRIBUTES])
def test_what_is_added_starts_with_variance_one(condition: ConditionSpec) -> None:
    """Neither drowned by the input nor drowning it, however many names there are."""
    layer = Concatenated(Linear(4, 20_000, gain=1.0), condition)
    initialise(layer, rng())
    added = layer(torch.zeros(8, 4), vectors(condition, 8))
    assert added.square().mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_conditional_norm_starts_as_the_plain_one_and_then_has_gain_and_shift_by_class(norm: Norm) -> None:
    layer, plain = ConditionalNorm(norm_layer(norm, 4), 4, CLASSES), norm_layer(norm, 4)
    initialise(layer, rng())
    x, told = torch.randn(6, 4, 3, 3, generator=rng(3)), vectors(CLASSES, 6)
    torch.testing.assert_close(layer(x, told), plain(x))
    with torch.no_grad():
        layer.told.weight.copy_(torch.arange(40.0).view(8, 5) / 10)  # rows: four gains, four shifts; columns: classes
    which = told.argmax(dim=1)
    for i in range(6):
        k = int(which[i])
        gain = 1 + (5 * torch.arange(4.0) + k) / 10
        shift = 2 + (5 * torch.arange(4.0) + k) / 10
        expected = plain(x)[i] * gain.view(4, 1, 1) + shift.view(4, 1, 1)
        torch.testing.assert_close(layer(x, told)[i], expected)


def test_conditional_norm_of_numbers_without_pixels() -> None:
    layer = ConditionalNorm(norm_layer("batch", 4, flat=True), 4, CLASSES)
    with torch.no_grad():
        layer.told.weight[4:] = 3.0
    x = torch.randn(6, 4, generator=rng(3))
    torch.testing.assert_close(layer(x, vectors(CLASSES, 6)).mean(dim=0), torch.full((4,), 3.0), atol=1e-5, rtol=0)


def test_only_normalisations_read_the_condition() -> None:
    told = norm_and_activation("batch", "relu", 4, condition=CLASSES)
    assert isinstance(told[0], ConditionalNorm) and isinstance(told[1], Rectifier)
    assert [type(layer) for layer in norm_and_activation("none", "relu", 4, condition=CLASSES)] == [Rectifier]


def test_first_layer_is_told_and_no_other() -> None:
    stages = Stages(nn.Flatten(), Linear(4, 3, gain=1.0), nn.ReLU(), Linear(3, 2, gain=1.0))
    tell_first_layer(stages, CLASSES)
    assert [type(layer) for layer in stages] == [nn.Flatten, Concatenated, nn.ReLU, Linear]


@pytest.mark.parametrize(
    ("backbone", "how"),
    [
        *[(backbone, "beside") for backbone in ("mlp", "conv", "residual", "modern")],
        *[(backbone, "in_norms") for backbone in ("mlp", "conv", "residual")],
    ],
)
def test_every_decoder_and_every_critic_hears(backbone: Backbone, how: str) -> None:
    """The same latent, the same picture: only the condition differs, and so does what comes out."""
    norm: Norm = "none" if how == "beside" else "group"
    network = NetworkSettings(backbone=backbone, width=4, base=4, hidden=(6, 5), norm=norm)
    told = torch.eye(5)[[0, 1]]
    decoder = build_decoder(network, 3, IMAGE, **{how: CLASSES})  # type: ignore[arg-type]
    features = build_features(network, IMAGE, CLASSES)
    for each in (decoder, features):
        for weight in each.parameters():
            nn.init.normal_(weight, std=0.5, generator=rng(4))
    z, x = torch.randn(1, 3, generator=rng(5)).expand(2, 3), torch.rand(1, *IMAGE.shape, generator=rng(6))
    picture = decoder(z, told)
    assert (picture[0] - picture[1]).abs().max() > 1e-3
    seen = features(x.expand(2, -1, -1, -1), told).flatten(1)
    assert (seen[0] - seen[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    "network", [{"norm": "none"}, {"backbone": "modern"}, {"backbone": "mlp", "hidden": (), "norm": "batch"}]
)
def test_norms_that_are_not_there_cannot_be_told(network: dict[str, Any]) -> None:
    """Else the generator would be told nothing, silently."""
    told = ConditionSettings(condition="class", condition_by="norm")
    with pytest.raises(InputError, match="condition-by=norm"):
        Config("x", GANSettings(), network=NetworkSettings(**network), condition=told)
