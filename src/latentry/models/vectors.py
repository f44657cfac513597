"""The vectors kept with a model, by name: `vectors/` in its folder, with how well each was found to do.

What finds them is no part of a model; here they are only kept, and applied by `PictureModel.edit`. An exported model
has them without safetensors, which is therefore imported where it is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latentry._version import __version__
from latentry.errors import InputError, unknown_name
from latentry.files import json_bytes, read_json, write_folder

FOLDER, TENSORS, RECORD = "vectors", "vectors.safetensors", "vectors.json"


@dataclass(frozen=True)
class Vector:
    """A named direction of a model's latent space, as long as dose 1.

    Attributes:
        name: what it changes, e.g. "smiling".
        method: how it was found: balanced, difference, boundary, principal, activations or weights.
        direction: what dose 1 adds to a latent, float32 [*latent shape].
        unit: what dose 1 is, in words.
        error: standard error of each coordinate, float32 of the same shape; None where there is no such.
        data: name, fingerprint and number of the pictures that it was learnt from.
        grade: what `latentry.latent.EditGrade.to_json` says of it, and its control; None where it was not graded.
    """

    name: str
    method: str
    direction: np.ndarray
    unit: str
    error: np.ndarray | None = None
    data: dict[str, Any] = field(default_factory=dict)
    grade: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.name}/{self.method}"

    @property
    def farthest(self) -> float | None:
        """The largest dose that it was graded at, either way."""
        return None if self.grade is None else float(max(self.grade["doses"]))


class Vectors:
    """Vectors by name; a name may stand for several, found by different methods.

    Args:
        vectors: of two with one name and method the later counts.
    """

    def __init__(self, vectors: Iterable[Vector] = ()) -> None:
        self._by_key = {vector.key: vector for vector in vectors}

    def __iter__(self) -> Iterator[Vector]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def names(self) -> list[str]:
        """Every name once, in the order of learning."""
        return list(dict.fromkeys(vector.name for vector in self))

    def find(self, name: str, method: str | None = None) -> Vector:
        """The vector of a name.

        Args:
            name: of what it changes.
            method: how it was found; None for the first that was kept under the name.

        Raises:
            InputError: there is no such vector.
        """
        if not self._by_key:
            raise InputError(
                f"this model has no vectors yet, so {name!r} is unknown; `latentry attributes RUN` learns them from "
                "labels, `latentry directions RUN` finds some without"
            )
        found = [vector for vector in self if vector.name == name]
        if not found:
            raise unknown_name("vector of this model", name, self.names)
        for vector in found:
            if method in (None, vector.method):
                return vector
        raise unknown_name(f"method for {name}", str(method), [vector.method for vector in found])


def read_vectors(folder: Path) -> Vectors:
    """The vectors in a model folder; none where it has none.

    Raises:
        InputError: they are damaged.
    """
    import safetensors.numpy

    home = folder / FOLDER
    if not (home / RECORD).is_file():
        return Vectors()
    record = read_json(home / RECORD)
    try:
        content = (home / TENSORS).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {home / TENSORS}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != record.get("sha256"):
        raise InputError(f"{home / TENSORS} is damaged: it does not match its hash; learn the vectors again")
    tensors = safetensors.numpy.load(content)
    vectors = []
    for entry in record["vectors"]:
        key = f"{entry['name']}/{entry['method']}"
        vectors.append(Vector(**entry, direction=tensors[key], error=tensors.get(f"{key}/error")))
    return Vectors(vectors)


def write_vectors(folder: Path, vectors: Vectors) -> None:
    """Write vectors into a model folder in place of those that are there.

    Raises:
        InputError: it cannot be written.
    """
    import safetensors.numpy

    tensors = {}
    for vector in vectors:
        tensors[vector.key] = np.ascontiguousarray(vector.direction, np.float32)
        if vector.error is not None:
            tensors[f"{vector.key}/error"] = np.ascontiguousarray(vector.error, np.float32)
    content = safetensors.numpy.save(tensors)
    entries = [
        {name: getattr(vector, name) for name in ("name", "method", "unit", "data", "grade")} for vector in vectors
    ]
    record = {"latentry": __version__, "sha256": hashlib.sha256(content).hexdigest(), "vectors": entries}
    write_folder(folder / FOLDER, {TENSORS: content, RECORD: json_bytes(record)})
