"""Decoding on every core, in processes of our own.

Threads would wait for each other (a small picture is mostly Python), and `multiprocessing` would run the user's script
anew or fork a process that holds torch's threads. So each worker is a fresh interpreter that imports only this package,
numpy and PIL, and is given pickled tasks through a pipe.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_START = "from latentry.data.workers import serve; serve()"


class Workers:
    """A few processes that share one object, and map functions over tasks; with `n` of 1, this process alone.

    Args:
        shared: what every call is given first; pickled once.
        n: how many processes.
    """

    def __init__(self, shared: Any, n: int) -> None:
        self.shared = shared
        self._processes = [_start() for _ in range(n)] if n > 1 and sys.executable else []
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self) -> Self:
        content = pickle.dumps(self.shared) if self._processes else b""
        try:
            for process in self._processes:
                _send(process.stdin, content)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def map(self, function: Callable[[Any, T], R], tasks: Sequence[T]) -> Iterator[R]:
        """`function(shared, task)` for each task, in the order of the tasks; the first exception is raised here."""
        if not self._processes:
            for task in tasks:
                with warnings.catch_warnings():  # PIL's, about damaged metadata; the report tells what matters
                    warnings.simplefilter("ignore")
                    result = function(self.shared, task)
                yield result
            return
        threads = ThreadPoolExecutor(len(self._processes))
        try:
            yield from threads.map(lambda task: self._call(function, task), tasks)
        except BaseException:
            for process in self._processes:  # ends the threads' waiting too
                process.kill()
            raise
        finally:
            threads.shutdown(cancel_futures=True)

    def _call(self, function: Callable[[Any, T], R], task: T) -> R:
        process = self._idle.get()
        try:
            _send(process.stdin, pickle.dumps((function, task)))
            assert process.stdout is not None
            done, result = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise RuntimeError("a process that decodes pictures has died; is there enough memory?") from error
        finally:
            self._idle.put(process)
        if not done:
            raise result
        return result


def n_workers(seconds: float) -> int:
    """How many processes are worth starting for work that would take one of them `seconds`."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, round(seconds / 0.4)))


def serve() -> None:
    """The worker's side: read the shared object, then tasks until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    source, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the results
    shared = pickle.load(source)
    while True:
        try:
            function, task = pickle.load(source)
        except EOFError:
            return
        try:
            answer = (True, function(shared, task))
        except Exception as error:  # raised again in the parent
            answer = (False, error)
        try:
            pickle.dump(answer, results)
            results.flush()
        except BrokenPipeError:
            return


def _start() -> subprocess.Popen[bytes]:
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )


def _send(pipe: IO[bytes] | None, content: bytes) -> None:
    assert pipe is not None
    pipe.write(content)
    pipe.flush()


def chunks(n: int, size: int) -> list[range]:
    """The numbers 0..n-1 in runs of at most `size`."""
    return [range(at, min(at + size, n)) for at in range(0, n, size)]
