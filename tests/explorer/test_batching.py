"""Orders that wait together share a forward pass, each gets its own rows, and one at fault spoils no other."""

import threading

import numpy as np
import pytest

from latentry.explorer.batching import BusyError, Decoder, Workshop


class Slow:
    """Stands for a model: its pictures are its latents, and it waits to be let go."""

    def __init__(self):
        self.go, self.started, self.sizes = threading.Event(), threading.Event(), []

    def decode(self, z, told=None):
        self.started.set()
        assert self.go.wait(10)
        self.sizes.append(len(z))
        if (z < 0).any():
            raise ValueError("negative")
        return z if told is None else z + told


def rows(*values):
    return np.array(values, np.float32)[:, None]


def test_orders_that_wait_together_share_one_pass():
    model, decoder = Slow(), Decoder()
    first = decoder.order(model, rows(1), None)
    assert model.started.wait(10)
    waiting = [decoder.order(model, rows(10 * k, 10 * k + 1), None) for k in range(1, 6)]
    model.go.set()
    assert first.result(10).tolist() == [[1]]
    assert [order.result(10).ravel().tolist() for order in waiting] == [[10 * k, 10 * k + 1] for k in range(1, 6)]
    assert (decoder.passes, model.sizes) == (2, [1, 10])
    decoder.close()


def test_models_and_conditions_are_not_mixed():
    models, decoder = [Slow(), Slow()], Decoder()
    for model in models:
        model.go.set()
    orders = [decoder.order(models[k % 2], rows(k), rows(100) if k > 3 else None) for k in range(8)]
    assert [order.result(10).item() for order in orders] == [0, 1, 2, 3, 104, 105, 106, 107]
    decoder.close()


def test_one_at_fault_spoils_no_other():
    model, decoder = Slow(), Decoder()
    first = decoder.order(model, rows(1), None)
    assert model.started.wait(10)
    good, bad = decoder.order(model, rows(2), None), decoder.order(model, rows(-1), None)
    model.go.set()
    assert first.result(10).item() == 1
    assert good.result(10).item() == 2
    with pytest.raises(ValueError, match="negative"):
        bad.result(10)
    decoder.close()


def test_so_many_may_wait_and_no_more():
    model, decoder = Slow(), Decoder(waiting=2)
    running = decoder.order(model, rows(0), None)
    assert model.started.wait(10)
    waiting = [decoder.order(model, rows(k), None) for k in (1, 2)]
    with pytest.raises(BusyError, match="try again"):
        decoder.order(model, rows(3), None)
    model.go.set()
    assert [order.result(10).item() for order in (running, *waiting)] == [0, 1, 2]
    decoder.close()


def test_a_closed_decoder_finishes_what_waits():
    model, decoder = Slow(), Decoder()
    model.go.set()
    orders = [decoder.order(model, rows(k), None) for k in range(5)]
    decoder.close()
    assert [order.result(0).item() for order in orders] == [0, 1, 2, 3, 4]


def test_long_jobs_wait_in_a_line_of_a_given_length():
    go, workshop = threading.Event(), Workshop(waiting=2)
    jobs = [workshop.order(lambda k: (go.wait(10), k)[1], k) for k in range(2)]
    with pytest.raises(BusyError):
        workshop.order(lambda: None)
    go.set()
    assert [job.result(10) for job in jobs] == [0, 1]
    assert workshop.order(lambda: 7).result(10) == 7
    workshop.close()
