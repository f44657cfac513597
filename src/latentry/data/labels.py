"""What is known about each picture beside its pixels, and the rules that turn columns of a table into it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latentry.errors import InputError

CLASS_COLUMNS = ("class", "label", "target", "labels", "classes", "y", "fine_label")
_MOST_NUMBERED = 20  # classes that are called by numbers, beside others that are not
_YES_NO = {"0": 0, "1": 1, "-1": 0, "true": 1, "false": 0, "yes": 1, "no": 0}


@dataclass(frozen=True)
class ClassLabels:
    """One class for each picture: `values` int64 [N] index `names`."""

    values: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class AttributeLabels:
    """Several yes/no attributes for each picture: `values` uint8 [N, A], 1 for yes."""

    values: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class ContinuousLabels:
    """Several numbers for each picture: `values` float32 [N, K]."""

    values: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """All labels of a set; each kind may be absent."""

    classes: ClassLabels | None = None
    attributes: AttributeLabels | None = None
    numbers: ContinuousLabels | None = None

    def take(self, rows: np.ndarray) -> Labels:
        """The labels of some pictures, in the order of `rows`; names stay."""
        return Labels(
            classes=self.classes and ClassLabels(self.classes.values[rows], self.classes.names),
            attributes=self.attributes and AttributeLabels(self.attributes.values[rows], self.attributes.names),
            numbers=self.numbers and ContinuousLabels(self.numbers.values[rows], self.numbers.names),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Values and names of the kinds that are there, as arrays for `labels_from_arrays`."""
        out = {}
        for kind in ("classes", "attributes", "numbers"):
            if (part := getattr(self, kind)) is not None:
                out[kind] = part.values
                out[f"{kind}_names"] = np.array(part.names, dtype=np.str_)
        return out

    def digest(self) -> bytes:
        """A sha256 of names and values, the same on every machine."""
        total = hashlib.sha256()
        for name, array in sorted(self.arrays().items()):
            fixed = array.astype({"i": "<i8", "u": "u1", "f": "<f4", "U": "<U"}[array.dtype.kind])
            content = (
                "\0".join(fixed.tolist()).encode(errors="surrogateescape")
                if fixed.dtype.kind == "U"
                else fixed.tobytes()
            )
            total.update(f"{name} {fixed.shape}\n".encode() + content)
        return total.digest()


def labels_from_arrays(arrays: Mapping[str, np.ndarray]) -> Labels | None:
    """The labels that `Labels.arrays` gave; `None` when there are none."""
    kinds = {"classes": ClassLabels, "attributes": AttributeLabels, "numbers": ContinuousLabels}
    found = {
        kind: cls(arrays[kind], tuple(arrays[f"{kind}_names"].tolist()))
        for kind, cls in kinds.items()
        if kind in arrays
    }
    return Labels(**found) if found else None  # type: ignore[arg-type]


def class_labels(texts: Sequence[str]) -> ClassLabels:
    """Classes named by text, one a picture; names are sorted."""
    names, values = np.unique(np.array(texts, dtype=np.str_), return_inverse=True)
    return ClassLabels(values.reshape(-1).astype(np.int64), tuple(names.tolist()))


def integer_classes(values: Iterable[int], names: Sequence[str] | None = None) -> ClassLabels:
    """Classes numbered by the source.

    With `names` (of the classes 0, 1, ...) the numbers are kept; without, the classes are those that occur, in order,
    named by their numbers.

    Raises:
        InputError: a number that has no name.
    """
    numbers = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.int64)
    if names is None:
        found, index = np.unique(numbers, return_inverse=True)
        return ClassLabels(index.reshape(-1).astype(np.int64), tuple(str(number) for number in found.tolist()))
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < len(names)):
        bad = numbers.min() if numbers.min() < 0 else numbers.max()
        raise InputError(f"a picture has class {bad}, but there are {len(names)} class names (0 to {len(names) - 1})")
    return ClassLabels(numbers, tuple(names))


