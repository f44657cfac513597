"""Duplicates, leaks and the full report."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from latentry.data import holdout_indices, inspect_images, inspect_set, open_images
from latentry.data.duplicates import exact_groups, near_groups, pixel_digests
from latentry.report.data_report import render_report
from tests.data.pictures import Save


def scene(seed: int, side: int = 48) -> np.ndarray:
    """A smooth random picture, as photographs are, uint8 [S, S, 3]."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def test_exact_copies_are_grouped() -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 4, 4), np.uint8)
    images[[3, 7]] = images[1]
    images[6] = images[2]
    assert exact_groups(pixel_digests(images)) == [[1, 3, 7], [2, 6]]
    assert exact_groups(pixel_digests(images[:0])) == []


def test_near_copies_are_found_and_others_are_not() -> None:
    pictures = [scene(seed) for seed in range(200)]
    file = io.BytesIO()
    Image.fromarray(pictures[5]).save(file, "JPEG", quality=60)
    brighter = np.clip(pictures[9].astype(int) + 6, 0, 255).astype(np.uint8)
    smaller = np.asarray(Image.fromarray(pictures[11]).resize((24, 24)).resize((48, 48)))
    pictures += [np.asarray(Image.open(file)), brighter, smaller]
    images = np.stack(pictures).transpose(0, 3, 1, 2)
    assert near_groups(images, np.arange(len(images))) == [[5, 200], [9, 201], [11, 202]]
    assert near_groups(images, np.array([5, 9, 11, 202])) == [[11, 202]]


def test_flat_pictures_are_near_only_at_the_same_level() -> None:
    images = np.full((3, 1, 8, 8), 50, np.uint8)
    images[1] += 1
    images[2] += 100
    assert near_groups(images, np.arange(3)) == [[0, 1]]


def test_odd_sizes_down_to_one_pixel() -> None:
    for height, width in [(1, 1), (3, 50), (33, 31)]:
        images = np.random.default_rng(0).integers(0, 256, (20, 3, height, width), np.uint8)
        images[19] = images[0]
        assert [0, 19] in near_groups(images, np.arange(20)) or (height, width) == (1, 1)


def test_leaks_across_the_split(save: Save, root: Path) -> None:
    for seed in range(6):
        save(f"train/{'ab'[seed % 2]}/{seed}.png", scene(seed))
    save("test/a/copy.png", scene(0))
    save("test/b/near.jpg", scene(3), quality=60)
    save("test/b/own.png", scene(50))
    save("train/a/copy.png", scene(0))
    report = inspect_images(root)
    assert report.duplicates is not None and report.n_held_out == 3
    assert report.duplicates.exact == (("test/a/copy.png", "train/a/0.png", "train/a/copy.png"),)
    assert report.duplicates.near == (("test/b/near.jpg", "train/b/3.png"),)
    assert set(report.duplicates.leaks) == {*report.duplicates.exact, *report.duplicates.near}
    assert report.duplicates.n_copies == 2 and any("both sides" in line for line in report.warnings)
    assert not any("several classes" in line for line in report.warnings)
    images = open_images(root)
    train, held = holdout_indices(images, 0.5, seed=0)
    assert [images.files[row] for row in held] == ["test/b/near.jpg", "test/b/own.png"] and len(train) == 7


def test_one_picture_in_two_classes(save: Save, root: Path) -> None:
    save("a/1.png", scene(0))
    save("b/1.png", scene(0))
    assert "1 pictures occur in several classes at once: look at their labels" in inspect_images(root).warnings


def test_the_report_is_json_and_renders(save: Save, root: Path) -> None:
    for k in range(24):
        save(f"{'big' if k else 'small'}/{k}.png", scene(k))
    save("big/rotated.jpg", scene(99), exif=_rotated())
    (root / "big/bad[1].png").write_bytes(b"broken")
    report = inspect_set(open_images(root, size=16))
    assert json.loads(json.dumps(report.to_json()))["classes"] == {"big": 24, "small": 1}
    assert report.n_rotated == 1 and any("imbalanced" in line for line in report.warnings)
    console = Console(file=io.StringIO(), width=120)
    console.print(render_report(report))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    found = ("25 pictures", "16 x 16, RGB", "big/bad[1].png", "rotated by EXIF", "imbalanced", "fit crop", "2 classes")
    for expected in found:
        assert expected in text


def test_attributes_and_numbers_in_the_report(save: Save, root: Path) -> None:
    rows = ["file,hat,glasses,age"]
    for k in range(4):
        save(f"{k}.png", scene(k))
        rows.append(f"{k}.png,{k % 2},0,{k}")
    (root / "labels.csv").write_text("\n".join(rows))
    report = open_images(root).report
    assert report.attributes == {"hat": 0.5, "glasses": 0.0}
    assert report.numbers is not None and (report.numbers["age"].least, report.numbers["age"].mean) == (0, 1.5)
    assert any("glasses is nearly constant" in line for line in report.warnings)


def _rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
