"""Comparing trains each recipe once, goes on where it was stopped, and refuses before anything is trained."""

import os
import shutil
from typing import Any

import pytest

import latentry
from latentry.api.compare import compare
from latentry.api.contest import find_run
from latentry.errors import InputError
from latentry.metrics.evaluation import read_evaluation
from latentry.training.run import open_run

SMALL: dict[str, Any] = {
    "size": "8", "batch": 50, "ticks": 1, "latent": 2, "backbone": "mlp", "hidden": (16,), "second_stage_steps": 2,
    "mixture_components": 1,
}  # fmt: skip
RECIPES = ["autoencoder", "vae"]


def contest(out, say=None, **changes):
    options = {
        "recipes": RECIPES,
        "data": "digits",
        "budget": "1s",
        "extractor": "random",
        "n": 200,
        **SMALL,
        **changes,
    }
    return compare(out=out, say=say, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two recipes, trained and compared once."""
    folder = tmp_path_factory.mktemp("contest")
    return folder / "runs", contest(folder / "runs")


@pytest.fixture
def runs(trained, tmp_path):
    """A copy, which a test may change."""
    return shutil.copytree(trained[0], tmp_path / "runs")


def test_each_is_trained_and_measured_alike(trained):
    out, found = trained
    assert sorted(path.name for path in out.iterdir()) == [
        "00000-autoencoder-digits", "00001-vae-digits", "compare.html",
    ]  # fmt: skip
    assert [each.name for each in found.contenders] == RECIPES
    [part] = found.groups
    assert set(part.names) == set(RECIPES)
    assert all(each.encodes and len(each.samples) == 24 for each in found.contenders)
    assert found.notes == ("a budget of 1s for each is too short to mean anything; give 10m or more",)
    passports = [each.evaluation.scores[0].passport for each in found.contenders]
    assert passports[0] == passports[1]
    assert passports[0].n_fake == 200
    encoder = found.named("autoencoder")
    assert encoder.parameters * 4 <= encoder.model_bytes < encoder.parameters * 4 + 100_000


def test_what_is_trained_stays_and_what_was_stopped_goes_on(runs):
    shutil.rmtree(runs / "00001-vae-digits" / "model")  # as if it had been killed before its end
    weights = (runs / "00000-autoencoder-digits" / "model" / "model.safetensors").stat().st_mtime_ns
    lines: list[str] = []
    contest(runs, lines.append)
    assert lines[1] == f"autoencoder is trained already: {runs / '00000-autoencoder-digits'}"
    assert (runs / "00000-autoencoder-digits" / "model" / "model.safetensors").stat().st_mtime_ns == weights
    assert (runs / "00001-vae-digits" / "model" / "model.safetensors").is_file()
    assert len(list(runs.glob("0*"))) == 2


def test_another_setting_is_another_run(runs, trained):
    asked = open_run(runs / "00000-autoencoder-digits").read_config().with_settings(flip="auto")
    fingerprint = trained[1].contenders[0].fingerprint
    known = find_run(runs, asked, fingerprint)
    assert known is not None and known.path.name == "00000-autoencoder-digits"
    assert find_run(runs, asked.with_settings(seed=1), fingerprint) is None
    assert find_run(runs, asked.with_settings(budget="2s"), fingerprint) is None
    assert find_run(runs, asked, "0" * 64) is None
    assert find_run(runs / "nowhere", asked, fingerprint) is None


def test_kept_evaluations_are_taken_where_all_were_made_alike(runs):
    paths = sorted(runs.glob("0*"))
    lines: list[str] = []
    compare(paths, say=lines.append)
    assert lines[0] == "the runs have been evaluated alike already"
    latentry.evaluate(paths[0], extractor="random", n=100)
    lines.clear()
    found = compare(paths, n=150, extractor="random", say=lines.append)
    assert lines[:2] == [f"evaluating {path}" for path in paths]
    assert len(found.groups) == 1
    kept = read_evaluation(paths[0])
    assert kept is not None and kept.scores[0].passport.n_fake == 150
    os.utime(paths[0] / "model" / "model.safetensors")  # trained on after it was measured
    lines.clear()
    compare(paths, n=150, extractor="random", say=lines.append)
    assert lines[0] == f"evaluating {paths[0]}"


def test_two_runs_of_a_recipe_are_called_by_their_folders(runs):
    shutil.copytree(runs / "00001-vae-digits", runs / "00002-vae-digits")
    found = compare(sorted(runs.glob("*-vae-*")))
    assert [each.name for each in found.contenders] == ["00001-vae-digits", "00002-vae-digits"]
    assert "new pictures 00001-vae-digits and 00002-vae-digits: no difference that" in found.answer[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": ["vae", "vea"]}, "unknown recipe 'vea'; did you mean vae"),
        ({"recipes": ["vae", "vae"]}, "names one twice"),
        ({"recipes": ["vae"]}, r"two runs at least and received 1 \(vae\)"),
        (
            {"recipes": ["vae", "cvae"], "data": "faces:40"},
            "cvae cannot be compared, and nothing was trained: condition=",
        ),
        ({"data": None}, "need --data"),
        ({"recipes": []}, "--data needs --recipes"),
        ({"budget": "soon"}, "budget"),
    ],
)
def test_refused_before_anything_is_trained(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        contest(tmp_path / "runs", **changes)
    assert not (tmp_path / "runs").exists()


def test_runs_that_cannot_be_compared_are_refused(runs):
    one, other = sorted(runs.glob("0*"))
    for given, message in [
        ([], "received none"),
        ([one], f"received 1 \\({one}\\)"),
        ([one, one], "given twice"),
        ([one, runs / "nowhere"], "no run at"),
    ]:
        with pytest.raises(InputError, match=message):
            compare(given)
    with pytest.raises(InputError, match="not both"):
        compare([one, other], data="digits", recipes=["vae"])
    with pytest.raises(InputError, match="size is about training"):
        compare([one, other], size=32)
    shutil.rmtree(other / "model")
    with pytest.raises(InputError, match="has not ended"):
        compare([one, other])
