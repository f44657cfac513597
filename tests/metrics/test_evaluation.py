"""An evaluation survives its file, and damaged ones are refused."""

import json

import pytest

from latentry.errors import InputError
from latentry.metrics.evaluation import FILE, Evaluation, read_evaluation, write_evaluation
from latentry.metrics.passport import Passport, Score

PASSPORT = Passport("probe", "b", "none", 10, 10, "train", "f", 0, {"torch": "2.13.0"}, {"k": 5})
SCORES = (
    Score("Recall (probe features)", 0.5, (0.4, 0.6), PASSPORT, "share", True, ("few",), 0.9),
    Score("Rate", 12.0, None, PASSPORT, "nats per picture"),
)
EVALUATION = Evaluation("runs/7", "faces", "probe", "it was there", SCORES, ("small data",))


def test_survives_its_file_whole(tmp_path):
    assert read_evaluation(tmp_path) is None
    write_evaluation(tmp_path, EVALUATION)
    assert read_evaluation(tmp_path) == EVALUATION


def test_a_score_is_found_by_its_name():
    assert EVALUATION.find("Rate") is SCORES[1]
    assert EVALUATION.find("FID") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 2}, "has format 2"), ({"extra": 1}, r"\['extra'\] missing or unknown"), (None, "not JSON")],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, change, message):
    record = "{" if change is None else json.dumps({**EVALUATION.to_json(), **change})
    (tmp_path / FILE).write_text(record)
    with pytest.raises(InputError, match=f"{FILE}.*{message}"):
        read_evaluation(tmp_path)
