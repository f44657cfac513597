"""The order that is not written down: each number once, in no order that can be seen."""

import numpy as np
import pytest

from latentry.data import stream
from latentry.data.permutation import permuted


@pytest.mark.parametrize("n", [1, 2, 3, 5, 64, 1000, 4097])
def test_every_number_comes_once(n: int) -> None:
    for seed in range(3):
        assert sorted(permuted(np.arange(n), n, (seed,))) == list(range(n))


def test_a_position_does_not_depend_on_what_else_is_asked_for() -> None:
    whole = permuted(np.arange(1000), 1000, (1, 2))
    np.testing.assert_array_equal(permuted(np.array([7, 999, 7]), 1000, (1, 2)), whole[[7, 999, 7]])


def test_orders_of_a_thousand_are_as_random_ones() -> None:
    """Over 200 keys: one fixed point each on average, inversions of mean n (n - 1) / 4, first places that are even."""
    n, keys = 1000, 200
    orders = np.stack([permuted(np.arange(n), n, (key,)) for key in range(keys)])
    assert abs((orders == np.arange(n)).sum(axis=1).mean() - 1) < 4 / np.sqrt(keys)
    inversions = np.array([np.triu(order[:, None] > order[None]).sum() for order in orders])
    deviation = np.sqrt(n * (n - 1) * (2 * n + 5) / 72)
    assert abs(inversions.mean() - n * (n - 1) / 4) < 4 * deviation / np.sqrt(keys)
    assert 0.8 < inversions.std() / deviation < 1.2
    assert abs(orders[:, 0].mean() - (n - 1) / 2) < 4 * n / np.sqrt(12 * keys)


def test_neighbours_are_strangers_and_keys_give_other_orders() -> None:
    """Of ten million: places and steps are as those of independent draws, to four standard errors."""
    n, m = 10_000_000, 100_000
    one, other = (permuted(np.arange(m), n, (9, epoch)) / n for epoch in (0, 1))
    assert len(np.unique(one)) == m
    bins = np.bincount((one * 100).astype(int), minlength=100)
    assert ((bins - m / 100) ** 2 / (m / 100)).sum() < 99 + 4 * np.sqrt(2 * 99)
    for a, b in ((one[1:], one[:-1]), (one, other), (one[4096:], one[:-4096])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(m)


def test_the_stream_of_a_large_set_is_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture once an epoch, over ends of blocks and epochs, the same in whatever pieces it is asked for."""
    monkeypatch.setattr(stream, "_WRITTEN_DOWN", 10)
    monkeypatch.setattr(stream, "_BLOCK", 8)
    sequence = np.concatenate([stream.batch_indices(50, 7, seed=4, step=step) for step in range(22)])
    for epoch in range(3):
        assert sorted(sequence[epoch * 50 : (epoch + 1) * 50]) == list(range(50))
    stream._epoch_block.cache_clear()
    np.testing.assert_array_equal(stream.batch_indices(50, 28, seed=4, step=3), sequence[84:112])
