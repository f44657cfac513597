"""Whether mirroring is allowed: sets with and without a right way round, and sets too small to say."""

import numpy as np
import pytest

from latentry.data import open_images
from latentry.data.mirror import MirrorVerdict, mirror_allowed


def blobs(n: int, *, lit_from_left: bool, off_centre: int = 0) -> np.ndarray:
    """Grey discs of random place and size, lighter on the left or on a side drawn for each."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:32, :32]
    out = np.empty((n, 1, 32, 32), np.uint8)
    for k in range(n):
        row, radius, column = rng.uniform(12, 20), rng.uniform(6, 10), rng.normal(15.5 - off_centre, 0.5)
        side = 1 if lit_from_left else rng.choice([-1, 1])
        disc = (down - row) ** 2 + (across - column) ** 2 < radius**2
        light = np.where(disc, 140 - side * 2 * (across - column), 60)
        out[k, 0] = (light + rng.normal(0, 20, (32, 32))).clip(0, 255)
    return out


def test_digits_may_not_be_mirrored() -> None:
    """A mirrored 2 is no digit; nearly all of them are told apart."""
    verdict = mirror_allowed(open_images("digits").images, seed=0)
    assert not verdict.allowed and verdict.accuracy > 0.9 and verdict.n == 1797


def test_built_in_faces_may_not_be_mirrored() -> None:
    """Their light always comes from one side, and it is one eye that winks."""
    assert mirror_allowed(open_images("faces:400", size=32).images, seed=0).accuracy > 0.75


def test_pictures_already_mirrored_at_random_may_be_mirrored() -> None:
    """The same faces with each mirrored or not by a coin: there is nothing left to tell."""
    images = open_images("faces:800", size=16).images
    coin = np.random.default_rng(1).random(800) < 0.5
    verdict = mirror_allowed(np.where(coin[:, None, None, None], images[..., ::-1], images), seed=0)
    assert verdict.allowed and abs(verdict.accuracy - 0.5) < 3.5 * verdict.standard_error


def test_light_from_one_side_is_told_and_from_either_is_not() -> None:
    assert mirror_allowed(blobs(300, lit_from_left=True), seed=0).accuracy > 0.95
    assert mirror_allowed(blobs(300, lit_from_left=False), seed=0).allowed


def test_framing_is_no_right_way_round() -> None:
    """Symmetric things a pixel off the centre may be mirrored; a quarter of the width off, they may not."""
    assert mirror_allowed(blobs(300, lit_from_left=False, off_centre=1), seed=0).allowed
    assert not mirror_allowed(blobs(300, lit_from_left=False, off_centre=8), seed=0).allowed


def test_verdict_depends_on_the_seed_alone_and_on_2000_pictures_at_most() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2100, 3, 4, 6), dtype=np.uint8)
    before = images.copy()
    one, two = mirror_allowed(images, seed=3), mirror_allowed(images, seed=3)
    assert one == two and one.n == 2000 and one.allowed
    assert one.accuracy != mirror_allowed(images, seed=4).accuracy
    np.testing.assert_array_equal(images, before)


def test_too_few_pictures_are_no_evidence_and_are_not_mirrored() -> None:
    images = np.random.default_rng(0).integers(0, 256, (99, 1, 8, 8), dtype=np.uint8)
    for n in (0, 1, 3, 4, 99):
        verdict = mirror_allowed(images[:n], seed=0)
        assert not verdict.allowed and verdict.n == n


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 7, 1), (4, 5, 4)])
def test_pictures_that_are_their_own_mirror_image_are_guessed(shape: tuple[int, int, int]) -> None:
    """Neither right nor wrong: accuracy one half exactly, not 0 or 1."""
    half = np.random.default_rng(0).integers(0, 256, (120, *shape), dtype=np.uint8)
    images = np.concatenate([half, half[..., ::-1]], axis=3)
    assert mirror_allowed(images, seed=0) == MirrorVerdict(True, 0.5, 120)


def test_standard_error_is_the_binomial_one() -> None:
    assert MirrorVerdict(True, 0.5, 100).standard_error == pytest.approx(0.05)
