"""Large files of pictures are used where they lie; nothing reads them whole."""

from pathlib import Path

import numpy as np
import pytest

from latentry.data import holdout_indices, in_place, inspect_set, open_images
from latentry.data import inspect as inspection
from latentry.data.in_place import is_mapped, let_go, spread


@pytest.fixture
def pixels(tmp_path: Path) -> np.ndarray:
    """Of 50 pictures, the last like the first, written beside the test in two layouts."""
    array = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 8), np.uint8)
    array[49] = array[0]
    np.save(tmp_path / "chw.npy", array)
    np.save(tmp_path / "hwc.npy", array.transpose(0, 2, 3, 1).copy())
    return array


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large."""
    monkeypatch.setattr(in_place, "LARGE_BYTES", 0)
    monkeypatch.setattr("latentry.data.stream.LARGE_BYTES", 0)


@pytest.mark.parametrize("layout", ["chw", "hwc"])
def test_the_pictures_are_the_files_own(large: None, pixels: np.ndarray, tmp_path: Path, layout: str) -> None:
    cache = tmp_path / "cache"
    images = open_images(tmp_path / f"{layout}.npy", cache=cache)
    np.testing.assert_array_equal(images.images, pixels)
    assert is_mapped(images.images) and not images.images.flags.writeable
    assert not cache.exists()
    assert images.digests is None and images.files == ()
    report = images.report
    assert (report.n_images, report.modes, report.sizes[0].n_images) == (50, {"RGB": 50}, 50)
    assert "the fingerprint is of 50 of them" in report.notes[-1]


def test_the_fingerprint_tells_other_pictures_and_other_numbers_of_them(
    large: None, pixels: np.ndarray, tmp_path: Path
) -> None:
    first = open_images(tmp_path / "chw.npy").fingerprint
    assert first == open_images(tmp_path / "hwc.npy").fingerprint  # the layout of the file is no part of a picture
    np.save(tmp_path / "fewer.npy", pixels[:49])
    np.save(tmp_path / "other.npy", 255 - pixels)
    assert len({first, *(open_images(tmp_path / f"{name}.npy").fingerprint for name in ("fewer", "other"))}) == 3


@pytest.mark.parametrize("request_", [{"size": 4}, {"channels": "grey"}, {"limit": 10}])
def test_what_needs_decoding_is_decoded(
    large: None, pixels: np.ndarray, tmp_path: Path, request_: dict[str, object]
) -> None:
    images = open_images(tmp_path / "chw.npy", cache=tmp_path / "cache", **request_)  # type: ignore[arg-type]
    assert images.digests is not None and (tmp_path / "cache").exists()


def test_small_files_are_decoded_into_the_cache(pixels: np.ndarray, tmp_path: Path) -> None:
    assert open_images(tmp_path / "chw.npy", cache=tmp_path / "cache").digests is not None


def test_a_damaged_file_is_refused_as_ever(large: None, tmp_path: Path) -> None:
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(ValueError, match="cannot read"):
        open_images(tmp_path / "cut.npy", cache=tmp_path / "cache")


def test_splits_are_drawn_without_a_look_at_the_pictures(
    large: None, pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = open_images(tmp_path / "chw.npy")
    monkeypatch.setattr("latentry.data.stream.pixel_digests", lambda _: pytest.fail("all pictures were read"))
    train, held = holdout_indices(images, 0.1, seed=0)
    assert len(held) == 5 and sorted([*train, *held]) == list(range(50))
    assert set(held) != set(holdout_indices(images, 0.1, seed=1)[1])
    assert [len(part) for part in holdout_indices(images, 0, seed=0)] == [50, 0]


def test_inspection_says_how_many_pictures_it_compared(
    large: None, pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = open_images(tmp_path / "chw.npy")
    whole = inspect_set(images).duplicates
    assert whole is not None and whole.exact == (("picture 0", "picture 49"),)
    monkeypatch.setattr(inspection, "_COMPARED", 25)
    some = inspect_set(images)
    assert some.duplicates is not None and some.duplicates.exact == ()  # every other picture: not the last
    assert some.notes[-1] == "copies were looked for among 25 of the 50 pictures"


def test_memory_is_given_back_and_read_again(pixels: np.ndarray, tmp_path: Path) -> None:
    mapped = np.load(tmp_path / "chw.npy", mmap_mode="r")
    some = mapped[:5]
    assert is_mapped(some) and not is_mapped(pixels)
    np.testing.assert_array_equal(some, pixels[:5])
    for array in (some, pixels):
        let_go(array)
    np.testing.assert_array_equal(mapped, pixels)


def test_rows_are_spread_evenly() -> None:
    assert spread(3, 5).tolist() == [0, 1, 2]
    assert spread(10, 4).tolist() == [0, 2, 5, 7]
