"""The copy audit finds planted copies and nothing where there are none."""

import numpy as np
import pytest

from latentry.data import open_images
from latentry.errors import InputError
from latentry.metrics.copies import audit_copies, pixel_features


def vectors(n: int, seed: int, d: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


TRAINING, HELD_OUT, FRESH = vectors(800, 0), vectors(400, 1), vectors(400, 2)


def test_finds_five_per_cent_of_copied_training_pictures() -> None:
    """Exact ones and ones with noise a tenth as large as the pictures' spread; the worst pairs are the planted ones."""
    samples = FRESH.copy()
    samples[:10] = TRAINING[100:110]
    samples[10:20] = TRAINING[110:120] + 0.1 * vectors(10, 3)
    found = audit_copies({"features": samples}, {"features": TRAINING}, {"features": HELD_OUT}).training["features"]
    assert found.copies
    assert found.share == pytest.approx(0.05, abs=0.01)
    assert found.floor < 0.01
    assert found.exact == pytest.approx(10 / 400)
    assert found.worst(10) == [(i, 100 + i) for i in range(10)]
    assert set(found.worst(20)) == {(i, 100 + i) for i in range(20)}
    assert found.ratio[:10] == pytest.approx(0, abs=1e-12)


def test_fresh_samples_are_no_copies() -> None:
    audit = audit_copies({"features": FRESH}, {"features": TRAINING}, {"features": HELD_OUT})
    for found in (audit.training["features"], audit.each_other["features"]):
        assert not found.copies
        assert found.share < 0.01
    assert "no more than real pictures do" in audit.said()[0]


def test_a_set_with_duplicates_of_its_own_raises_the_floor() -> None:
    """Held-out pictures that repeat training ones as often as samples do: the generator is not to blame."""
    samples, held_out = FRESH.copy(), HELD_OUT.copy()
    samples[:40], held_out[:40] = TRAINING[:40], TRAINING[40:80]
    found = audit_copies({"features": samples}, {"features": TRAINING}, {"features": held_out}).training["features"]
    assert found.share == pytest.approx(0.1, abs=0.01)
    assert found.floor == pytest.approx(0.1, abs=0.01)
    assert not found.copies


def test_finds_samples_that_repeat_each_other() -> None:
    samples = FRESH.copy()
    samples[200:240] = samples[:40]
    found = audit_copies({"features": samples}, {"features": TRAINING}, {"features": HELD_OUT})
    assert found.each_other["features"].copies
    assert found.each_other["features"].exact == pytest.approx(80 / 400)
    assert not found.training["features"].copies


def test_one_picture_only_is_all_copies() -> None:
    """Eleven equal neighbours leave 0 / 0."""
    found = audit_copies({"a": np.ones((50, 3))}, {"a": vectors(50, 0, 3)}, {"a": vectors(50, 1, 3)}).each_other["a"]
    assert (found.share, found.exact, found.copies) == (1.0, 1.0, True)


def test_a_shifted_copy_is_seen_in_features_and_not_in_pixels() -> None:
    """Digits a pixel to the side; the feature here is the sum of each row, which a shift along it hardly moves."""
    images = np.asarray(open_images("digits").images[:700])
    training, held_out, samples = images[:400], images[400:550], images[550:700].copy()
    samples[:8] = training[:8]
    samples[8:16] = np.roll(training[8:16], 1, axis=3)

    def spaces(x: np.ndarray) -> dict[str, np.ndarray]:
        return {"pixels": pixel_features(x), "rows": x.astype(float).sum(axis=3).reshape(len(x), -1)}

    audit = audit_copies(spaces(samples), spaces(training), spaces(held_out))
    pixels, rows = audit.training["pixels"], audit.training["rows"]
    assert pixels.exact == pytest.approx(8 / 150)
    assert (pixels.ratio[:8] == 0).all()
    assert (pixels.ratio[8:16] > 0.3).all()
    np.testing.assert_array_equal(rows.nearest[:16], np.arange(16))
    assert (rows.ratio[:16] < 1e-6).all()


def test_refuses_spaces_that_do_not_match() -> None:
    a = {"a": vectors(20, 0)}
    with pytest.raises(InputError, match=r"\['a'\] for samples, \['b'\] for training"):
        audit_copies(a, {"b": a["a"]}, a)
    with pytest.raises(InputError, match="12 dimensions and generated ones 3"):
        audit_copies({"a": vectors(20, 0, 3)}, a, a)
    with pytest.raises(InputError, match="differ between spaces"):
        audit_copies({"a": a["a"], "b": vectors(15, 0)}, {**a, "b": a["a"]}, {**a, "b": a["a"]})
    with pytest.raises(InputError, match="give at least 12 vectors"):
        audit_copies({"a": vectors(5, 0)}, a, a)
    with pytest.raises(InputError, match="uint8"):
        pixel_features(np.zeros((3, 1, 2, 2)))
