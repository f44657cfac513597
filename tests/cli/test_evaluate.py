"""`latentry evaluate` by command: what it prints, writes and refuses."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from latentry.cli import main, run
from latentry.data.faces import faces
from latentry.metrics.evaluation import Evaluation, read_evaluation


@pytest.fixture
def folders(tmp_path):
    """Two folders of faces of different seeds."""
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        for row, picture in enumerate(faces(60, 16, seed=seed)[0]):
            Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(tmp_path / str(seed) / f"{row}.png")
    return tmp_path


def command(folders, *more):
    return ["evaluate", str(folders / "2"), "--data", str(folders / "1"), "--extractor", "random", *more]


def test_a_folder_of_pictures_stands_in_for_a_run(folders, capsys):
    assert run(command(folders, "-o", str(folders / "out"))) == 0
    shown = capsys.readouterr().out
    assert "Frechet distance" in shown
    assert "30 generated against 30 real pictures (all)" in shown
    assert "note: small data, 60 real pictures" in shown
    found = read_evaluation(folders / "out")
    assert found is not None
    page = (folders / "out" / "evaluation.html").read_text()
    for score in found.scores:
        assert score.name in page
    assert f"{found.scores[0].floor:.3g}" in page
    assert found.scores[0].passport.data in page
    with Image.open(folders / "out" / "copies.png") as sheet:
        assert sheet.width > 8 * 64  # eight pairs in a row


def test_json_is_one_object_that_reads_back(folders, capsys):
    assert run(command(folders, "--json", "-n", "20", "--export", str(folders / "s.npz"))) == 0
    found = Evaluation.from_json(json.loads(capsys.readouterr().out))
    assert found.scores[0].passport.n_fake == 20
    assert (folders / "s.npz").is_file()


def test_pictures_without_real_ones_are_refused_in_one_line(folders, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["latentry", "evaluate", str(folders / "2")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    shown = capsys.readouterr().err.strip()
    assert shown.startswith("latentry: ")
    assert "--data" in shown
    assert "\n" not in shown
