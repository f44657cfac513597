"""The probe: that it learns real labels in seconds, and is itself measured on pictures it has not seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from latentry.data import condition_vectors, open_images
from latentry.data.digits import NAMES, digits
from latentry.errors import InputError
from latentry.metrics.probe import Probe, _degrade, _split, agreement, load_probe, probe_for, train_probe
from latentry.settings.specs import ConditionSpec

CLASSES = ConditionSpec("class", NAMES)


@pytest.fixture(scope="module")
def probe() -> Probe:
    """Of the built-in digits, after eight passes."""
    pictures, labels = digits()
    return train_probe(pictures, condition_vectors(labels, CLASSES), "class", NAMES, epochs=8, seed=0)


def test_digits_are_learned(probe: Probe) -> None:
    assert probe.facts.n_train + probe.facts.n_held_out == 1797
    assert 100 < probe.facts.n_held_out < 260
    assert probe.facts.overall >= 0.95 and min(probe.facts.accuracy) > 0.8


def test_probabilities_are_of_all_classes_and_features_are_what_the_last_layer_reads(probe: Probe) -> None:
    pictures = digits()[0][:300]  # more than one chunk
    told = probe.predict(pictures)
    assert told.shape == (300, 10) and told.min() >= 0
    np.testing.assert_allclose(told.sum(axis=1), 1, rtol=1e-5)
    features = torch.from_numpy(probe.features(pictures))
    assert isinstance(probe.network, torch.nn.Sequential)
    again = torch.softmax(probe.network[-1](features), dim=1)
    np.testing.assert_allclose(again.detach().numpy(), told, rtol=1e-4, atol=1e-6)
    assert probe.predict(pictures[:0]).shape == (0, 10)


def test_a_picture_is_judged_alone(probe: Probe) -> None:
    """Batch statistics are those of training: what else is judged changes nothing."""
    pictures = digits()[0][:40]
    np.testing.assert_allclose(probe.predict(pictures[3:4]), probe.predict(pictures)[3:4], rtol=1e-4, atol=1e-6)


def test_saved_and_read_back_it_predicts_the_same(probe: Probe, tmp_path: Path) -> None:
    probe.save(tmp_path / "probe")
    read = load_probe(tmp_path / "probe")
    assert read.facts == probe.facts
    assert np.array_equal(read.predict(digits()[0][:50]), probe.predict(digits()[0][:50]))
    assert read.passport() == probe.passport()
    assert (read.passport()["extractor"], read.passport()["n_held_out"]) == ("probe", probe.facts.n_held_out)


def test_pictures_of_another_size_are_refused(probe: Probe) -> None:
    with pytest.raises(InputError, match=r"\(1, 8, 8\), not \(3, 8, 8\)"):
        probe.predict(np.zeros((2, 3, 8, 8), np.uint8))


def test_equal_seeds_give_equal_probes_whatever_else_draws() -> None:
    pictures, labels = digits()
    told = condition_vectors(labels, CLASSES)[:200]
    predictions = []
    for seed in (3, 3, 4):
        torch.rand(7)  # the global source is neither read nor set
        probe = train_probe(pictures[:200], told, "class", NAMES, epochs=1, seed=seed)
        predictions.append(probe.predict(pictures[:20]))
    assert np.array_equal(predictions[0], predictions[1])
    assert not np.allclose(predictions[0], predictions[2])


def test_copies_of_a_picture_fall_on_one_side() -> None:
    """Else a probe that learnt pictures by heart would seem to be right on held-out ones."""
    originals = np.random.default_rng(0).integers(0, 256, (200, 1, 8, 8), dtype=np.uint8)
    which = np.random.default_rng(1).integers(0, 200, 1000)
    train, held_out = _split(originals[which], seed=0)
    assert sorted([*train, *held_out]) == list(range(1000))
    assert not set(which[train]) & set(which[held_out])
    assert 0.04 < len(set(which[held_out])) / 200 < 0.18  # a tenth of the originals


def squares(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures with a bright left half, a bright top half, both or neither; and how bright the ground is."""
    rng = np.random.default_rng(2)
    left, top = rng.integers(0, 2, (2, n))
    ground = rng.uniform(20, 120, n)
    pictures = np.repeat(ground[:, None, None, None], 8, axis=2).repeat(8, axis=3) + rng.normal(0, 5, (n, 1, 8, 8))
    pictures[left == 1, :, :, :4] += 60
    pictures[top == 1, :, :4] += 60
    return pictures.clip(0, 255).astype(np.uint8), np.stack([left, top, ground], axis=1)


def test_attributes_and_numbers_are_learned_too() -> None:
    pictures, truth = squares(400)
    told = (2 * truth[:, :2] - 1).astype(np.float32)
    both = train_probe(pictures, told, "attributes", ("left", "top"), epochs=8, seed=0)
    assert min(both.facts.accuracy) > 0.95
    assert ((both.predict(pictures) > 0.5) == (told > 0)).mean() > 0.95
    number = ((truth[:, 2:] - 70) / 29).astype(np.float32)
    ground = train_probe(pictures, number, "numbers", ("ground",), epochs=8, seed=0)
    assert ground.facts.overall > 0.8
    assert np.corrcoef(ground.predict(pictures)[:, 0], number[:, 0])[0, 1] > 0.95


