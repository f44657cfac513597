"""Attribute vectors of a trained model: learnt from labels, graded on other pictures by a probe, kept with the model.

The probe is trained on real pictures and their labels alone, half of them blurred and noisy, and knows nothing of the
model. Pictures that edits are graded on are used neither for learning vectors nor for training the probe.

Letters: n pictures, K labels, T doses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentry.api.invert import invert_pictures
from latentry.api.labelled import (
    Labelled,
    from_pictures,
    from_samples,
    label_columns,
    seen_in_samples,
    split_rows,
    train_probes,
    usable_labels,
    wanted_labels,
)
from latentry.api.opening import load, open_set_for_model
from latentry.data import ImageSet
from latentry.errors import InputError, unknown_name
from latentry.latent import (
    EditGrade,
    LatentVector,
    balanced_class_differences,
    balanced_differences,
    boundary_normal,
    grade_edit,
    independent_columns,
    mean_difference,
    orthogonalise,
)
from latentry.latent.vectors import UNIT
from latentry.metrics.probe import Probe
from latentry.models.trained import TrainedModel
from latentry.models.vectors import Vector, Vectors
from latentry.settings.specs import ConditionSpec
from latentry.training.rng import derive_seed

METHODS = ("balanced", "difference", "boundary")
DOSES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
_SHUFFLES = 8  # vectors from shuffled labels, over which the control is spread
_WIDEST = 1024  # numbers in a latent up to which a boundary is looked for: Newton's method needs their square

Say = Callable[[str], None]


@dataclass(frozen=True)
class AttributeReport:
    """The vectors of a model with their grades.

    Attributes:
        kind: "attributes", or "class": each against the rest.
        names: of the K labels.
        vectors: one a name and method, those of the preferred method first.
        grades: by the vectors' keys, and "NAME/condition" where a conditional model can be told otherwise instead.
        controls: by the vectors' keys: the success of vectors of the same length from shuffled labels.
        held: what was graded on.
        probe: what judged, and how well it does on real pictures.
        data: name, fingerprint and number of the pictures learnt from.
        notes: what was decided on the way, for people.
    """

    kind: str
    names: tuple[str, ...]
    vectors: tuple[Vector, ...]
    grades: dict[str, EditGrade]
    controls: dict[str, float]
    held: Labelled
    probe: dict[str, Any]
    data: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def best(self) -> tuple[str, str, float]:
        """Which edit shows most of what it should and least else: its label, its method, and the dose.

        Where nothing could be graded: the first vector, by one.
        """
        if not self.grades:
            return self.vectors[0].name, self.vectors[0].method, 1.0

        def gain(key: str) -> float:
            grade = self.grades[key]
            return grade.success[grade.at] - grade.mean_flips[grade.at]

        key = max(self.grades, key=gain)
        name, _, method = key.rpartition("/")
        return name, method, self.grades[key].recommended

    def to_json(self) -> dict[str, Any]:
        """For machines; the vectors themselves are in the model folder."""
        grades = {
            key: grade.to_json() | ({"control": self.controls[key]} if key in self.controls else {})
            for key, grade in self.grades.items()
        }
        record = {name: getattr(self, name) for name in ("kind", "names", "data", "probe", "notes")}
        return record | {"unit": UNIT, "n_graded": len(self.held.z), "grades": grades}


def learn_attributes(
    model: TrainedModel | Path | str,
    data: Any = None,
    *,
    by: str | None = None,
    only: Sequence[str] | None = None,
    method: str = "balanced",
    n: int = 10_000,
    n_graded: int = 200,
    n_shown: int = 30_000,
    doses: tuple[float, ...] = DOSES,
    seed: int = 0,
    say: Say = lambda line: None,
) -> AttributeReport:
    """Learn a vector for every label, grade its edits, and keep it with the model.

    A model without an encoder learns from its own samples, labelled by a second probe; the one that grades has seen
    the other half of the real pictures. It is graded on other samples, or, inverted, on held-out pictures.

    Args:
        model: a trained model, or the path of its run.
        data: labelled pictures: an `ImageSet` at the model's size, or anything that `open_images` takes; None for what
            the model was trained on.
        by: "attributes" or "class"; None for attributes where there are such.
        only: the labels to learn and grade; None for all. The others still balance, and are watched for flips.
        method: which of the three ways comes first when the model is asked for a name.
        n: pictures (or samples) to learn from, at most.
        n_graded: held-out pictures to grade on, at most.
        n_shown: pictures that a probe is trained on, counted with repetition.
        doses: graded, rising from 0.
        seed: every random choice derives from it.
        say: called with what is being done.

    Raises:
        InputError: no labels, labels that do not vary, an unknown name, or a run that has not ended.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    for name, count in (("n", n), ("graded", n_graded), ("probe-shown", n_shown)):
        if count < 1:
            raise InputError(f"{name} (={count}) must be at least 1")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed (={seed}) must be from 0 to 2^63 - 1")
    model = model if isinstance(model, TrainedModel) else load(model)
    model.keep_vectors(model.vectors)  # refuses now, not after minutes, where they cannot be written
    images = data if isinstance(data, ImageSet) else open_set_for_model(model, data)
    kind, labels, names = label_columns(images, by)
    fit_rows, held_rows, notes = split_rows(images, model, seed)
    kept = usable_labels(labels[fit_rows], names, kind, notes, images.name)
    spec = ConditionSpec(kind, tuple(names[k] for k in kept))
    wanted = wanted_labels(spec.names, only)
    n_fit = n if model.network.encode is None else min(n, len(fit_rows))
    if n_fit < len(kept) + 2:
        raise InputError(
            f"n (={n_fit}) latents are too few for {len(kept)} labels; learn from {len(kept) + 2} at least"
        )
    say("training the probe")
    judge, labeller = train_probes(model, images, fit_rows, spec, n_shown, seed)
    say("learning vectors")
    columns = labels[:, kept]
    if labeller is None:
        fit = from_pictures(model, images, fit_rows[:n], columns)
        held = from_pictures(model, images, held_rows[:n_graded], columns)
    else:
        fit, held = _from_a_generator(model, images, held_rows[:n_graded], columns, labeller, n, n_graded, notes, say)
        wanted = seen_in_samples(fit, wanted, spec.names, notes)
    source = {"name": images.name, "fingerprint": images.fingerprint, "n": len(fit.z)}
    grader = _Grader(model, judge, fit, held, doses, spec.kind == "class", seed)
    vectors, grades, controls = [], {}, {}
    for way, found in _learn(fit, spec, method).items():
        for k in wanted:
            say(f"grading {spec.names[k]} by {way}")
            vector, grade, control = grader.graded_vector(found[k], spec.names[k], way, k, source)
            grades[vector.key], controls[vector.key] = grade, control
            vectors.append(vector)
    notes += _no_better_than_chance(vectors, grades, controls, method)
    if spec.kind == "class" and spec.size == 2:
        notes.append("with two classes there is no third label that could be seen to flip")
    for k in wanted:
        if (told := _told_opposite(model, held, spec, k)) is not None:
            grades[f"{spec.names[k]}/condition"] = grader.grade_told(told, k)
    learnt_keys = {vector.key for vector in vectors}
    model.keep_vectors(Vectors([*vectors, *(old for old in model.vectors if old.key not in learnt_keys)]))
    return AttributeReport(
        kind, spec.names, tuple(vectors), grades, controls, held, judge.passport(), source, tuple(notes)
    )


