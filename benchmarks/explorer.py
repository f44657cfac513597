"""How fast the explorer answers: one person in a browser, and thirty who all slide at once.

usage: python -m benchmarks.explorer RUN [--people 30] [--seconds 20]

One person: from a slider's event to the new picture on the canvas, in headless Chromium. Many: each of the people asks
for a picture, and for the next one as soon as it is there, all from one process. Server and askers share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import time
from typing import Any

import httpx2
from playwright.sync_api import sync_playwright

_SLIDE = """async (moves) => {
  const canvas = document.querySelector("#stage canvas");
  const slider = document.querySelector("#moving input[type=range]");
  const seen = [];
  for (let i = 0; i < moves; i++) {
    const start = performance.now();
    const drawn = new Promise((done) => {
      const watch = new MutationObserver(() => (watch.disconnect(), done()));
      watch.observe(canvas, { attributeFilter: ["aria-label"] });
    });
    slider.value = Number(slider.max) * Math.sin(i + 1);
    slider.dispatchEvent(new Event("input"));
    await drawn;
    seen.push(performance.now() - start);
  }
  return seen;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--moves", type=int, default=200)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "latentry", "explore", arguments.run, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        try:
            one = in_browser(url, arguments.moves)
            many, failed = asyncio.run(sliding(url, arguments.people, arguments.seconds))
        finally:
            server.terminate()
    report("one person, slider to picture", one, 0)
    report(f"{arguments.people} people, request to answer", many, failed)


def in_browser(url: str, moves: int) -> list[float]:
    """Milliseconds from a slider's event to its picture, after some to warm up."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#stage canvas.drawn")
        page.wait_for_selector("#looking", state="hidden")
        page.wait_for_selector("#moving input[type=range]", state="attached")
        found = page.evaluate(_SLIDE, moves + 20)
        browser.close()
    return list(found[20:])


async def sliding(url: str, people: int, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of every answer, and how many requests failed."""
    taken: list[float] = []
    failed = 0
    limits = httpx2.Limits(max_connections=people)
    async with httpx2.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        drawn = (await client.post("api/latents", json={"seeds": list(range(people))})).json()
        end = time.perf_counter() + seconds

        async def person(number: int) -> None:
            nonlocal failed
            question: dict[str, Any] = {"z": [drawn["z"][number]]}
            if drawn["told"] is not None:
                question["told"] = [drawn["told"][number]]
            while (start := time.perf_counter()) < end:
                reply = await client.post("api/decode", json=question)
                failed += reply.status_code != 200
                taken.append(1000 * (time.perf_counter() - start))

        await asyncio.gather(*(person(number) for number in range(people)))
    return taken, failed


def report(what: str, milliseconds: list[float], failed: int) -> None:
    """The median and the 95th percentile, in one line."""
    cuts = statistics.quantiles(milliseconds, n=20)
    line = f"median {statistics.median(milliseconds):.1f} ms, 95th percentile {cuts[-1]:.1f} ms"
    print(f"{what}: {line}, {len(milliseconds)} asked, {failed} failed")


if __name__ == "__main__":
    main()
