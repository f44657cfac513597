"""What the explorer computes once for a run, while it is asked for other things."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from latentry.explorer.shown import Shown


def run() -> Shown:
    return Shown("run", Path("run"), cast(Any, None), None, "", "vae", "faces")


def test_what_takes_long_holds_up_nothing_else() -> None:
    shown, go, begun = run(), threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert go.wait(10)
        return "map"

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(shown.once, "map", slowly)
        assert begun.wait(10)
        assert shown.once("sliders", lambda: "sliders") == "sliders" and not slow.done()
        go.set()
        assert slow.result(10) == "map"


def test_what_many_ask_for_is_computed_once() -> None:
    shown, calls, all_here = run(), list[int](), threading.Barrier(8)

    def compute() -> object:
        calls.append(1)
        return object()

    def ask(_: int) -> Any:
        all_here.wait(10)
        return shown.once("map", compute)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(calls) == 1 and all(each is found[0] for each in found)
