"""Readers of the files that carry labels beside pictures: CSV, `dataset.json`, CelebA's list of attributes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from latentry.data.labels import Labels, integer_classes, labels_from_columns, labels_from_vectors
from latentry.errors import InputError

PATH_COLUMNS = ("file_name", "file", "filename", "path", "image")
CELEBA = "list_attr_celeba.txt"
_SHOWN = 3


def _read_csv(text: str, where: str) -> tuple[list[str], dict[str, list[str]]]:
    """Paths and the other columns of a CSV file with a header line."""
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)  # a comma where there is none of them
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [cell.strip() for cell in next(rows, [])]
    if len(header) < 2 or len(set(header)) < len(header):
        raise InputError(
            f"{where} has the header {header_line.strip()!r}; it needs a file column and at least one label"
        )
    lines: list[list[str]] = []
    for row in rows:
        if not row:
            continue
        if len(row) != len(header) or any(not cell.strip() for cell in row):
            raise InputError(
                f"{where}, line {rows.line_num}: {len([c for c in row if c.strip()])} values where the header has "
                f"{len(header)} columns; give every column a value"
            )
        lines.append(row)
    path_at = next((header.index(name) for name in header if name.lower() in PATH_COLUMNS), 0)
    columns = {name: [row[k] for row in lines] for k, name in enumerate(header) if k != path_at}
    return [row[path_at].strip() for row in lines], columns


def read_csv_labels(text: str, where: str) -> tuple[list[str], Labels | None]:
    """Paths and labels of `labels.csv` or `metadata.csv`: a header, a column of paths, and at least one of labels."""
    paths, columns = _read_csv(text, where)
    return paths, labels_from_columns(columns, where)


def read_json_labels(text: str, where: str) -> tuple[list[str], Labels | None]:
    """Paths and labels of `dataset.json`, as StyleGAN's tools write it: `{"labels": [[path, y], ...]}` or null."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    pairs = record.get("labels") if isinstance(record, dict) else None
    if pairs is None:
        return [], None
    shape = 'it must be [["path", y], ...], with y a class number or a list of numbers'
    try:
        paths = [str(path) for path, _ in pairs]
        values = [y for _, y in pairs]
    except (TypeError, ValueError) as error:
        raise InputError(f"labels in {where} are not pairs; {shape}") from error
    if all(isinstance(y, int) and not isinstance(y, bool) for y in values):
        return paths, Labels(classes=integer_classes(values))
    try:
        vectors = np.array([[y] if isinstance(y, int | float) else y for y in values], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"labels in {where} are of several kinds or lengths; {shape}") from error
    if vectors.ndim != 2 or vectors.shape[1] == 0 or not np.isfinite(vectors).all():
        raise InputError(f"labels in {where} are not lists of finite numbers; {shape}")
    return paths, labels_from_vectors(vectors)


def read_celeba_labels(text: str, where: str) -> tuple[list[str], Labels | None]:
    """Paths and attributes of CelebA's list: a count, a line of names, then `file 1 -1 ...` a picture."""
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].strip().isdecimal():
        raise InputError(f"{where} must begin with a line that counts the pictures and a line of attribute names")
    names = lines[1].split()
    rows = []
    for number, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        cells = line.split()
        if len(cells) != len(names) + 1 or any(cell not in ("1", "-1") for cell in cells[1:]):
            raise InputError(
                f"{where}, line {number}: {len(cells) - 1} values where there are {len(names)} attribute names; "
                "each must be 1 or -1"
            )
        rows.append(cells)
    if len(rows) != int(lines[0]):
        raise InputError(f"{where} says {int(lines[0])} pictures in its first line and lists {len(rows)}; is it whole?")
    columns = {name: [row[k + 1] for row in rows] for k, name in enumerate(names)}
    return [row[0] for row in rows], labels_from_columns(columns, where)


READERS: dict[str, Callable[[str, str], tuple[list[str], Labels | None]]] = {
    "labels.csv": read_csv_labels,
    "metadata.csv": read_csv_labels,
    "dataset.json": read_json_labels,
    CELEBA: read_celeba_labels,
}


def decode_text(content: bytes, where: str) -> str:
    """The text of a label file, UTF-8 with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error


def align(paths: Sequence[str], labels: Labels, names: Sequence[str], where: str) -> Labels:
    """The labels in the order of the pictures.

    Args:
        paths: as the label file names pictures, relative to its own folder.
        labels: one row a path.
        names: the pictures that are there, relative to the same folder.
        where: the label file's name in messages.

    Raises:
        InputError: a picture is listed twice, or is listed and not there, or is there and not listed.
    """
    row_of: dict[str, int] = {}
    for row, path in enumerate(paths):
        name = path.replace("\\", "/").removeprefix("./")
        if name in row_of:
            raise InputError(f"{where} lists {name} twice; give each picture one row")
        row_of[name] = row
    there = set(names)
    if missing := [name for name in row_of if name not in there]:
        raise InputError(
            f"{where} names {len(missing)} of {len(row_of)} pictures that are not there: {_some(missing)}; "
            "add these files, or remove their rows"
        )
    if unlabelled := [name for name in names if name not in row_of]:
        raise InputError(
            f"{where} has no row for {len(unlabelled)} of {len(names)} pictures: {_some(unlabelled)}; "
            "add their rows, or move these files elsewhere"
        )
    return labels.take(np.array([row_of[name] for name in names], dtype=np.int64))


def read_label_file(
    contents: Mapping[str, bytes], names: Sequence[str], where: str
) -> tuple[Labels | None, str | None, tuple[str, ...]]:
    """Labels from the first label file that has some, its name, and what a reader of the report should know.

    Args:
        contents: the label files that are there, by their names.
        names: the pictures, relative to the label files' folder.
        where: the folder or archive, in messages.
    """
    present = [name for name in READERS if name in contents]
    for name in present:
        paths, labels = READERS[name](decode_text(contents[name], f"{where}/{name}"), f"{where}/{name}")
        if labels is None:
            continue
        if name == CELEBA:  # its rows are bare file names, wherever the pictures lie
            names = [picture.rsplit("/", 1)[-1] for picture in names]
        ignored = [other for other in present if other != name]
        notes = (f"labels are read from {name}; {', '.join(ignored)} is not read",) if ignored else ()
        return align(paths, labels, names, f"{where}/{name}"), name, notes
    return None, None, ()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