def _from_a_generator(
    model: TrainedModel,
    images: ImageSet,
    held_rows: np.ndarray,
    labels: np.ndarray,
    labeller: Probe,
    n: int,
    n_graded: int,
    notes: list[str],
    say: Say,
) -> tuple[Labelled, Labelled]:
    """What a model without an encoder learns from and is graded on: samples, or held-out pictures once it is inverted.

    Args:
        model: the model.
        images: the real pictures.
        held_rows: those of them that it may be graded on.
        labels: of all of them, [N, K].
        labeller: says what samples show.
        n, n_graded: samples of each.
        notes: told what was done.
        say: called with what is being done.
    """
    fit = from_samples(model, labeller, range(n))
    notes.append(f"a {model.config.family} has no encoder: learnt from {n:,} samples, labelled by a second probe")
    if model.inverse is None:
        notes.append("graded on samples; after `latentry invert RUN --fit`, on held-out pictures")
        return fit, from_samples(model, labeller, range(n, n + n_graded))
    say("inverting held-out pictures")
    held = from_pictures(model, images, held_rows, labels)
    return fit, dataclasses.replace(held, z=invert_pictures(model, held.images, held.told).z)


def leave_untouched(vectors: Vectors, names: Sequence[str], others: Sequence[str], method: str | None) -> Vectors:
    """The vectors, with the named ones made orthogonal to others, so that an edit leaves these alone as far as it can.

    Raises:
        InputError: a name is unknown, or nothing is left of a vector.
    """
    directions = [vectors.find(other, method).direction.ravel() for other in others]
    changed = []
    for name in names:
        vector = vectors.find(name, method)
        left = orthogonalise(vector.direction.ravel(), directions).reshape(vector.direction.shape)
        changed.append(dataclasses.replace(vector, direction=left.astype(np.float32)))
    return Vectors([*vectors, *changed])


