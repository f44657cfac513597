"""How often pictures are halved, and what is said of sizes that cannot be."""

import itertools

import pytest

from latentry.errors import InputError
from latentry.nn import StagePlan, nearest_sizes, plan_stages


@pytest.mark.parametrize(
    ("size", "plan"),
    [
        ((64, 64), (3, 8, 8)),
        ((28, 28), (2, 7, 7)),
        ((48, 64), (2, 12, 16)),
        ((32, 32), (2, 8, 8)),
        ((30, 30), (1, 15, 15)),
        ((1, 1), (0, 1, 1)),
        ((2, 3), (0, 2, 3)),
        ((7, 16), (0, 7, 16)),
        ((256, 256), (5, 8, 8)),
    ],
)
def test_halving_stops_at_seven_pixels_or_at_an_odd_side(size: tuple[int, int], plan: tuple[int, int, int]) -> None:
    assert plan_stages(*size) == StagePlan(*plan)


def test_given_stages_are_used_whatever_the_base() -> None:
    assert plan_stages(64, 64, 2) == (2, 16, 16)
    assert plan_stages(4, 8, 2) == (2, 1, 2)
    assert plan_stages(37, 50, 0) == (0, 37, 50)


def test_refused_size_names_the_nearest_that_can_be_halved() -> None:
    with pytest.raises(InputError) as error:
        plan_stages(37, 37)
    assert str(error.value) == (
        "size (=37) can be halved 0 times, which leaves 37x37 pixels, and at most 16 a side are allowed; "
        "try 36 or 40, or backbone=mlp, which takes any size"
    )
    with pytest.raises(InputError, match=r"size \(=50\) can be halved 1 time, .* try 48 or 52, or backbone=mlp"):
        plan_stages(50, 50)
    with pytest.raises(InputError, match=r"size \(=100x60\) can be halved 2 times, .* try 96x56 or 104x64, or"):
        plan_stages(100, 60)


def test_stages_that_do_not_divide_name_the_nearest_sizes() -> None:
    with pytest.raises(InputError) as error:
        plan_stages(30, 30, 2)
    assert str(error.value) == "size (=30) must be divisible by 4 for stages=2; try 28 or 32"
    with pytest.raises(InputError, match=r"size \(=2x3\) must be divisible by 4 for stages=2; try 4$"):
        plan_stages(2, 3, 2)


def accepted(height: int, width: int) -> bool:
    try:
        plan_stages(height, width)
    except InputError:
        return False
    return True


def test_named_sizes_are_the_nearest_by_exhaustive_search() -> None:
    sizes = range(1, 81)
    good = {size for size in itertools.product(sizes, sizes) if accepted(*size)}
    for height, width in itertools.product((17, 19, 23, 37, 41, 53, 62, 67), repeat=2):
        smaller, larger = nearest_sizes(height, width)
        assert smaller in good
        assert sum(smaller) == max(h + w for h, w in good if h <= height and w <= width)
        assert accepted(*larger)
        if best := [h + w for h, w in good if h >= height and w >= width]:
            assert sum(larger) == min(best)


@pytest.mark.parametrize("size", [(1, 400), (3, 1000), (16, 1024), (1021, 1019)])
def test_advice_can_be_followed_for_extreme_shapes(size: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        plan_stages(*size)
    assert all(accepted(*advised) for advised in nearest_sizes(*size))
