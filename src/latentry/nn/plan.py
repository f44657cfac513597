"""How often a picture is halved, from its height and width; sizes that cannot be, and the nearest that can."""

from __future__ import annotations

from typing import NamedTuple

from latentry.errors import InputError

LONGEST_BASE_PX = 16  # a longer side than this would leave most of the weights in one linear layer


class StagePlan(NamedTuple):
    """The number of halvings, and the height and width in pixels that they end at (the base)."""

    stages: int
    height: int
    width: int


def plan_stages(height: int, width: int, stages: int | None = None, shortest_px: int = 7) -> StagePlan:
    """How an encoder halves H x W pixels, and a decoder doubles back to them.

    Args:
        height, width: of the pictures, in pixels.
        stages: number of halvings. None takes the most that divide both sides and leave the shorter one at least 7
            pixels, and refuses sizes that end above 16 pixels; with a number, any base is allowed.
        shortest_px: what the shorter side is left with, at least, in place of 7.

    Raises:
        InputError: the size cannot be halved so; the message names the nearest sizes that can.
    """
    if stages is not None:
        unit = 2**stages
        if height % unit or width % unit:
            raise InputError(
                f"size (={_size(height, width)}) must be divisible by {unit} for stages={stages}; "
                + _advice(_multiples(height, width, unit))
            )
        return StagePlan(stages, height // unit, width // unit)
    plan = _most_halvings(height, width, shortest_px)
    if max(plan.height, plan.width) > LONGEST_BASE_PX:
        times = f"{plan.stages} time{'' if plan.stages == 1 else 's'}"
        raise InputError(
            f"size (={_size(height, width)}) can be halved {times}, which leaves {plan.height}x{plan.width} pixels, "
            f"and at most {LONGEST_BASE_PX} a side are allowed; {_advice(nearest_sizes(height, width, shortest_px))}, "
            "or backbone=mlp, which takes any size"
        )
    return plan


def nearest_sizes(height: int, width: int, shortest_px: int = 7) -> list[tuple[int, int]]:
    """The nearest size with neither side longer, and with neither shorter, that `plan_stages` accepts by itself.

    Every accepted size is a base of at most 16 pixels, doubled; so for each number of doublings the best base is the
    given size divided, rounded, and clipped to what a base may be.
    """
    smaller, larger = [], []
    for stages in range(max(height, width).bit_length() + 1):
        unit = 2**stages
        shortest = shortest_px if stages else 1
        down = [min(side // unit, LONGEST_BASE_PX) for side in (height, width)]
        if min(down) >= shortest:
            smaller.append((down[0] * unit, down[1] * unit))
        up = [max(-(-side // unit), shortest) for side in (height, width)]
        if max(up) <= LONGEST_BASE_PX:
            larger.append((up[0] * unit, up[1] * unit))
    return [max(smaller, key=sum), min(larger, key=sum)]


def _most_halvings(height: int, width: int, shortest_px: int) -> StagePlan:
    stages = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= shortest_px:
        height, width, stages = height // 2, width // 2, stages + 1
    return StagePlan(stages, height, width)


def _multiples(height: int, width: int, unit: int) -> list[tuple[int, int]]:
    """The size rounded down and up to multiples of `unit`, where that leaves any pixels."""
    down = (height // unit * unit, width // unit * unit)
    up = (-(-height // unit) * unit, -(-width // unit) * unit)
    return [size for size in (down, up) if min(size) > 0]


def _size(height: int, width: int) -> str:
    """As a user would type it: one number for a square."""
    return str(height) if height == width else f"{height}x{width}"


def _advice(sizes: list[tuple[int, int]]) -> str:
    return "try " + " or ".join(_size(*size) for size in sizes)
