"""Grades of edits whose outcome is written down by hand."""

import json
import math

import numpy as np
import pytest

from latentry.errors import InputError
from latentry.latent import calls, flip_matrix, grade_edit

YES, NO = 0.9, 0.2
LABELS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def outputs():
    """Four pictures, two labels, doses 0, 1, 2; the first label is edited."""
    null = np.array([[NO, NO], [YES, YES], [YES, NO], [NO, YES]])  # two are misread before anything is edited
    one = np.array([[YES, NO], [YES, YES], [NO, NO], [NO, YES]])
    two = np.array([[YES, YES], [YES, NO], [NO, YES], [NO, YES]])
    return np.stack([null, one, two])


def test_success_flips_ceiling_and_dose_by_hand():
    grade = grade_edit(outputs(), LABELS, 0, (0.0, 1.0, 2.0))
    assert grade.added == (0.5, 1.0, 1.0)
    assert grade.removed == (0.5, 1.0, 1.0)
    assert [row[1] for row in grade.flips] == [0.0, 0.0, 0.75]
    assert math.isnan(grade.flips[0][0])
    assert grade.drift == pytest.approx((0.0, 0.0, 0.75 * (YES - NO)))
    assert (grade.ceiling_added, grade.ceiling_removed, grade.ceiling) == (0.5, 0.5, 0.5)
    assert grade.recommended == 1.0  # as successful as dose 2, and nothing else changes
    assert (grade.n_without, grade.n_with) == (2, 2)
    assert flip_matrix([grade]).tolist() == [[1.0, 0.0]]


def test_no_more_is_recommended_than_reaches_the_ceiling_and_less_where_others_flip():
    labels = np.eye(2)[[0, 0, 1, 1]]
    null = np.where([[1, 0], [1, 0], [0, 1], [1, 0]], YES, NO)  # one of the two positives is misread: ceiling 0.75
    most = np.where([[0, 1], [1, 0], [1, 0], [1, 0]], YES, NO)  # 0.75
    all_ = np.where([[0, 1], [0, 1], [1, 0], [1, 0]], YES, NO)
    grade = grade_edit(np.stack([null, most, all_]), labels, 1, (0.0, 1.0, 2.0), exclusive=True)
    assert (grade.ceiling, grade.success, grade.recommended) == (0.75, (0.25, 0.75, 1.0), 1.0)
    # Independent labels: the first dose reaches less, but the second flips the other label in every picture.
    yes_no = outputs()
    yes_no[1, 0, 0] = NO
    yes_no[2, :, 1] = np.where(yes_no[0, :, 1] > 0.5, NO, YES)
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    yes_no[0, :, 0] = np.where(labels[:, 0], YES, NO)  # ceiling 1
    grade = grade_edit(yes_no, labels, 0, (0.0, 1.0, 2.0))
    assert (grade.success, grade.mean_flips) == ((0.0, 0.75, 1.0), (0.0, 0.0, 1.0))
    assert grade.recommended == 1.0


def test_equal_doses_recommend_the_smallest_and_the_null_edit_is_never_recommended():
    same = np.stack([outputs()[1]] * 3)
    assert grade_edit(same, LABELS, 0, (0.0, 0.5, 1.0)).recommended == 0.5
    worse = np.stack([outputs()[1], outputs()[0]])
    assert grade_edit(worse, LABELS, 0, (0.0, 1.0)).recommended == 1.0


def test_the_error_is_binomial_in_both_groups():
    labels = np.array([[0]] * 4 + [[1]] * 8)
    seen = np.concatenate([[[YES]] * 3, [[NO]] * 1, [[NO]] * 6, [[YES]] * 2])
    grade = grade_edit(np.stack([labels * 0.8, seen]), labels, 0, (0.0, 1.0))
    assert grade.success[1] == 0.75
    assert grade.error == pytest.approx(0.5 * math.sqrt(0.1875 / 4 + 0.1875 / 8))
    assert grade.mean_flips == (0.0, 0.0)
    assert math.isnan(grade.drift[1])


def test_of_classes_only_third_ones_count_as_flips():
    labels = np.eye(3)[[0, 1, 2, 2]]
    null = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
    # Towards class 2: the first gets there, the second ends as class 0; away from it: one goes, one stays.
    moved = np.array([[0.1, 0.1, 0.8], [0.7, 0.2, 0.1], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]])
    grade = grade_edit(np.stack([null, moved]), labels, 2, (0.0, 1.0), exclusive=True)
    assert (grade.added[1], grade.removed[1]) == (0.5, 0.5)
    assert grade.flips[1][:2] == (1.0, 0.0)  # class 0 is third only for the second picture, class 1 for the first
    assert grade.drift[1] == pytest.approx((0.0 + 0.6) / 2)
    assert calls(null, exclusive=True).sum(axis=1).tolist() == [1, 1, 1, 1]


def test_two_classes_leave_no_third():
    labels = np.eye(2)[[0, 1]]
    grade = grade_edit(np.stack([labels, labels[::-1]]), labels, 0, (0.0, 1.0), exclusive=True)
    assert grade.success == (0.0, 1.0)
    assert grade.mean_flips == (0.0, 0.0)
    assert math.isnan(grade.drift[1])


def test_a_group_without_pictures_is_null_in_json_and_does_not_spoil_the_rest():
    grade = grade_edit(outputs()[:, :2], LABELS[:2], 0, (0.0, 1.0, 2.0))
    assert grade.success == (0.5, 1.0, 1.0)
    record = json.loads(json.dumps(grade.to_json(), allow_nan=False))
    assert record["removed"] == [None, None, None]
    assert record["ceiling_added"] is None
    assert record["flips"][2] == [None, 1.0]


def test_what_cannot_be_graded_is_refused():
    with pytest.raises(InputError, match="rise from 0"):
        grade_edit(outputs(), LABELS, 0, (1.0, 0.0, 2.0))
    with pytest.raises(InputError, match="at least one"):
        grade_edit(outputs()[:, :0], LABELS[:0], 0, (0.0, 1.0, 2.0))