class _Grader:
    """Decodes edits of held-out latents and asks the probe."""

    def __init__(
        self,
        model: TrainedModel,
        probe: Probe,
        fit: Labelled,
        held: Labelled,
        doses: tuple[float, ...],
        exclusive: bool,
        seed: int,
    ) -> None:
        self.model, self.probe, self.fit, self.held = model, probe, fit, held
        self.doses, self.exclusive, self.seed = doses, exclusive, seed
        self.null = probe.predict(model.decode(held.z, held.told))

    def grade(self, direction: np.ndarray, k: int) -> tuple[EditGrade, float]:
        """The edit's grade, and the success of shuffled labels at its recommended dose."""
        outputs = [self.null, *(self._after(direction[None], dose, k) for dose in self.doses[1:])]
        grade = self._graded(outputs, k, self.doses)
        dose = grade.recommended
        control = self._after(self._shuffled(k, float(np.linalg.norm(direction))), dose, k)
        return grade, self._graded([self.null, control], k, (0.0, dose)).success[1]

    def graded_vector(
        self, found: LatentVector, name: str, way: str, k: int, source: dict[str, Any]
    ) -> tuple[Vector, EditGrade, float]:
        """What was found for label k as a vector to keep, its grade, and the success of shuffled labels."""
        shape = self.fit.z.shape[1:]
        direction, error = (part.reshape(shape).astype(np.float32) for part in (found.direction, found.error))
        grade, control = self.grade(direction, k)
        record = grade.to_json() | {"control": control}
        return Vector(name, way, direction, UNIT, error, source, record), grade, control

    def grade_told(self, told: np.ndarray, k: int) -> EditGrade:
        """The grade of telling a conditional model the opposite, with the latent kept; as dose 1."""
        outputs = self.probe.predict(self.model.decode(self.held.z, told))
        return self._graded([self.null, outputs], k, (0.0, 1.0))

    def _graded(self, outputs: list[np.ndarray], k: int, doses: tuple[float, ...]) -> EditGrade:
        return grade_edit(np.stack(outputs), self.held.labels, k, doses, exclusive=self.exclusive)

    def _after(self, directions: np.ndarray, dose: float, k: int) -> np.ndarray:
        """What the probe sees once each picture is moved towards what it does not show; directions take turns."""
        sign = 1 - 2 * self.held.labels[:, k].astype(np.float32)
        steps = directions[np.arange(len(sign)) % len(directions)] * sign.reshape(-1, *[1] * (directions.ndim - 1))
        return self.probe.predict(self.model.decode(self.held.z + np.float32(dose) * steps, self.held.told))

    def _shuffled(self, k: int, length: float) -> np.ndarray:
        """Vectors of a length from shuffled labels: what moving so far does by itself, [shuffles, *latent shape]."""
        rng = np.random.default_rng(derive_seed(self.seed, "shuffled", k))
        found = [
            mean_difference(self.fit.flat, rng.permutation(self.fit.labels[:, k])).direction for _ in range(_SHUFFLES)
        ]
        scaled = [length * vector / np.linalg.norm(vector) for vector in found]
        return np.stack(scaled).reshape(-1, *self.fit.z.shape[1:]).astype(np.float32)


def _learn(fit: Labelled, spec: ConditionSpec, first: str) -> dict[str, dict[int, LatentVector]]:
    """Vectors by method and label, the preferred method first."""
    z, labels = fit.flat, fit.labels
    varying = independent_columns(labels) if spec.kind == "attributes" else np.flatnonzero(labels.any(axis=0)).tolist()
    balance = balanced_class_differences if spec.kind == "class" else balanced_differences
    ways: dict[str, Callable[[], list[LatentVector]]] = {
        "balanced": lambda: balance(z, labels[:, varying]),
        "difference": lambda: [mean_difference(z, labels[:, k]) for k in varying],
        "boundary": lambda: [boundary_normal(z, labels[:, k]) for k in varying],
    }
    order = [first, *(way for way in METHODS if way != first)]
    if z.shape[1] > _WIDEST and first != "boundary":
        order.remove("boundary")
    return {way: dict(zip(varying, ways[way](), strict=True)) for way in order}


def _no_better_than_chance(
    vectors: list[Vector], grades: dict[str, EditGrade], controls: dict[str, float], method: str
) -> list[str]:
    """A note with the labels whose preferred vector does not do more than one from shuffled labels."""
    weak = [
        vector.name
        for vector in vectors
        if vector.method == method
        and (grade := grades[vector.key]).success[grade.at] <= controls[vector.key] + 2 * grade.error
    ]
    return [f"no better than vectors from shuffled labels, do not trust them: {', '.join(weak)}"] if weak else []


def _told_opposite(model: TrainedModel, held: Labelled, spec: ConditionSpec, k: int) -> np.ndarray | None:
    """Conditions [n, C] with one label the other way round; of a class that is left, the next. None where untold."""
    own = model.network.condition
    if own is None or held.told is None or own.kind != spec.kind or spec.names[k] not in own.names:
        return None
    column, told = own.names.index(spec.names[k]), held.told.copy()
    if own.kind == "attributes":
        told[:, column] = 1 - 2 * held.labels[:, k].astype(np.float32)
        return told
    has = held.labels[:, k] > 0
    told[:] = 0
    told[~has, column] = 1
    told[has, (column + 1) % own.size] = 1
    return told
