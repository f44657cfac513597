"""The stream: a pure function, each picture once an epoch, the same whatever the number of ranks."""

import numpy as np
import pytest

from latentry.data import ImageSet, batch_indices, holdout_indices, open_images
from latentry.data.stream import _epoch_order
from latentry.errors import InputError


def test_steps_do_not_depend_on_what_was_asked_before() -> None:
    forward = [batch_indices(10, 4, seed=3, step=step) for step in range(20)]
    _epoch_order.cache_clear()
    backward = [batch_indices(10, 4, seed=3, step=step) for step in reversed(range(20))][::-1]
    np.testing.assert_array_equal(forward, backward)


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (10, 10), (7, 20), (1, 3), (64, 64)])
def test_every_picture_comes_once_an_epoch(n: int, batch: int) -> None:
    steps = -(-3 * n // batch)
    sequence = np.concatenate([batch_indices(n, batch, seed=0, step=step) for step in range(steps)])
    for epoch in range(3):
        assert sorted(sequence[epoch * n : (epoch + 1) * n]) == list(range(n))


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_together_see_the_batch_of_one(world_size: int) -> None:
    for step in range(9):
        whole = batch_indices(11, 4 * world_size, seed=5, step=step)
        parts = [batch_indices(11, 4, seed=5, step=step, rank=r, world_size=world_size) for r in range(world_size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_epochs_and_seeds_differ() -> None:
    first, second = (batch_indices(100, 100, seed=0, step=step) for step in (0, 1))
    assert (first != second).any()
    assert (first != batch_indices(100, 100, seed=1, step=0)).any()
    assert first.dtype == np.int64


def test_a_batch_may_be_changed_without_changing_the_stream() -> None:
    batch = batch_indices(5, 5, seed=0, step=0)
    expected = batch.copy()
    batch[:] = 0
    np.testing.assert_array_equal(batch_indices(5, 5, seed=0, step=0), expected)


@pytest.mark.parametrize("bad", [{"step": -1}, {"rank": 2, "world_size": 2}])
def test_positions_outside_the_stream_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(InputError):
        batch_indices(10, 2, **{"seed": 0, "step": 0, **bad})
    with pytest.raises(InputError):
        batch_indices(0, 2, seed=0, step=0)


def pictures(n: int, copies: dict[int, int] | None = None) -> ImageSet:
    array = np.random.default_rng(0).integers(0, 256, (n, 4, 4), np.uint8)
    for row, original in (copies or {}).items():
        array[row] = array[original]
    return open_images(array)


def test_holdout_divides_the_set_by_the_fraction_and_the_seed() -> None:
    images = pictures(100)
    train, held = holdout_indices(images, 0.1, seed=0)
    assert len(held) == 10
    assert sorted([*train, *held]) == list(range(100))
    np.testing.assert_array_equal(held, holdout_indices(images, 0.1, seed=0)[1])
    assert set(held) != set(holdout_indices(images, 0.1, seed=1)[1])


def test_copies_of_a_picture_stay_on_one_side() -> None:
    images = pictures(60, {row: row % 10 for row in range(10, 60)})  # ten pictures, six times each
    for seed in range(10):
        train, held = holdout_indices(images, 0.3, seed)
        assert not set(train % 10) & set(held % 10)
        assert len(held) == 18


def test_many_copies_of_a_picture_do_not_empty_the_holdout() -> None:
    """Of 100 pictures 30 are one blank page: a group that does not fit is passed over, whenever its turn comes."""
    images = pictures(100, dict.fromkeys(range(1, 30), 0))
    for seed in range(30):
        train, held = holdout_indices(images, 0.05, seed)
        assert len(held) == 5 and not set(held) & set(range(30)) and len(train) == 95
    images = pictures(20, {row: 0 if row < 15 else 15 for row in range(20)})  # two pictures, 15 and 5 times
    for seed in range(10):
        assert set(holdout_indices(images, 0.05, seed)[1]) == set(range(15, 20))  # none fits: the smallest


def test_no_holdout_and_sets_that_cannot_be_divided() -> None:
    assert len(holdout_indices(pictures(5), 0, seed=0)[1]) == 0
    assert [len(part) for part in holdout_indices(pictures(2), 0.05, seed=0)] == [1, 1]
    assert [len(part) for part in holdout_indices(pictures(1), 0.05, seed=0)] == [1, 0]
    assert [len(part) for part in holdout_indices(pictures(4, {1: 0, 2: 0, 3: 0}), 0.5, seed=0)] == [4, 0]
    with pytest.raises(InputError, match="holdout"):
        holdout_indices(pictures(5), 1.0, seed=0)
