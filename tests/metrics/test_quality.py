"""Scores of features whose distances are known, beside the floor of other real ones."""

import numpy as np
import pytest
import torch

from latentry.errors import InputError
from latentry.metrics.copies import audit_copies
from latentry.metrics.estimates import share_estimate
from latentry.metrics.extractors import Extractor
from latentry.metrics.passport import Passport
from latentry.metrics.quality import Sides, class_scores, copy_scores, inception_scores, quality_scores

PASSPORT = Passport("random", "a", "none", 400, 400, "all", "f", 0)
EXTRACTOR = Extractor("random", "a", "none", 3, lambda x: torch.from_numpy(x))
FRECHET = "Frechet distance (random features)"


def rng():
    return torch.Generator().manual_seed(0)


def normal(n=400, d=3, seed=0, shift=0.0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def by_name(scores):
    return {score.name: score for score in scores}


def test_a_shift_by_two_in_each_of_three_dimensions_is_a_frechet_distance_of_twelve():
    sides = Sides(normal(seed=1), normal(seed=1, shift=2.0), normal(seed=2))
    found = by_name(quality_scores(sides, EXTRACTOR, PASSPORT, rng=rng()))
    assert found[FRECHET].value == pytest.approx(12, rel=1e-5)
    floor = found[FRECHET].floor
    assert floor is not None and 0 < floor < 0.1
    assert found[FRECHET].higher_is_better is False
    # Where nothing but chance is between two sets, the measure that has no bias is about 0.
    kernel = found["Kernel distance (random features)"]
    assert kernel.floor is not None and abs(kernel.floor) < 0.1 < kernel.value


def test_real_pictures_in_the_generators_place_reach_the_floor():
    sides = Sides(normal(seed=1), normal(seed=3), normal(seed=2))
    for score in quality_scores(sides, EXTRACTOR, PASSPORT, rng=rng()):
        assert score.interval is not None and score.floor is not None
        wide = 2 * (score.interval[1] - score.interval[0])
        assert abs(score.value - score.floor) < wide, score.name


def test_a_dropped_mode_shows_in_recall_and_coverage_and_not_in_precision():
    """Two far clusters, of which one is never made: half of the real ones are covered."""
    two = np.concatenate([normal(seed=1), normal(seed=2, shift=50.0)])
    others = np.concatenate([normal(seed=3), normal(seed=4, shift=50.0)])
    found = by_name(quality_scores(Sides(two, normal(800, seed=5), others), EXTRACTOR, PASSPORT, rng=rng()))
    for measure, expected in (("Recall", 0.5), ("Coverage", 0.5)):
        score = found[f"{measure} (random features)"]
        assert score.value == pytest.approx(expected, abs=0.03)
        assert score.floor is not None and score.floor > 0.9
        assert score.interval is not None and score.interval[1] < score.floor
    assert found["Precision (random features)"].value > 0.9


def test_fewer_pictures_than_dimensions_is_said_and_the_floor_shown():
    sides = Sides(normal(20, 30, 1), normal(20, 30, 2), normal(20, 30, 3))
    score = by_name(quality_scores(sides, EXTRACTOR, PASSPORT, rng=rng()))[FRECHET]
    assert "20 samples are fewer than make a covariance of 30 dimensions" in score.said[0]
    assert score.floor is not None and score.floor > 10  # of the same distribution: all of it is bias


def test_features_of_two_extractors_are_refused():
    with pytest.raises(InputError, match="take both with one extractor"):
        quality_scores(Sides(normal(d=3), normal(d=4), None), EXTRACTOR, PASSPORT, rng=rng())


def test_one_bad_class_stands_out():
    real, fake, floor = normal(seed=1), normal(seed=2), normal(seed=3)
    classes = np.arange(400) % 4
    fake[classes == 2] += 5
    fake = np.delete(fake, np.flatnonzero(classes == 3)[24:], axis=0)
    asked = np.delete(classes, np.flatnonzero(classes == 3)[24:])
    sides = Sides(real, fake, floor)
    found = class_scores(sides, (classes, asked, classes), ("a", "b", "c", "d"), EXTRACTOR, PASSPORT)
    values = {score.passport.details["class"]: score.value for score in found}
    assert list(values) == ["a", "b", "c"]  # of d there are too few
    assert values["c"] > 10 * max(abs(values["a"]), abs(values["b"]))
    assert found[0].passport.n_real == found[0].passport.n_fake == 100


def test_an_inception_score_of_sure_and_even_classes_is_their_number():
    sure = np.tile(np.eye(5), (40, 1))
    score = inception_scores(
        sure, np.full((200, 5), 0.2), Extractor("inception", "", "", 5, torch.from_numpy), PASSPORT
    )
    assert score[0].name == "Inception score"
    assert score[0].value == pytest.approx(5)
    assert score[0].floor == pytest.approx(1)
    assert score[0].passport.n_real == 0


def test_planted_copies_are_counted_beside_the_floor():
    real, held = normal(600, 30, 1), normal(400, 30, 2)
    made = normal(400, 30, 3)
    made[:40] = real[:40]
    audit = audit_copies({"random": made}, {"random": real}, {"random": held})
    found = by_name(copy_scores(audit, {"random": PASSPORT}))
    copies = found["Copies of training pictures (random)"]
    assert copies.value == pytest.approx(0.1, abs=0.01)
    assert copies.interval is not None and copies.interval[0] > 0.06
    assert copies.said == ("more than real pictures repeat each other: it copies", "10.0% are exact")
    assert found["Repeats among samples (random)"].said == ()


def test_none_of_1000_still_leaves_room_for_four_in_a_thousand():
    """Wilson's interval for 0 of n is 0 to z^2 / (n + z^2)."""
    found = share_estimate(0.0, 1000)
    assert found.low == 0
    assert found.high == pytest.approx(3.8415 / 1003.8415, rel=1e-4)
    assert share_estimate(0.5, 100).high == pytest.approx(0.5962, abs=1e-4)
