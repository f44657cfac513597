"""What goes to the hub and comes back is the model; a stand-in keeps folders where the hub's client would send them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import latentry
from latentry.cli import run
from latentry.errors import InputError
from latentry.export.hub import is_hub_name, push_to_hub, save_pretrained
from latentry.metrics.evaluation import Evaluation, write_evaluation
from latentry.metrics.passport import Passport, Score
from latentry.models.trained import TrainedModel
from tests.export.models import ATTRIBUTES, random_model

errors = pytest.importorskip("huggingface_hub.errors")


@pytest.fixture
def model(tmp_path):
    """A model in a run with a data report, metrics and an evaluation."""
    home = tmp_path / "00003-cvae-faces"
    model = random_model(home, "cvae", ATTRIBUTES)
    report = {"policy": ["8 x 8 pixels, rgb"], "notes": ["a note"], "warnings": [], "n_skipped": 3}
    record = {
        "name": "faces",
        "fingerprint": "0123456789abcdef0123",
        "n_train": 1900,
        "n_held_out": 100,
        "report": report,
    }
    (home / "data.json").write_text(json.dumps(record))
    (home / "metrics.json").write_text(json.dumps({"obedience": {"said": ["does as told 9 times of 10"]}}))
    passport = Passport("probe", "ab" * 32, "none", 500, 400, "train", "cd" * 32, 0, {"latentry": "0.1.0"}, {"k": 5})
    score = Score("Recall (probe features)", 0.625, (0.5, 0.75), passport, "share", True, (), 0.9)
    write_evaluation(home, Evaluation("/home/someone/secret/run", "faces", "probe", "it has labels", (score,)))
    config = home / "model" / "config.json"
    config.write_text(config.read_text().replace('"data": ""', '"data": "/home/someone/secret/faces"'))
    shutil.copy(config, home / "model" / "evil.pickle")
    return model


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub as a folder: what is pushed lies in it by name."""
    home = tmp_path / "hub"
    home.mkdir()

    class StandIn:
        private: dict[str, bool] = {}  # noqa: RUF012

        def __init__(self, **about):
            assert about["library_name"] == "latentry"

        def create_repo(self, name, *, private, exist_ok):
            assert exist_ok
            self.private[name] = private
            (home / name).mkdir(parents=True, exist_ok=True)

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, home / repo_id, dirs_exist_ok=True)

        def hf_hub_download(self, name, file):
            if not (home / name).is_dir():
                raise _answer(errors.RepositoryNotFoundError, 404)
            if not (home / name / file).is_file():
                raise _answer(errors.RemoteEntryNotFoundError, 404)
            return str(home / name / file)

        def snapshot_download(self, name, *, allow_patterns):
            target = tmp_path / "cache" / name
            for file in allow_patterns:
                if (home / name / file).is_file():
                    (target / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(home / name / file, target / file)
            return str(target)

    monkeypatch.setattr("huggingface_hub.HfApi", StandIn)
    monkeypatch.chdir(tmp_path)
    return home


def _answer(kind, status):
    return kind("no", response=SimpleNamespace(status_code=status, headers={}, request=None))


def test_what_is_pushed_comes_back_the_same(model, hub, tmp_path, capsys):
    assert run(["push", str(model.path.parent), "ann/faces-8", "--private", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"address": "https://huggingface.co/ann/faces-8"}
    held = hub / "ann" / "faces-8"
    names = {str(file.relative_to(held)) for file in held.rglob("*") if file.is_file()}
    assert names == {
        "config.json", "model.safetensors", "README.md", "samples.png", "vectors/vectors.json",
        "vectors/vectors.safetensors",
    }  # fmt: skip
    assert "someone" not in (held / "config.json").read_text() + (held / "README.md").read_text()
    fetched = latentry.load("ann/faces-8")
    assert np.array_equal(fetched.sample(4), model.sample(4))
    assert run(["pull", "ann/faces-8", "-o", str(tmp_path / "mine")]) == 0
    mine = TrainedModel.from_pretrained(tmp_path / "mine")
    assert np.array_equal(mine.sample(4), model.sample(4))
    assert mine.vectors.find("smiling").direction.tolist() == [0.5, -1.0, 0.25]
    with pytest.raises(InputError, match="there already"):
        run(["pull", "ann/faces-8", "-o", str(tmp_path / "mine")])


def test_the_card_says_what_the_run_knows(model, tmp_path):
    folder = model.save_pretrained(tmp_path / "saved")
    card = (folder / "README.md").read_text()
    header = card.split("---")[1].split("\n")
    assert "license: apache-2.0" in header  # latentry draws faces itself
    assert "library_name: latentry" in header
    assert "- conditional" in header
    for said in (
        "1,900 pictures to train on, 100 held out",
        "3 files could not be read",
        "does as told 9 times of 10",
        "| Recall (probe features) | 0.625 share | 0.5 to 0.75 | 0.9 | 1 |",
        "extractor probe abababababab, resize none, 500 real (train) and 400 generated pictures",
        "It is told attributes: hat, smiling.",
        "Vectors for editing: smiling.",
        "![pictures of seeds 0 to 31](samples.png)",
    ):
        assert said in card
    other = save_pretrained(model, tmp_path / "other", licence="cc-by-4.0")
    assert "license: cc-by-4.0" in (other / "README.md").read_text()
    with pytest.raises(InputError, match="as the hub names it"):
        save_pretrained(model, tmp_path / "third", licence="CC BY 4.0")
    assert not (tmp_path / "third").exists()


def test_what_is_here_comes_first(hub, tmp_path):
    (tmp_path / "runs").mkdir()
    assert not is_hub_name("runs/00001-vae")  # a run that is not there, not somebody's model
    assert not is_hub_name("runs")
    assert not is_hub_name("/tmp/x")
    assert is_hub_name("ann/faces-8")
    with pytest.raises(InputError, match="no run at runs"):
        latentry.load("runs/00001-vae")


def test_what_is_no_model_is_refused_in_one_line(hub):
    with pytest.raises(InputError, match="no model of that name on the hub"):
        latentry.load("ann/nothing")
    (hub / "ann" / "text").mkdir(parents=True)
    with pytest.raises(InputError, match=r"no latentry model: it lacks config.json"):
        latentry.load("ann/text")
    (hub / "ann" / "text" / "config.json").write_text('{"architectures": ["Bert"]}')
    with pytest.raises(InputError, match="another library's"):
        latentry.load("ann/text")
    (hub / "ann" / "text" / "config.json").write_text('{"latentry": "0.1.0", "config": {}, "sha256": ""}')
    (hub / "ann" / "text" / "model.pickle").write_text("no")
    with pytest.raises(InputError, match=r"it lacks model.safetensors"):
        latentry.load("ann/text")
    with pytest.raises(InputError, match="no name on the hub"):
        run(["pull", "just-a-name", "-o", "x"])
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("no route"), "the hub cannot be reached"),
        (errors.OfflineModeIsEnabled("offline"), "the hub cannot be reached"),
        (errors.LocalTokenNotFoundError("who"), "hf auth login"),
        (_answer(errors.HfHubHTTPError, 401), "hf auth login"),
        (_answer(errors.HfHubHTTPError, 403), "does not let you"),
        (_answer(errors.HfHubHTTPError, 500), "refused"),
    ],
)
def test_a_hub_that_will_not_is_one_line(model, hub, monkeypatch, error, said):
    def fail(self, *given, **named):
        raise error

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", fail)
    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download", fail)
    with pytest.raises(InputError, match=said) as first:
        push_to_hub(model, "ann/faces")
    with pytest.raises(InputError, match=said):
        latentry.load("ann/faces")
    assert "\n" not in str(first.value)
