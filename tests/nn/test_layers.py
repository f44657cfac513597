"""Layers that are computed otherwise than they are defined: the same function, with the same derivatives."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.nn.conditioning import FlatBatchNorm
from latentry.nn.layers import Dropout, FeatureMajor, use_rng
from latentry.nn.processor import conv_to_one, flatten


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same_with_two_derivatives(ours: Tensor, theirs: Tensor, wanted: list[Tensor]) -> list[Tensor]:
    """Two forms of one function, by first derivatives of all that is wanted and second ones of the first two; ours."""
    found, firsts = [], []
    for y in (ours, theirs):
        first = torch.autograd.grad((y**3).sum(), wanted, create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), wanted[:2])
        found.append([y, *first, *second])
        firsts.append(list(first))
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other)
    return firsts[0]


def by_feature(x: Tensor) -> Tensor:
    """The same [B, F], in the memory order that `FeatureMajor` leaves."""
    return x.t().contiguous().t()


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (7, 5)])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_conv_to_one_is_the_convolution(
    size: tuple[int, int], kernel: int, has_bias: bool, layout: torch.memory_format
) -> None:
    x = normal(2, 3, *size, seed=0).contiguous(memory_format=layout).requires_grad_()
    weight = normal(1, 3, kernel, kernel, seed=1).requires_grad_()
    bias = normal(1, seed=2).requires_grad_() if has_bias else None
    wanted = [x, weight] if bias is None else [x, weight, bias]
    same_with_two_derivatives(conv_to_one(x, weight, bias), F.conv2d(x, weight, bias, padding=kernel // 2), wanted)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("layout", [torch.clone, by_feature])
def test_a_feature_major_layer_is_linear_and_only_lies_otherwise(
    has_bias: bool, layout: Callable[[Tensor], Tensor]
) -> None:
    layer = FeatureMajor(3, 5, gain=1.0, bias=has_bias).double()
    layer.initialise(torch.Generator().manual_seed(1))
    x = layout(normal(4, 3, seed=0)).requires_grad_()
    y = layer(x)
    assert y.t().is_contiguous()
    _, for_weight, *_ = same_with_two_derivatives(y, F.linear(x, layer.weight, layer.bias), [x, *layer.parameters()])
    assert for_weight.is_contiguous(), "the weight's gradient has the weight's order, or an optimiser copies it"


def test_flat_batch_norm_is_batch_norm_in_either_memory_order() -> None:
    x, results = 1 + 2 * normal(6, 3, seed=0), []
    for norm, layout in (
        (nn.BatchNorm1d(3), torch.clone),
        (FlatBatchNorm(3), torch.clone),
        (FlatBatchNorm(3), by_feature),
    ):
        norm = norm.double()
        laid = layout(x).requires_grad_()
        y = norm(laid)
        gradients = torch.autograd.grad((y**3).sum(), [laid, *norm.parameters()])
        results.append([y, *gradients, norm.running_mean, norm.running_var, norm.eval()(laid)])
        assert y.stride() == laid.stride()
    for ours in results[1:]:
        for mine, torchs in zip(ours, results[0], strict=True):
            torch.testing.assert_close(mine, torchs)


@pytest.mark.parametrize("layout", [torch.clone, by_feature])
def test_dropout_keeps_its_share_and_the_mean_in_either_memory_order(layout: Callable[[Tensor], Tensor]) -> None:
    use_rng(torch.Generator().manual_seed(0))
    y = Dropout(0.25)(layout(torch.ones(400, 50)))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (y > 0).double().mean().item() == pytest.approx(0.75, abs=0.01)
    assert (y > 0).double().mean(dim=0).std().item() < 0.04, "every feature alike: 0.022 is expected"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_flattening_is_flattening_and_its_gradient_lies_as_the_picture_does(layout: torch.memory_format) -> None:
    x = normal(2, 3, 4, 5, seed=0).contiguous(memory_format=layout).requires_grad_()
    weight = normal(60, 2, seed=1)
    torch.testing.assert_close(flatten(x), x.flatten(1))
    (for_x,) = same_with_two_derivatives(flatten(x) @ weight, x.flatten(1) @ weight, [x])
    assert for_x.is_contiguous(memory_format=layout)
    flat = normal(2, 3, seed=0)
    assert flatten(flat) is flat
