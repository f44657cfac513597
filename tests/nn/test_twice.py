"""What is computed to be differentiated twice: the same values, slopes, and gradients of a loss of both."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from latentry.nn import Conv, GroupedConv, StridedDown, halve_bilinear, initialise
from latentry.nn.twice import Rectifier, convolve, differentiated_twice


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class CountCalls(TorchDispatchMode):
    """The names of all operations inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func._overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class Critic(nn.Module):
    """All kinds of convolution, with what is smooth and what is not in between."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Conv(2, 4, gain=1.0), Rectifier(0.2, True), GroupedConv(4, 2, gain=1.0), nn.SiLU(),
            Conv(4, 6, kernel=1, gain=1.0),
            StridedDown(6, 4, kernel=4, gain=1.0), nn.GroupNorm(2, 4), Rectifier(0.0, False),
            StridedDown(4, 3, kernel=3, gain=1.0, bias=False), Rectifier(0.2, True),
        )  # fmt: skip
        initialise(self, torch.Generator().manual_seed(0))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 2, H, W] to [B]."""
        return self.layers(halve_bilinear(x)).flatten(1).sum(dim=1)


@pytest.mark.parametrize("size", [(12, 20), (14, 10)])
@pytest.mark.parametrize("of_score", [0.0, 1.0])
def test_a_critics_penalty_has_the_same_gradients(size: tuple[int, int], of_score: float) -> None:
    """Of the slope alone, or of the score beside it, as R1 has it; odd and even sides, groups, a fixed kernel."""
    critic, x = Critic().double(), normal(3, 2, *size, seed=1).requires_grad_()
    weights = list(critic.parameters())

    def loss() -> Tensor:
        score = critic(x)
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().sum() + of_score * score.square().sum()

    plain = loss()
    with differentiated_twice():
        twice = loss()
    torch.testing.assert_close(twice, plain, rtol=1e-12, atol=0)
    for name, ours, theirs in zip(
        dict(critic.named_parameters()),
        torch.autograd.grad(twice, weights, allow_unused=True),
        torch.autograd.grad(plain, weights),
        strict=True,
    ):
        ours = torch.zeros_like(theirs) if ours is None else ours  # a last bias has no say in any slope
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9, msg=name)


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


@pytest.mark.parametrize("size", [(8, 12), (2, 2), (7, 9)])
@pytest.mark.parametrize("kernel", [3, 4])
@pytest.mark.parametrize("colours", [1, 3])
def test_what_a_halving_says_of_a_picture_of_few_colours_is_its_gradient(
    size: tuple[int, int], kernel: int, colours: int
) -> None:
    """Also where all of it is derived again, and for sides that are odd, of which the last pixel is not doubled to."""
    x = normal(2, colours, *size, seed=0).requires_grad_()
    weight, bias = normal(5, colours, kernel, kernel, seed=1).requires_grad_(), normal(5, seed=2).requires_grad_()
    found = []
    for y in (convolve(x, weight, bias, stride=2, padding=1), F.conv2d(x, weight, bias, 2, 1)):
        first = torch.autograd.grad((y**3).sum(), (x, weight, bias), create_graph=True)
        second = torch.autograd.grad(torch.cat([each.flatten() for each in first]).square().sum(), (x, weight, bias))
        found.append([y, *first, *second])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_halving_that_holds_still_computes_no_gradient_of_its_own() -> None:
    x, weight = normal(2, 3, 8, 8, seed=0).requires_grad_(), normal(5, 3, 4, 4, seed=1)
    y = convolve(x, weight, None, stride=2, padding=1)
    with CountCalls() as calls:
        y.sum().backward()
    assert x.grad is not None
    assert "convolution_backward" not in calls.names
