"""Label files: what each column becomes, and each mistake with its line."""

import json
from pathlib import Path

import numpy as np
import pytest

from latentry.data import Labels, open_images
from latentry.data.label_files import read_csv_labels
from latentry.data.labels import labels_from_arrays
from latentry.errors import InputError
from tests.data.pictures import Save, zipped


@pytest.fixture
def three(save: Save, root: Path) -> Path:
    for k, name in enumerate(["a.png", "b.png", "sub/c.png"]):
        save(name, k)
    return root


def labels_of(root: Path) -> Labels:
    labels = open_images(root).labels
    assert labels is not None
    return labels


def test_columns_become_classes_attributes_and_numbers(three: Path) -> None:
    (three / "labels.csv").write_text(
        "\ufefffile,kind,smiling,hat,age\nsub/c.png,dog,yes,-1,3.5\n./a.png,cat,No,1,-2\nb.png,dog,TRUE,0,7e1\n",
        encoding="utf-8",
    )
    labels = labels_of(three)
    assert labels.classes is not None and labels.attributes is not None and labels.numbers is not None
    assert labels.classes.names == ("cat", "dog") and labels.classes.values.tolist() == [0, 1, 1]
    assert labels.attributes.names == ("smiling", "hat")
    assert labels.attributes.values.tolist() == [[0, 1], [1, 0], [1, 0]]
    assert labels.numbers.names == ("age",) and labels.numbers.values[:, 0].tolist() == [-2, 70, 3.5]


def test_a_column_of_numbers_with_something_else_in_it_is_not_taken_for_classes() -> None:
    def labels(column: str, cells: list[str]) -> Labels | None:
        table = "\n".join([f"file,{column}", *(f"{i}.png,{cell}" for i, cell in enumerate(cells))])
        return read_csv_labels(table, "labels.csv")[1]

    for cells in (["0.5", "n/a", "1.5"], ["nan", "0.25", "3"], [*map(str, range(30)), "?"]):
        with pytest.raises(InputError, match=r"column tilt holds numbers in \d+ of \d+ rows and '(n/a|nan|\?)' in row"):
            labels("tilt", cells)
    for column, cells in (("kind", ["1", "2", "both"]), ("kind", ["1.5", "a", "b"]), ("label", ["1.5", "2.5", "both"])):
        found = labels(column, cells)
        assert found is not None and found.classes is not None and found.classes.names == tuple(sorted(cells))


def test_metadata_csv_with_the_path_in_another_column(three: Path) -> None:
    (three / "metadata.csv").write_text("smiling;file_name\n1;a.png\n0;b.png\n1;sub\\c.png\n")
    labels = labels_of(three)
    assert labels.attributes is not None and labels.attributes.values[:, 0].tolist() == [1, 0, 1]
    assert labels.classes is None and labels.numbers is None


@pytest.mark.parametrize("column", ["class", "Label", "target"])
def test_whole_numbers_in_a_column_of_classes_are_classes(three: Path, column: str) -> None:
    (three / "labels.csv").write_text(f"path,{column}\na.png,1\nb.png,7\nsub/c.png,1\n")
    classes = labels_of(three).classes
    assert classes is not None and classes.names == ("1", "7") and classes.values.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([2, 0, 2], "classes", [1, 0, 1]),
        ([[1, 0], [0, 0], [1, 1]], "attributes", [[1, 0], [0, 0], [1, 1]]),
        ([[0.5, 2], [0, 0], [1, 1]], "numbers", [[0.5, 2], [0, 0], [1, 1]]),
    ],
)
def test_dataset_json(three: Path, values: list[object], kind: str, expected: object) -> None:
    pairs = list(zip(["a.png", "b.png", "sub/c.png"], values, strict=True))
    (three / "dataset.json").write_text(json.dumps({"labels": pairs}))
    assert getattr(labels_of(three), kind).values.tolist() == expected


def test_dataset_json_without_labels_leaves_folders_as_classes(save: Save, root: Path) -> None:
    save("x/1.png", 0)
    save("y/1.png", 1)
    (root / "dataset.json").write_text('{"labels": null}')
    classes = labels_of(root).classes
    assert classes is not None and classes.names == ("x", "y")


