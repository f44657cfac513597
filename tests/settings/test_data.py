"""Settings of the pictures."""

import pytest

from latentry.errors import InputError
from latentry.settings.data import DataSettings


@pytest.mark.parametrize(
    ("size", "expected"), [(None, None), ("64", 64), (64, 64), ("64x48", (64, 48)), (" 8 X 9 ", (8, 9))]
)
def test_size(size: str | int | None, expected: object) -> None:
    assert DataSettings(size=size).size_px == expected


@pytest.mark.parametrize("size", ["0", "64x0", "x", "", "64x", "6.5", "-3", "1x2x3"])
def test_sizes_that_are_refused(size: str) -> None:
    with pytest.raises(InputError, match="size"):
        DataSettings(size=size)


@pytest.mark.parametrize(
    "change", [{"data": ""}, {"channels": "gray"}, {"fit": "cut"}, {"holdout": 1.0}, {"holdout": -0.1}]
)
def test_other_values_that_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        DataSettings(**change)  # type: ignore[arg-type]