def test_tiny_pictures_are_judged_by_a_network_without_convolutions() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (400, 3, 2, 5), dtype=np.uint8)
    bright = np.eye(2, dtype=np.float32)[(pictures.mean(axis=(1, 2, 3)) > 127).astype(int)]
    assert train_probe(pictures, bright, "class", ("dark", "bright"), epochs=20, seed=0).facts.overall > 0.8


def test_agreement_by_hand() -> None:
    """Classes: 2 of 3 zeros, 1 of 1 one, no two. Attributes: 3 and 2 of 4. Numbers: 1 - 1 / 4, and 0 at the mean."""
    asked = np.eye(3)[[0, 0, 0, 1]]
    share, overall = agreement(np.eye(3)[[0, 0, 2, 1]], asked, "class")
    np.testing.assert_allclose(share, [2 / 3, 1, np.nan])
    assert overall == 0.75
    yes_no = np.array([[1, -1], [1, -1], [-1, 1], [-1, 1]])
    share, overall = agreement(np.array([[0.9, 0.9], [0.6, 0.1], [0.4, 0.2], [0.8, 0.7]]), yes_no, "attributes")
    assert (share.tolist(), overall) == ([0.75, 0.5], 0.625)
    numbers = np.array([[2.0, 1], [-2, 3], [2, 1], [-2, 3]])
    share, overall = agreement(numbers + np.array([[1.0, 0]]) * [[1], [-1], [1], [-1]], numbers, "numbers")
    assert (share.tolist(), overall) == ([0.75, 1.0], 0.875)
    share, _ = agreement(np.tile([0.0, 2], (4, 1)), numbers, "numbers")
    assert share.tolist() == [0, 0]


def test_probe_is_kept_and_trained_anew_only_for_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTRY_CACHE", str(tmp_path))
    images = open_images("digits")
    first = probe_for(images, CLASSES, n_shown=2 * len(images), seed=0)
    kept = probe_for(images, CLASSES, n_shown=len(images), seed=0)
    assert first.facts.epochs == kept.facts.epochs == 2
    assert np.array_equal(first.predict(images.images[:9]), kept.predict(images.images[:9]))
    assert probe_for(images, CLASSES, n_shown=3 * len(images), seed=0).facts.epochs == 3
    assert probe_for(images, CLASSES, n_shown=len(images), seed=1).facts.seed == 1


def test_a_damaged_probe_is_trained_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTRY_CACHE", str(tmp_path))
    images = open_images("digits:200", size=8)
    first = probe_for(images, CLASSES, n_shown=200, seed=0)
    [weights] = tmp_path.rglob("probes/*/*.safetensors")
    for damage in (lambda: weights.write_bytes(weights.read_bytes()[:50]), weights.unlink):
        damage()
        again = probe_for(images, CLASSES, n_shown=200, seed=0)
        assert np.array_equal(again.predict(images.images[:9]), first.predict(images.images[:9]))
        assert weights.stat().st_size > 50


def test_degraded_batches_keep_half_of_the_pictures_and_blur_the_others() -> None:
    """Blur keeps a flat picture flat and spreads a dot; noise is at most a tenth."""
    flat = torch.full((400, 1, 32, 32), 0.25)
    dot = torch.full((400, 1, 32, 32), -1.0)
    dot[:, :, 16, 16] = 1.0
    lows = []
    for seed in range(8):
        after = _degrade(flat, torch.Generator().manual_seed(seed))
        kept = (after == flat).flatten(1).all(dim=1)
        assert 0.4 < kept.float().mean() < 0.6
        changed = after[~kept]
        assert changed.mean().item() == pytest.approx(0.25, abs=0.002)
        assert changed.std().item() <= 0.11
        after = _degrade(dot, torch.Generator().manual_seed(seed))
        lows.append(after[~(after == dot).flatten(1).all(dim=1)][:, 0, 16, 16].mean().item())
    assert min(lows) < -0.85 and max(lows) > 0.3  # from a blur of nearly two pixels to hardly any


def test_a_probe_trained_on_degraded_pictures_still_reads_blurred_ones() -> None:
    """Stripes, upright or lying, whose contrast a box of three pixels takes most of."""
    rng = np.random.default_rng(0)
    lying = rng.random(300) < 0.5
    phase = rng.integers(0, 4, 300)
    stripes = ((np.arange(16)[None] + phase[:, None]) % 4 < 2)[:, None, :] * np.ones((1, 16, 1))
    pixels = np.where(lying[:, None, None], stripes.transpose(0, 2, 1), stripes)[:, None]
    pictures = (60 + 120 * pixels + rng.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
    asked = np.where(lying, 1, -1).astype(np.float32)[:, None]
    degraded = train_probe(pictures, asked, "attributes", ("lying",), epochs=4, seed=0, degrade=True)
    assert degraded.facts.degraded and degraded.facts.overall > 0.95
    moved = [np.roll(pictures.astype(float), (dy, dx), (2, 3)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    blurred = np.mean(moved, axis=0)
    right = (degraded.predict(blurred.astype(np.uint8))[:, 0] > 0.5) == lying
    assert right.mean() > 0.95
