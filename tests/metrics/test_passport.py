"""Scores keep their passport, and unlike passports are told apart in words."""

import json
import math
from dataclasses import replace

import pytest

from latentry.errors import InputError
from latentry.metrics.estimates import Estimate
from latentry.metrics.passport import Passport, Score, comparable

PASSPORT = Passport(
    extractor="dinov2",
    extractor_hash="a" * 64,
    resize="bicubic 224, antialiased",
    n_real=10_000,
    n_fake=10_000,
    split="held out",
    data="f" * 64,
    seed=3,
    versions={"torch": "2.13.0", "transformers": "5.1.2"},
    details={"k": 5},
)
SCORE = Score("Frechet distance (dinov2)", 12.5, (12.0, 13.0), PASSPORT, "", False, ("few pictures",))


def test_survives_json_whole() -> None:
    assert Score.from_json(json.loads(json.dumps(SCORE.to_json()))) == SCORE
    without = replace(SCORE, interval=None, higher_is_better=None, said=())
    assert Score.from_json(json.loads(json.dumps(without.to_json()))) == without


def test_what_is_not_finite_is_null_in_json() -> None:
    text = json.dumps(replace(SCORE, value=math.nan, interval=(0.0, math.inf)).to_json(), allow_nan=False)
    again = Score.from_json(json.loads(text))
    assert math.isnan(again.value)
    assert again.interval is not None
    assert again.interval[0] == 0
    assert math.isnan(again.interval[1])


def test_an_estimate_without_error_has_no_interval() -> None:
    nothing = Estimate(1.0, math.nan, math.nan, math.nan, "none", ("few",))
    assert Score.of("recall", nothing, PASSPORT).interval is None
    assert Score.of("recall", Estimate(0.5, 0.1, 0.3, 0.7, "x"), PASSPORT).interval == (0.3, 0.7)
    assert Score.of("recall", nothing, PASSPORT).said == ("few",)


def test_like_passports_may_be_compared() -> None:
    """Another seed, a patch release and another value make no difference."""
    other = replace(PASSPORT, seed=4, versions={"torch": "2.13.1+cu130", "numpy": "2.4"})
    assert comparable(SCORE, replace(SCORE, value=99.0, passport=other)) == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"extractor": "inception"}, "their extractors differ: dinov2 and inception"),
        ({"extractor_hash": "b" * 64}, "their weights of the extractor differ: aaaaaaaaaaaa and bbbbbbbbbbbb"),
        ({"resize": "none"}, "their resizing differ: bicubic 224, antialiased and none"),
        ({"n_real": 500}, "their numbers of real pictures differ: 10,000 and 500"),
        ({"n_fake": 50_000}, "their numbers of generated pictures differ: 10,000 and 50,000"),
        ({"split": "train"}, "their splits of the real pictures differ: held out and train"),
        ({"data": "0" * 64}, "their real pictures (fingerprint) differ: ffffffffffff and 000000000000"),
        ({"versions": {"torch": "2.6.0"}}, "their versions of torch differ: 2.13.0 and 2.6.0"),
        ({"details": {"k": 3}}, "their k differs: 5 and 3"),
        ({"details": {}}, "their k differs: 5 and not stated"),
    ],
)
def test_every_difference_is_said(change: dict, reason: str) -> None:
    assert comparable(PASSPORT, replace(PASSPORT, **change)) == (reason,)


def test_different_measures_are_not_compared() -> None:
    reasons = comparable(SCORE, replace(SCORE, name="FID", passport=replace(PASSPORT, extractor="inception", n_real=5)))
    assert reasons[0] == "they are different measures: Frechet distance (dinov2) and FID"
    assert len(reasons) == 3


def test_refuses_records_that_are_no_scores() -> None:
    record = SCORE.to_json()
    with pytest.raises(InputError, match=r"this is no score: \['value'\]"):
        Score.from_json({name: value for name, value in record.items() if name != "value"})
    with pytest.raises(InputError, match=r"this is no passport: \['colour'\]"):
        Score.from_json({**record, "passport": {**record["passport"], "colour": 1}})


def test_reads_as_a_line() -> None:
    assert str(SCORE) == "Frechet distance (dinov2) 12.5 (12 to 13), dinov2, 10,000 real and 10,000 generated"