def labels_from_columns(
    columns: Mapping[str, Sequence[object]], where: str, class_names: Mapping[str, Sequence[str]] | None = None
) -> Labels | None:
    """Labels from a table: each column becomes classes, an attribute or a number by its values.

    Whole numbers in a column called class, label, target or y are classes; a column whose values are all among
    0, 1, -1, true, false, yes and no is an attribute; other numeric columns are numbers; one column of text is classes.

    Args:
        columns: by name, one value a picture; text is read as what it spells.
        where: the table's name in messages.
        class_names: the names of classes, for columns that hold their numbers.

    Raises:
        InputError: more than one column of text or of classes, or a column of numbers with something else in it.
    """
    texts = {name: [_text(value) for value in column] for name, column in columns.items()}
    classes: dict[str, ClassLabels] = {}
    attributes: dict[str, list[int]] = {}
    numbers: dict[str, list[float]] = {}
    for name, column in texts.items():
        if class_names and name in class_names:
            classes[name] = integer_classes([int(text) for text in column], class_names[name])
        elif name.lower() in CLASS_COLUMNS and all(_is_integer(text) for text in column):
            classes[name] = integer_classes(int(text) for text in column)
        elif all(text.lower() in _YES_NO for text in column):
            attributes[name] = [_YES_NO[text.lower()] for text in column]
        elif (values := _as_floats(column)) is not None:
            numbers[name] = values
        else:
            if name.lower() not in CLASS_COLUMNS:
                _refuse_spoilt_numbers(column, name, where)
            classes[name] = class_labels(column)
    if len(classes) > 1:
        raise InputError(
            f"{where} has {len(classes)} columns of classes ({', '.join(classes)}); a picture has one class: "
            "keep one of these columns, and write the others as yes/no attributes or numbers"
        )
    labels = Labels(
        next(iter(classes.values()), None),
        AttributeLabels(np.array(list(attributes.values()), np.uint8).T.copy(), tuple(attributes))
        if attributes
        else None,
        ContinuousLabels(np.array(list(numbers.values()), np.float32).T.copy(), tuple(numbers)) if numbers else None,
    )
    return labels if columns else None


def labels_from_vectors(vectors: np.ndarray, names: Sequence[str] | None = None) -> Labels:
    """Labels from one vector of numbers a picture, [N, K]: attributes when all are 0 or 1, else numbers."""
    binary = bool(np.isin(vectors, (0, 1)).all())
    names = tuple(names or (f"{'attribute' if binary else 'number'}-{k}" for k in range(vectors.shape[1])))
    if binary:
        return Labels(attributes=AttributeLabels(vectors.astype(np.uint8), names))
    return Labels(numbers=ContinuousLabels(vectors.astype(np.float32), names))


def _text(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else str(value).strip()


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _as_floats(column: Sequence[str]) -> list[float] | None:
    """The column as finite numbers, or `None` where one is not."""
    try:
        values = [float(text) for text in column]
    except ValueError:
        return None
    return values if all(np.isfinite(values)) else None


def _refuse_spoilt_numbers(column: Sequence[str], name: str, where: str) -> None:
    """Refuse a column that is numbers but for a few cells, which would each become a class.

    Raises:
        InputError: most cells are numbers, with fractions or of more values than a few classes have.
    """
    spelt = [_as_floats([text]) is not None for text in column]
    numbers = [text for text, number in zip(column, spelt, strict=True) if number]
    as_classes = all(_is_integer(text) for text in numbers) and len(set(numbers)) <= _MOST_NUMBERED
    if 2 * len(numbers) <= len(column) or as_classes:
        return
    row = spelt.index(False)
    raise InputError(
        f"{where}: column {name} holds numbers in {len(numbers):,} of {len(column):,} rows and {column[row]!r} in row "
        f"{row + 1}; give every picture a number, or call the column {CLASS_COLUMNS[0]} if these are names of classes"
    )
