"""A run as the explorer shows it: its model, its sliders, and what is computed once when it is first asked for.

Letters: n rows, D numbers in a latent, K numbers in a condition.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from latentry.data import ImageSet
from latentry.errors import InputError
from latentry.models.trained import TrainedModel
from latentry.models.vectors import Vector

Kind = Literal["attribute", "direction", "dimension"]

_REACH = 3.0  # doses, or standard deviations of a dimension, where nothing was graded
_MOST_COMPARED = 50_000  # training pictures that are searched, at random
_DISCOVERED = ("principal", "activations", "weights")


@dataclass(frozen=True)
class Control:
    """A slider: the latent moves by the dose times the direction.

    Attributes:
        key: what tells it from the others of its run; the same on every run that has the like.
        name: what it changes.
        kind: how it was found.
        direction: float32 [*latent shape].
        reach: the largest dose, either way.
        recommended: the dose that its grade recommends, if it has one.
        unit: what dose 1 is, in words.
        note: how well it does, in words.
    """

    key: str
    name: str
    kind: Kind
    direction: np.ndarray
    reach: float
    recommended: float | None
    unit: str
    note: str


@dataclass(frozen=True)
class Found:
    """Sliders that were found by looking at the model, and what could not be."""

    controls: list[Control]
    said: list[str]


@dataclass(frozen=True)
class Searched:
    """Where a search for a picture's latent ended, and whether the model knows such pictures, if that was measured."""

    z: np.ndarray
    inside: bool | None


@dataclass(frozen=True)
class DataRows:
    """Pictures of the run's own data, and which of them stand for it on a map."""

    images: ImageSet
    train: np.ndarray
    held_out: np.ndarray


@dataclass(frozen=True)
class Tools:
    """What the explorer has done for it by the verbs that do it elsewhere.

    Attributes:
        load: the run's model, from its newest weights.
        find: sliders of what varies most.
        search: the latent nearest to one picture [1, C, H, W] under a condition [1, K].
        open_data: the pictures that it was trained on.
    """

    load: Callable[[], TrainedModel]
    find: Callable[[TrainedModel], Found]
    search: Callable[[TrainedModel, np.ndarray, np.ndarray | None], Searched]
    open_data: Callable[[TrainedModel], DataRows]


@dataclass
class Shown:
    """One run in the explorer.

    Attributes:
        name: as it is shown.
        path: of the run or model folder.
        tools: what others do for it.
        model: None for a run that has saved no weights yet.
        weights: names the weights that `model` has; a run that is training saves newer ones.
        recipe, data: of the run, in words.
        kept: what was computed once: maps, discovered sliders, training pictures.
        locks: for each of those, held while it is computed.
    """

    name: str
    path: Path
    tools: Tools
    model: TrainedModel | None
    weights: str
    recipe: str
    data: str
    kept: dict[Any, Any] = field(default_factory=dict)
    locks: dict[Any, threading.Lock] = field(default_factory=dict)

    @property
    def ready(self) -> TrainedModel:
        """The model.

        Raises:
            InputError: there is none yet.
        """
        if self.model is None:
            raise InputError(f"{self.name} has saved no weights yet; its curves show how far it is")
        return self.model

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """What `compute` returns, computed when it is first asked for with these weights."""
        kept = self.kept
        if key not in kept:
            with self.locks.setdefault(key, threading.Lock()):  # of its own: a slider does not wait for a map
                if key not in kept:
                    kept[key] = compute()
        return kept[key]

    def take_newer(self, weights: str) -> None:
        """Load again, and forget what was computed with the old weights."""
        self.model, self.weights, self.kept = self.tools.load(), weights, {}


def vector_controls(model: TrainedModel) -> list[Control]:
    """The vectors kept with a model, as sliders; of several by one name the first."""
    return [_of_vector(model.vectors.find(name)) for name in model.vectors.names]


def _of_vector(vector: Vector) -> Control:
    kind: Kind = "direction" if vector.method in _DISCOVERED else "attribute"
    recommended = None if vector.grade is None else float(vector.grade["recommended"]) or None
    return Control(
        f"{kind}/{vector.name}",
        vector.name,
        kind,
        vector.direction,
        vector.farthest or _REACH,
        recommended,
        vector.unit,
        _grade_in_words(vector),
    )


def _grade_in_words(vector: Vector) -> str:
    """How often an edit shows what it should, beside how often a real picture's reconstruction does."""
    grade = vector.grade
    if grade is None:
        return _share_in_words(vector)
    success = dict(zip(grade["doses"], grade["success"], strict=True)).get(grade["recommended"])
    if success is None or grade.get("ceiling") is None:
        return "graded, with too few pictures to say how well it does"
    said = f"seen in {success:.0%} of pictures at dose {grade['recommended']:g} (at best {grade['ceiling']:.0%})"
    control = grade.get("control")
    if control is not None and success - 2 * grade["error"] <= control:
        return f"{said}; no better than shuffled labels ({control:.0%})"
    return said


def _share_in_words(vector: Vector) -> str:
    share = vector.data.get("share")
    return "not graded" if share is None else f"{share:.1%} of what varies"


def dimension_control(dim: int, shape: tuple[int, ...], spread: float, note: str) -> Control:
    """One coordinate of a latent [D] as a slider, in standard deviations."""
    direction = np.zeros(shape, np.float32)
    direction[dim] = spread
    unit = "standard deviation of the coordinate"
    return Control(f"dimension/{dim}", f"dimension {dim}", "dimension", direction, _REACH, None, unit, note)


def direction_controls(vectors: Sequence[Vector]) -> list[Control]:
    """Directions that were found without labels, as sliders."""
    return [_of_vector(vector) for vector in vectors]


def nearest_training(shown: Shown, picture: np.ndarray, k: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """The k training pictures nearest to one, uint8 [k, C, H, W], and how far, root mean squared 0..255, [k]."""

    def read() -> np.ndarray:
        data = shown.tools.open_data(shown.ready)
        rows = np.sort(data.train[:_MOST_COMPARED])
        return np.ascontiguousarray(data.images.images[rows])

    among: np.ndarray = shown.once("training pictures", read)
    target = picture.reshape(1, -1).astype(np.float32)
    squared = np.empty(len(among), np.float64)
    for start in range(0, len(among), 1000):  # floats of some at a time: the whole set would be four times as large
        part = among[start : start + 1000].reshape(-1, target.shape[1]).astype(np.float32)
        squared[start : start + 1000] = np.square(part - target).mean(axis=1)
    nearest = np.argsort(squared, kind="stable")[:k]
    return among[nearest], np.sqrt(squared[nearest])
