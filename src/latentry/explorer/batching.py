"""Decoding for many at once: requests that wait together share one forward pass, and not too many may wait.

A model computes `CHUNK` pictures whatever is asked, so one row costs what a full batch does; and a row's picture does
not depend on the rows beside it, so that sharing changes no pixel.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from latentry.models.trained import CHUNK

T = TypeVar("T")


class Decodes(Protocol):
    """What makes pictures of latents: a `TrainedModel`, here and in a server."""

    def decode(self, z: np.ndarray, conditions: np.ndarray | None = None, /) -> np.ndarray:
        """Pictures uint8 [n, C, H, W] of latents [n, ...]."""
        ...


class BusyError(RuntimeError):
    """So many requests wait that another is not taken."""


@dataclass
class _Order:
    model: Decodes
    z: np.ndarray
    told: np.ndarray | None
    result: Future[np.ndarray] = field(default_factory=Future)

    def goes_with(self, other: _Order) -> bool:
        return self.model is other.model and (self.told is None) == (other.told is None)


class Decoder:
    """One thread that decodes what is ordered.

    Args:
        waiting: orders that may wait, at most.
    """

    def __init__(self, waiting: int = 64) -> None:
        self._orders: queue.Queue[_Order | None] = queue.Queue(waiting)
        self.passes = 0
        """how often a model was called"""
        self._thread = threading.Thread(target=self._work, name="latentry-decoder", daemon=True)
        self._thread.start()

    def order(self, model: Decodes, z: np.ndarray, told: np.ndarray | None) -> Future[np.ndarray]:
        """Pictures uint8 [n, C, H, W] of latents, when they are made.

        Raises:
            BusyError: too many orders wait.
        """
        order = _Order(model, z, told)
        try:
            self._orders.put_nowait(order)
        except queue.Full:
            raise BusyError("too many pictures are being made; try again in a moment") from None
        return order.result

    def close(self) -> None:
        """Finish the orders that wait, and end."""
        self._orders.put(None)
        self._thread.join()

    def _work(self) -> None:
        held: _Order | None = None
        while (first := held or self._orders.get()) is not None:
            together, held, ended = [first], None, False
            while sum(len(order.z) for order in together) < CHUNK:
                try:
                    following = self._orders.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ended = True
                    break
                if not following.goes_with(first):
                    held = following
                    break
                together.append(following)
            self._decode(together)
            if ended:
                return

    def _decode(self, orders: list[_Order]) -> None:
        """One call of the model for all; a fault reaches everyone who asked."""
        wanted = [order for order in orders if order.result.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            z = np.concatenate([order.z for order in wanted])
            told = [order.told for order in wanted if order.told is not None]
            self.passes += 1
            images = wanted[0].model.decode(z, np.concatenate(told) if told else None)
        except Exception as error:
            if len(wanted) > 1:  # one of them may be at fault: each gets its own answer
                for order in wanted:
                    self._decode_one(order)
            else:
                wanted[0].result.set_exception(error)
            return
        start = 0
        for order in wanted:
            order.result.set_result(images[start : start + len(order.z)])
            start += len(order.z)

    def _decode_one(self, order: _Order) -> None:
        try:
            self.passes += 1
            order.result.set_result(order.model.decode(order.z, order.told))
        except Exception as error:
            order.result.set_exception(error)


class Workshop:
    """One thread for what takes seconds (inversions, maps), so that sliders do not wait for it.

    Args:
        waiting: jobs that may wait or run, at most.
    """

    def __init__(self, waiting: int = 8) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="latentry-workshop")
        self._places = threading.Semaphore(waiting)

    def order(self, job: Callable[..., T], *arguments: Any) -> Future[T]:
        """What the job returns, when it is done.

        Raises:
            BusyError: too many jobs wait.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError("too much is being computed; try again in a moment")
        result = self._pool.submit(job, *arguments)
        result.add_done_callback(lambda _: self._places.release())
        return result

    def close(self) -> None:
        """Drop the jobs that wait, and let the running one end on its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)
