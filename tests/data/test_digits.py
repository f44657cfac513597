import numpy as np
from sklearn.datasets import load_digits

from latentry.data.digits import digits


def test_digits_are_those_of_scikit_learn_spread_over_a_byte() -> None:
    pictures, _ = digits()
    source = load_digits()
    assert pictures.dtype == np.uint8 and pictures.shape == (1797, 1, 8, 8)
    assert pictures.min() == 0 and pictures.max() == 255
    np.testing.assert_array_equal(np.rint(pictures[:, 0] / 255 * 16), source.images)
    assert np.abs(pictures[:, 0] - source.images * 255 / 16).max() <= 0.5


def test_classes_are_the_digits_written() -> None:
    _, labels = digits()
    assert labels.classes is not None
    assert [labels.classes.names[value] for value in labels.classes.values[:10]] == list("0123456789")
    np.testing.assert_array_equal(labels.classes.values, load_digits().target)
