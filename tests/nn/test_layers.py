"""Layers that are computed otherwise than they are defined: the same function, with the same derivatives."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.nn.layers import Rectifier, conv_to_one, differentiated_twice


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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
    found = []
    for y in (conv_to_one(x, weight, bias), F.conv2d(x, weight, bias, padding=kernel // 2)):
        first = torch.autograd.grad((y**3).sum(), wanted, create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), wanted[:2])
        found.append([y, *first, *second])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("leak", [0.0, 0.2])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_penalty_on_the_slope_has_the_same_gradient_where_a_network_is_differentiated_twice(
    leak: float, in_place: bool
) -> None:
    """Of a rectifier's slope nothing is left to differentiate; all else of the penalty is the same to the last bit."""
    x, first, second = normal(6, 3, seed=0).requires_grad_(), normal(5, 3, seed=1), normal(1, 5, seed=2)
    weights = [first.requires_grad_(), second.requires_grad_()]
    rectifier = Rectifier(leak, in_place)

    def penalty() -> Tensor:
        score = F.linear(rectifier(F.linear(x, weights[0])), weights[1])
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        return (slope.norm(dim=1) - 1).square().sum() + score.square().sum()

    plain = penalty()
    with differentiated_twice():
        twice = penalty()
    assert torch.equal(plain, twice)
    for ours, theirs in zip(torch.autograd.grad(twice, weights), torch.autograd.grad(plain, weights), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_rectifier_is_relu_and_leaky_relu() -> None:
    x = torch.tensor([-2.0, -0.0, 0.0, 3.0])
    assert Rectifier(0.0, False)(x).tolist() == [0, 0, 0, 3]
    assert Rectifier(0.2, False)(x).tolist() == pytest.approx([-0.4, 0, 0, 3])
