"""`latentry compare` and `latentry plan` as they are typed: what is printed, what machines get, what is refused."""

import json

import pytest

from latentry.api import plan as planning
from latentry.api.trial import Trial
from latentry.cli import run


@pytest.fixture
def trial(monkeypatch):
    """A measurement, in place of a real one: 1,000 images a second at 32 pixels."""
    found = Trial(
        32, 32, 32, images_per_step=32, images_per_sec=1000.0, start_sec=4.0, finish_sec=6.0, peak_bytes=2**29,
        free_bytes=2**33, n_train=5000, native_px=32,
    )  # fmt: skip
    monkeypatch.setattr(planning, "try_out", lambda config, seconds: found)
    monkeypatch.setattr(planning, "busy", lambda: 0.0)


def test_plan_prints_a_table_the_reason_and_a_command(trial, capsys):
    assert run(["plan", "vae", "--data", "mine", "--budget", "3m"]) == 0
    output = capsys.readouterr().out
    assert "vae on mine in 3m" in output
    row = next(line for line in output.splitlines() if line.strip().startswith("32 x 32"))
    assert row.split()[3:] == ["32", "1,000", "169,984", "5,312", "170%", "3m00s", "0.50", "GiB", "<-", "chosen"]
    assert "why: 169,984 images at 32 x 32, 34.0 epochs: enough for vae, which takes about 100,000" in output
    assert output.endswith("  latentry train vae --data mine --size 32 --batch 32 --images 169984\n")


def test_plan_tells_machines_the_same(trial, capsys):
    assert run(["plan", "vae", "--data", "mine", "--budget", "3m", "--batch", "32", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["options"][record["chosen"]]["images"] == 169_984
    assert record["command"].endswith("--images 169984")


def test_plan_refuses(refuse):
    assert "did you mean" in refuse("plan", "vea", "--budget", "1h")
    assert "budget (='soon') must be a duration" in refuse("plan", "vae", "--budget", "soon")
    assert "--budget" in refuse("plan", "vae")


def test_compare_prints_the_answer_and_writes_a_page(home, tmp_path, capsys):
    """A VAE that was trained and a GAN that was hardly trained, on the same pictures."""
    runs = [str(path) for path in sorted((home / "runs").glob("0*"))]
    page = tmp_path / "page.html"
    assert run(["compare", *runs, "--extractor", "random", "-n", "40", "-o", str(page)]) == 0
    output = capsys.readouterr().out
    assert "So far, for new pictures take vae: its samples are nearest to real ones, beyond chance." in output
    assert "To edit or morph pictures of your own take vae: of these it alone encodes." in output
    assert "note: Trained too little to be judged: vae (6%) and gan (0%) of the images" in output
    assert page.read_text().startswith("<!doctype html>")
    assert run(["compare", *runs, "-o", str(page), "--json"]) == 0  # from the evaluations that the runs keep
    record = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in record["contenders"]] == ["vae", "gan"]
    assert record["groups"][0]["rankings"][0]["best"] == ["vae"]


def test_compare_refuses(refuse, home, tmp_path):
    one = next((home / "runs").glob("*-vae-*"))
    assert "two runs at least and received 1" in refuse("compare", one)
    assert "did you mean vae" in refuse("compare", "--data", "faces:40", "--recipes", "vae,vea")
    line = refuse("compare", "--data", "faces:40", "--recipes", "vae,cvae", "--size", "8", "--out", tmp_path / "runs")
    assert "cvae cannot be compared, and nothing was trained: condition=class needs classes" in line
    assert "need --data" in refuse("compare", "--recipes", "vae,dcgan")
