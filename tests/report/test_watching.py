"""Console, trackers and the report page on one small run."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

import latentry
from latentry.report.console import ConsoleObserver, duration
from latentry.report.track import flat_numbers, trackers


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run with the console captured and TensorBoard on."""
    output = io.StringIO()
    run = latentry.train(
        "vae",
        np.random.default_rng(0).integers(0, 256, (60, 1, 16, 16), dtype=np.uint8),
        out=tmp_path_factory.mktemp("runs"),
        observers=[ConsoleObserver(Console(file=output, width=200))],
        images="120", batch=20, ticks=3, width=4, latent=3, second_stage_steps=2, mixture_components=1,
        track=("tensorboard",),
    )  # fmt: skip
    return run, output.getvalue()


def test_plain_lines_where_there_is_no_terminal(watched):
    run, output = watched
    lines = output.strip().splitlines()
    assert str(run.path) in lines[0]
    seen = re.findall(r"([\d,]+) images ", output)
    assert [int(count.replace(",", "")) for count in seen] == [40, 80, 120]
    assert all("kl" in line and "active units" in line for line in lines if " images " in line)
    assert "\x1b" not in output


def test_durations_for_people():
    assert [duration(s) for s in (0.4, 59, 61, 3600, 7505)] == ["0s", "59s", "1m01s", "1h00m", "2h05m"]


def test_tensorboard_holds_the_logs_numbers(watched):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, _ = watched
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    logged = {event.step: event.value for event in events.Scalars("held_out/kl")}
    assert logged == {r["images"]: pytest.approx(r["held_out"]["kl"], rel=1e-5) for r in run.log}
    assert {"samples", "reconstructions"} <= set(events.Tags()["images"])


def test_trackers_that_are_not_installed_are_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(latentry.InputError, match=r"wandb is not installed; pip install 'latentry\[track\]'"):
        trackers(("wandb",))


def test_only_numbers_are_logged():
    assert flat_numbers({"a": 1, "b": {"c": 2.5, "d": [1, 2]}, "e": None}) == {"a": 1.0, "b/c": 2.5}


class Outside(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.images = 0

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        self.images += tag == "img"
        source = names.get("src") or names.get("href") or ""
        if tag in ("script", "link", "iframe") or (source and not source.startswith(("data:", "#"))):
            self.found.append((tag, source))


def test_the_report_is_one_file_that_fetches_nothing(watched):
    run, _ = watched
    page = (run.path / "report.html").read_text()
    parser = Outside()
    parser.feed(page)
    assert parser.found == []
    assert parser.images >= 3  # samples, reconstructions, reals
    assert page.count("<svg") == 1
    kl = run.log[-1]["held_out"]["kl"]
    assert f"<b>{kl:,.1f}</b><span>kl</span>" in page
