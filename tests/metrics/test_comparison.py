"""Rankings claim what the intervals bear and nothing else, and only between scores that were taken alike."""

import math
from dataclasses import replace

import pytest

from latentry.metrics.comparison import group, headline, rank, told_apart, why_apart
from latentry.metrics.evaluation import Evaluation
from latentry.metrics.passport import Passport, Score

PASSPORT = Passport("random", "a" * 64, "none", 1000, 1000, "train", "f" * 64, 0)
FRECHET = Score("Frechet distance (random features)", 1.0, (0.9, 1.1), PASSPORT, "", False)


def at(value, half=0.1, **changes):
    interval = None if half is None else (value - half, value + half)
    return replace(FRECHET, value=value, interval=interval, **changes)


def evaluation(*scores):
    return Evaluation("run", "pictures", "random", "asked for", scores)


def test_a_difference_is_real_from_the_root_of_the_summed_squares_on():
    """Two intervals of half-width 0.1: the difference's is 0.1414, less than their ends would need to part (0.2)."""
    assert told_apart(at(1.0), at(1.142))
    assert not told_apart(at(1.0), at(1.141))
    assert told_apart(at(1.142), at(1.0))


def test_many_pairs_take_more():
    """Of ten pairs each needs 99.5 %: 2.807 standard errors where one pair needs 1.960, so 0.2025 and not 0.1414."""
    assert not told_apart(at(1.0), at(1.202), n_pairs=10)
    assert told_apart(at(1.0), at(1.203), n_pairs=10)


def test_the_end_that_faces_the_other_counts():
    """Shares near 1 have short upper and long lower ends."""
    low = replace(FRECHET, value=0.9, interval=(0.5, 0.95))
    high = replace(FRECHET, value=0.99, interval=(0.95, 1.0))
    assert told_apart(low, high)  # 0.09 > sqrt(0.05^2 + 0.04^2) = 0.064


@pytest.mark.parametrize("other", [at(100.0, None), at(math.nan), replace(at(1.0), value=math.inf)])
def test_without_an_interval_or_a_number_nothing_is_claimed(other):
    assert not told_apart(at(1.0), other)


def test_the_best_is_named_alone_only_where_it_is():
    found = rank({"a": at(2.0), "b": at(1.0), "c": at(1.5)})
    assert found is not None
    assert found.order == ("b", "c", "a")
    assert (found.winner, found.reason) == ("b", "")
    found = rank({"a": at(2.0), "b": at(1.0), "c": at(1.05)})
    assert found is not None
    assert found.best == ("b", "c")
    assert found.winner is None
    assert found.reason == "no difference that the samples can show"


def test_larger_is_better_where_it_says_so_and_nothing_is_ranked_where_neither_is():
    up = rank({"a": at(2.0, higher_is_better=True), "b": at(1.0, higher_is_better=True)})
    assert up is not None
    assert up.winner == "a"
    assert rank({"a": at(2.0, higher_is_better=None), "b": at(1.0, higher_is_better=None)}) is None


def test_scores_without_intervals_are_ordered_but_not_decided():
    found = rank({"a": at(2.0, None), "b": at(1.0, None)})
    assert found is not None
    assert found.order == ("b", "a")
    assert found.best == ("b", "a")
    assert found.reason == "it has no interval, so no difference is claimed"


def test_runs_on_other_pictures_are_ranked_apart_with_the_reason():
    elsewhere = replace(PASSPORT, data="0" * 64)
    parts = group(
        {
            "far": evaluation(replace(at(0.1), passport=elsewhere)),
            "a": evaluation(at(2.0)),
            "b": evaluation(at(1.0)),
        }
    )
    assert [part.names for part in parts] == [("b", "a"), ("far",)]  # best first, the largest group first
    assert parts[0].rankings[FRECHET.name].winner == "b"
    assert parts[0].apart == ()
    assert parts[1].apart == ("their real pictures (fingerprint) differ: 000000000000 and ffffffffffff",)
    assert parts[1].rankings == {}


def test_another_number_of_samples_or_extractor_parts_them_too():
    a = evaluation(at(1.0))
    fewer = evaluation(replace(at(1.0), passport=replace(PASSPORT, n_fake=500)))
    assert why_apart(a, fewer) == ("their numbers of generated pictures differ: 1,000 and 500",)
    assert why_apart(a, evaluation()) == ("samples of one of them were not compared with real pictures",)
    assert why_apart(a, evaluation(replace(at(1.0), passport=replace(PASSPORT, seed=5)))) == ()


def test_a_measure_that_was_taken_differently_is_left_out_while_others_are_ranked():
    """Likelihoods of two kinds are in the same unit and do not compare."""
    nll = Score("Negative log-likelihood", 100.0, (99.0, 101.0), replace(PASSPORT, details={"likelihood": "gaussian"}))
    nll = replace(nll, higher_is_better=False)
    other = replace(nll, value=50.0, passport=replace(PASSPORT, details={"likelihood": "bernoulli"}))
    [part] = group({"a": evaluation(at(2.0), nll), "b": evaluation(at(1.0), other)})
    assert set(part.rankings) == {FRECHET.name}


def test_a_measure_that_one_lacks_is_ranked_among_those_that_have_it():
    psnr = Score("PSNR of reconstructions", 20.0, (19.9, 20.1), PASSPORT, "dB", True)
    better = replace(psnr, value=21.0, interval=(20.9, 21.1))
    [part] = group({"gan": evaluation(at(1.0)), "a": evaluation(at(2.0), psnr), "b": evaluation(at(3.0), better)})
    assert part.rankings[psnr.name].order == ("b", "a")


def test_the_headline_is_the_plain_distance():
    line = replace(FRECHET, name="Frechet distance, N to infinity (random features)")
    of_class = replace(FRECHET, name="Kernel distance (random features) of smiling")
    assert headline(evaluation(of_class, line, FRECHET)) is FRECHET
    fid = replace(FRECHET, name="FID")
    assert headline(evaluation(FRECHET, fid)) is fid
    assert headline(evaluation(of_class)) is None
