"""Layers that are computed otherwise than they are defined: the same function, with the same derivatives."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.nn.layers import conv_to_one


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
