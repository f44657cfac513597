"""Parquet and Hugging Face data sets, made by the tests."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentry.data import build, open_images
from latentry.errors import InputError
from tests.data.pictures import noise, png

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def expected(seeds: range) -> np.ndarray:
    return np.stack([noise(seed).transpose(2, 0, 1) for seed in seeds])


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_bytes_and_labels(tmp_path: Path) -> None:
    columns = {"image": [png(k) for k in range(5)], "label": [0, 2, 0, 2, 2], "hat": [True, False, True, True, False]}
    columns |= {"age": [0.5, 1, 2, 3, 4], "caption": ["a", "b", "c", "d", "e"]}
    images = open_images(write(tmp_path / "a.parquet", columns, row_group_size=2))
    np.testing.assert_array_equal(images.images, expected(range(5)))
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.attributes is not None and images.labels.numbers is not None
    assert images.labels.classes.values.tolist() == [0, 1, 0, 1, 1]
    assert images.labels.attributes.values[:, 0].tolist() == [1, 0, 1, 1, 0]
    assert images.labels.numbers.values[:, 0].tolist() == [0.5, 1, 2, 3, 4]
    assert "not read as labels: caption" in images.report.notes[0]


def test_structs_of_bytes_and_path_over_files_of_two_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "n_workers", lambda _: 2)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/2.png").write_bytes(png(2))
    cells: list[dict[str, Any]] = [
        {"bytes": png(0), "path": None},
        {"bytes": png(1), "path": "x.png"},
        {"bytes": None, "path": "2.png"},
    ]
    write(tmp_path / "set/train-00000-of-00001.parquet", {"img": cells})
    (tmp_path / "set/2.png").rename(tmp_path / "2.png")
    write(tmp_path / "set/test-00000-of-00001.parquet", {"img": [{"bytes": png(9), "path": None}]})
    with pytest.raises(InputError, match="cannot read row"):
        open_images(tmp_path / "set")
    (tmp_path / "set/pictures").mkdir()
    (tmp_path / "2.png").rename(tmp_path / "set/pictures/.2.png")
    cells[2]["path"] = "pictures/.2.png"
    write(tmp_path / "set/train-00000-of-00001.parquet", {"img": cells})
    images = open_images(tmp_path / "set")
    np.testing.assert_array_equal(images.images[1:], expected(range(3)))
    assert images.split is not None and images.split.tolist() == [1, 0, 0, 0] and images.name == "set"


def test_an_empty_cell_is_left_out(tmp_path: Path) -> None:
    images = open_images(write(tmp_path / "a.parquet", {"image": [png(0), None, png(1)], "label": ["x", "y", "z"]}))
    assert images.files == ("row 0", "row 2") and images.report.skipped[0].reason == "damaged: the cell is empty"
    assert images.labels is not None and images.labels.classes is not None
    assert images.labels.classes.values.tolist() == [0, 2] and images.report.classes == {"x": 1, "y": 0, "z": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [1]}, r"has 0 columns of pictures among: x \(int64\)"),
        ({"a": [b"x"], "b": [b"x"]}, "has 2 columns of pictures"),
        ({"image": pa.array([], pa.binary())}, "has no rows"),
        ({"image": [b"x", b"y"], "label": [1, None]}, "1 empty values in the column label"),
        ({"image": [b"x", b"y"]}, "none of the 2 pictures"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_images(write(tmp_path / "a.parquet", columns))


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(InputError, match="as parquet"):
        open_images(tmp_path / "a.parquet")


@pytest.mark.parametrize(("spec", "extra"), [("a.parquet", "parquet"), ("hf:owner/name", "hub")])
def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, extra: str) -> None:
    write(tmp_path / "a.parquet", {"image": [png(0)]})
    real = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.split(".")[0] in ("pyarrow", "datasets"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=rf"pip install 'latentry\[{extra}\]'"):
        open_images(spec if spec.startswith("hf:") else tmp_path / spec)


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    module = pytest.importorskip("datasets")
    monkeypatch.setattr(module.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    module.disable_progress_bars()
    return module


def make_hub_set(datasets: Any, seeds: range, labels: list[int]) -> Any:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "emu"])})
    rows = {"image": [{"bytes": png(seed), "path": None} for seed in seeds], "label": labels}
    return datasets.Dataset.from_dict(rows, features=features)


def test_a_saved_hub_data_set(datasets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "n_workers", lambda _: 2)
    parts = {"test": make_hub_set(datasets, range(3, 5), [0, 0]), "train": make_hub_set(datasets, range(3), [2, 0, 2])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "pets")
    images = open_images(f"hf:{tmp_path / 'pets'}")
    order = [3, 4, 0, 1, 2]
    np.testing.assert_array_equal(images.images, expected(range(5))[order])
    assert images.labels is not None and images.labels.classes is not None and images.split is not None
    assert images.labels.classes.names == ("cat", "dog", "emu") and images.name == "pets"
    assert images.labels.classes.values.tolist() == [0, 0, 2, 0, 2] and images.split.tolist() == [1, 1, 0, 0, 0]
    assert open_images(f"hf:{tmp_path / 'pets'}").fingerprint == images.fingerprint
    train = open_images(f"hf:{tmp_path / 'pets'}:train")
    assert len(train) == 3 and train.split is None


def test_a_local_folder_in_the_hub_s_layout(datasets: Any, tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    make_hub_set(datasets, range(3), [2, 0, 2]).to_parquet(tmp_path / "repo/train-00000-of-00001.parquet")
    for spec in (f"hf:{tmp_path / 'repo'}:train", tmp_path / "repo"):
        images = open_images(spec)
        np.testing.assert_array_equal(images.images, expected(range(3)))
        assert images.labels is not None and images.labels.classes is not None
        assert images.labels.classes.names == ("cat", "dog", "emu")


def test_a_data_set_in_memory(datasets: Any) -> None:
    images = open_images(make_hub_set(datasets, range(3), [2, 0, 2]))
    np.testing.assert_array_equal(images.images, expected(range(3)))


def test_a_hub_data_set_that_is_not_there(datasets: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"cannot open hf:.*empty") as caught:
        open_images(f"hf:{tmp_path / 'empty'}")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="names no data set"):
        open_images("hf:")
