"""`latentry doctor RUN`: findings are no failure, and machines get the same as people."""

import json

import numpy as np
import pytest

import latentry
from latentry.cli import run as run_verb
from latentry.training.run import Run


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A run on 60 pictures."""
    pictures = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    return latentry.train(
        "vae", pictures, out=tmp_path_factory.mktemp("runs"), images="120", batch=20, ticks=3, latent=2, backbone="mlp",
        hidden=(8,), second_stage_steps=2, mixture_components=1,
    ).path  # fmt: skip


def test_findings_are_printed_with_the_flag_and_status_nought(few, capsys):
    assert run_verb(["doctor", str(few)]) == 0
    output = capsys.readouterr().out
    assert f"{few}: 1 finding\n" in output
    assert "doctor: few pictures: 57 training pictures, each seen 2 times so far" in output
    assert "--flip yes" in output


def test_json_holds_every_field(few, capsys):
    assert run_verb(["doctor", str(few), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["run"] == str(few)
    [finding] = record["findings"]
    assert finding["name"] == "few pictures"
    assert set(finding) == {"name", "evidence", "cause", "change", "curve"}


def test_a_run_that_failed_tells_where(tmp_path, capsys):
    pictures = np.random.default_rng(0).integers(0, 256, (600, 1, 8, 8), dtype=np.uint8)
    with pytest.raises(latentry.InputError, match="non-finite"):
        latentry.train("vae", pictures, out=tmp_path, images="4k", batch=20, ticks=2, latent=2, lr=1e30)
    [path] = tmp_path.iterdir()
    assert run_verb(["doctor", str(path), "--json"]) == 0
    [finding] = json.loads(capsys.readouterr().out)["findings"]
    assert finding["name"] == "non-finite values"
    assert "loss" in finding["evidence"]
    assert "--lr" in finding["change"]
    assert Run(path).read_log() == []


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(latentry.InputError, match="no run at"):
        run_verb(["doctor", str(tmp_path / "nowhere")])
    with pytest.raises(latentry.InputError, match="doctor RUN"):
        run_verb(["doctor"])