@pytest.mark.parametrize("beside", [False, True])
def test_celeba_list_in_the_folder_or_its_parent(save: Save, root: Path, beside: bool) -> None:
    save("img/000002.png", 0)
    save("img/000001.png", 1)
    where = root if beside else root / "img"
    (where / "list_attr_celeba.txt").write_text("2\nBald Smiling\n000001.png -1  1\n000002.png  1 -1\n")
    for spec in (root, root / "img", zipped(root)):
        attributes = labels_of(spec).attributes
        assert attributes is not None and attributes.names == ("Bald", "Smiling")
        assert attributes.values.tolist() == [[0, 1], [1, 0]]


def test_labels_inside_a_zip_under_one_folder(three: Path) -> None:
    (three / "labels.csv").write_text("file,age\na.png,3\nb.png,4\nsub/c.png,5\n")
    numbers = labels_of(zipped(three, prefix="x/y/")).numbers
    assert numbers is not None and numbers.values[:, 0].tolist() == [3, 4, 5]


def test_the_first_label_file_is_read_and_said(three: Path) -> None:
    (three / "labels.csv").write_text("file,age\na.png,3\nb.png,4\nsub/c.png,5\n")
    (three / "dataset.json").write_text('{"labels": [["a.png", 1]]}')
    assert any("dataset.json is not read" in note for note in open_images(three).report.notes)


BAD = {
    "labels that name missing files": ("file,x\na.png,3\nb.png,4\nsub/c.png,5\nd.png,6\n", "names 1 of 4 .* d.png"),
    "pictures without a row": ("file,x\na.png,3\n", "no row for 2 of 3 pictures: b.png, sub/c.png"),
    "unequal columns": ("file,x\na.png,3\nb.png,4,5\n", "labels.csv, line 3: 3 values where the header has 2"),
    "empty value": ("file,x,y\na.png,3,\n", "labels.csv, line 2: 2 values"),
    "listed twice": ("file,x\na.png,3\na.png,4\n", "lists a.png twice"),
    "two columns of text": ("file,x,y\na.png,p,q\nb.png,p,q\nsub/c.png,r,r\n", "2 columns of classes"),
    "no label": ("file\na.png\n", "needs a file column and at least one label"),
    "nothing": ("", "needs a file column"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_in_csv_are_one_line(three: Path, case: str) -> None:
    text, message = BAD[case]
    (three / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        open_images(three)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.csv", b"file,x\na.png,\xff\n", "not UTF-8"),
        ("dataset.json", b"{", "not JSON"),
        ("dataset.json", b'{"labels": [1, 2]}', "not pairs"),
        (
            "dataset.json",
            b'{"labels": [["a.png", [1]], ["b.png", [1, 2]]]}',
            "several kinds or lengths",
        ),
        ("list_attr_celeba.txt", b"x\n", "begin with a line that counts"),
        ("list_attr_celeba.txt", b"1\nBald Smiling\na.png 1\n", "line 3: 1 values where there are 2"),
        ("list_attr_celeba.txt", b"3\nBald\na.png 1\n", "says 3 pictures .* lists 1"),
    ],
)
def test_mistakes_in_other_files_are_one_line(three: Path, name: str, content: bytes, message: str) -> None:
    (three / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_images(three)


def test_a_changed_label_file_is_read_anew(three: Path) -> None:
    (three / "labels.csv").write_text("file,x\na.png,3\nb.png,4\nsub/c.png,5\n")
    first = open_images(three)
    (three / "labels.csv").write_text("file,x\na.png,9\nb.png,4\nsub/c.png,5\n")
    numbers = labels_of(three).numbers
    assert numbers is not None and numbers.values[0, 0] == 9
    assert open_images(three).fingerprint != first.fingerprint


def test_arrays_and_back() -> None:
    _, labels = read_csv_labels("file,kind,age,hat\na,x,1.5,0\nb,y,2,1\n", "t")
    assert labels is not None
    again = labels_from_arrays(labels.arrays())
    assert again is not None and again.digest() == labels.digest()
    assert labels.take(np.array([1, 0])).digest() != labels.digest()
    assert labels_from_arrays({}) is None
