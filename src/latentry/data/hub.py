"""Data sets of the Hugging Face hub, through its `datasets` library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from latentry.data.contents import Contents, Stamp, encoded_cost_sec
from latentry.data.tables import HELD_OUT, image_column, open_cell, table_labels
from latentry.errors import InputError


@dataclass(frozen=True)
class HubPictures:
    """The image column of a `datasets.Dataset` that does not decode."""

    dataset: Any
    column: str

    def open(self, row: int) -> IO[bytes]:
        """The picture's bytes, or the file that the row names."""
        return open_cell(self.dataset[row][self.column], Path())

    def name_of(self, row: int) -> str:
        """Its row."""
        return f"row {row}"

    def cost_sec(self) -> float:
        """By count and bytes."""
        n = len(self.dataset)
        return encoded_cost_sec(n, int(self.dataset.dataset_size or n * 10_000))


@dataclass
class HubSource:
    """A data set through the `datasets` library: an id on the hub, or a local folder that it can read."""

    dataset: Any  # the id, a local folder, or a loaded Dataset or DatasetDict
    split: str | None
    name: str
    where: str

    def stamp(self) -> Stamp:
        """The library's own fingerprint of the data."""
        return {"hf": self.where, **{split: data._fingerprint for split, data in self._splits.items()}}

    def contents(self) -> Contents:
        """The pictures, and labels from the other columns; test and validation splits beside train are held out."""
        import datasets

        splits = self._splits
        whole = datasets.concatenate_datasets(list(splits.values())) if len(splits) > 1 else next(iter(splits.values()))
        if len(whole) == 0:
            raise InputError(f"{self.where} has no rows")
        types = {name: type(feature).__name__ for name, feature in whole.features.items()}
        column = image_column(types, self.where)
        if types[column] == "Image":
            whole = whole.cast_column(column, datasets.Image(decode=False))
        plain = [name for name, kind in types.items() if kind in ("Value", "ClassLabel") and name != column]
        columns = {name: list(whole[name]) for name in plain}
        class_names = {name: whole.features[name].names for name in plain if types[name] == "ClassLabel"}
        labels, notes = table_labels(columns, self.where, class_names)
        held = np.array([name.split("[")[0] in HELD_OUT for name in splits], np.uint8)
        split = np.repeat(held, [len(data) for data in splits.values()]) if 0 < held.sum() < len(held) else None
        names = [f"row {row}" for row in range(len(whole))]
        return Contents(names, HubPictures(whole.select_columns([column]), column), labels, split, notes)

    @cached_property
    def _splits(self) -> dict[str, Any]:
        """The data by split, loaded once."""
        try:
            import datasets
        except ImportError as error:
            raise InputError(f"opening {self.where} needs datasets: pip install 'latentry[hub]'") from error
        loaded = self._load(self.dataset) if isinstance(self.dataset, str) else self.dataset
        if isinstance(loaded, datasets.Dataset):
            return {self.split or "all": loaded}
        if "train" in loaded:
            return {name: loaded[name] for name in loaded if name == "train" or name in HELD_OUT}
        return dict(loaded)

    def _load(self, path: str) -> Any:
        import datasets

        try:
            saved = (Path(path) / "state.json").is_file() or (Path(path) / "dataset_dict.json").is_file()
            if not saved:
                return datasets.load_dataset(path, split=self.split)
            loaded = datasets.load_from_disk(path)
            return loaded if self.split is None else loaded[self.split]
        except Exception as error:  # the library raises errors of its own, of requests', of fsspec's
            reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
            raise InputError(
                f"cannot open {self.where}: {reason}; check its name, its split and the network"
            ) from error
