"""Pictures in the rows of parquet files, and what all tables of pictures have in common."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from latentry.data.contents import Contents, Stamp, encoded_cost_sec
from latentry.data.folder import files_stamp
from latentry.data.labels import CLASS_COLUMNS, Labels, labels_from_columns
from latentry.errors import InputError

_IMAGE_COLUMNS = ("image", "img", "picture", "images", "pixels", "png", "jpg")
HELD_OUT = ("test", "val", "valid", "validation")


class ParquetPictures:
    """The image column of parquet files; the row group last read is kept.

    Args:
        paths: the files, in order.
        column: the image column, of bytes or of `{bytes, path}`.
        groups: for each row group (file number, group number, first row over all files).
        n_rows, n_bytes: over all files.
    """

    def __init__(
        self, paths: Sequence[Path], column: str, groups: Sequence[tuple[int, int, int]], n_rows: int, n_bytes: int
    ) -> None:
        self.paths, self.column, self.groups = paths, column, groups
        self.n_rows, self.n_bytes = n_rows, n_bytes
        self._starts = np.array([first for _, _, first in groups])
        self._held: tuple[int, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": None}

    def open(self, row: int) -> IO[bytes]:
        """The picture's bytes, or the file that the row names."""
        import pyarrow.parquet as pq

        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if self._held is None or self._held[0] != group:
            file, number, _ = self.groups[group]
            with pq.ParquetFile(self.paths[file]) as parquet:
                self._held = (group, parquet.read_row_group(number, columns=[self.column]).column(0))
        file, _, first = self.groups[group]
        return open_cell(self._held[1][row - first].as_py(), self.paths[file].parent)

    def name_of(self, row: int) -> str:
        """File and row."""
        return f"row {row} of {self.paths[0].parent if len(self.paths) > 1 else self.paths[0]}"

    def cost_sec(self) -> float:
        """By count and bytes."""
        return encoded_cost_sec(self.n_rows, self.n_bytes)


@dataclass(frozen=True)
class ParquetSource:
    """Parquet files, as one table; files of `test` and `validation` beside `train` are held out."""

    paths: tuple[Path, ...]
    name: str
    where: str

    def stamp(self) -> Stamp:
        """Of all files."""
        return files_stamp(self.paths)

    def contents(self) -> Contents:
        """The pictures, and labels from the other columns.

        Raises:
            InputError: pyarrow is missing, a file is damaged, or no column or several hold pictures.
        """
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise InputError(f"reading {self.where} needs pyarrow: pip install 'latentry[parquet]'") from error
        try:
            schema = pq.read_schema(self.paths[0])
            column = image_column({field.name: str(field.type) for field in schema}, self.where)
            others = [
                f.name
                for f in schema
                if f.name != column and not pa.types.is_nested(f.type) and "binary" not in str(f.type)
            ]
            tables = [pq.read_table(path, columns=others) for path in self.paths]
            groups, n_rows, counts = self._groups(pq)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).split("\n", 1)[0]
            raise InputError(f"cannot read {self.where} as parquet: {reason}; download or make it again") from error
        if n_rows == 0:
            raise InputError(f"{self.where} has no rows")
        table = pa.concat_tables(tables)
        columns = {name: table.column(name).to_pylist() for name in others}
        class_names = _hub_class_names(schema.metadata or {})
        labels, notes = table_labels(columns, self.where, class_names)
        n_bytes = sum(path.stat().st_size for path in self.paths)
        pictures = ParquetPictures(self.paths, column, groups, n_rows, n_bytes)
        held = [any(word in path.stem.lower().split("-")[0] for word in HELD_OUT) for path in self.paths]
        split = np.repeat(np.array(held, np.uint8), counts) if len(set(held)) == 2 else None
        return Contents([f"row {row}" for row in range(n_rows)], pictures, labels, split, notes)

    def _groups(self, pq: Any) -> tuple[list[tuple[int, int, int]], int, list[int]]:
        """Where each row group begins, the number of rows, and how many of them each file has."""
        groups, counts, first = [], [], 0
        for number, path in enumerate(self.paths):
            metadata = pq.read_metadata(path)
            counts.append(metadata.num_rows)
            for group in range(metadata.num_row_groups):
                groups.append((number, group, first))
                first += metadata.row_group(group).num_rows
        return groups, first, counts


def image_column(types: Mapping[str, str], where: str) -> str:
    """The column that holds pictures: by its type, and among several by its name."""
    found = [name for name, kind in types.items() if kind == "Image" or "binary" in kind]
    named = [name for name in _IMAGE_COLUMNS if name in found]
    if len(found) != 1 and not named:
        columns = ", ".join(f"{name} ({kind})" for name, kind in types.items())
        raise InputError(
            f"{where} has {len(found)} columns of pictures among: {columns}; "
            "name one 'image', of bytes or {bytes, path}"
        )
    return (named or found)[0]


def open_cell(cell: Any, folder: Path) -> IO[bytes]:
    """A cell of an image column: bytes, or `{bytes, path}` where either may be absent."""
    if isinstance(cell, dict):
        if cell.get("bytes") is None and cell.get("path"):
            return (folder / cell["path"]).open("rb")
        cell = cell.get("bytes")
    if cell is None:
        raise ValueError("the cell is empty")
    return io.BytesIO(cell)


def table_labels(
    columns: Mapping[str, Sequence[Any]], where: str, class_names: Mapping[str, Sequence[str]]
) -> tuple[Labels | None, tuple[str, ...]]:
    """Labels from a table's other columns; free text such as captions and file names is passed over."""
    texts = [
        name
        for name, column in columns.items()
        if name.lower() not in CLASS_COLUMNS and name not in class_names and any(isinstance(v, str) for v in column)
    ]
    used = {name: column for name, column in columns.items() if name not in texts}
    for name, column in used.items():
        if empty := sum(value is None for value in column):
            raise InputError(f"{where} has {empty} empty values in the column {name}; fill them, or drop the column")
    notes = (f"columns of text are not read as labels: {', '.join(texts)}",) if texts else ()
    return labels_from_columns(used, where, class_names), notes


def _hub_class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Names of classes that the `datasets` library left in a parquet file's schema."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        name: list(feature["names"])
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and "names" in feature
    }
