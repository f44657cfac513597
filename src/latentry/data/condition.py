"""From a set's labels to the condition vectors that a model is told.

Letters: N pictures, K numbers in a condition vector.
"""

from __future__ import annotations

import numpy as np

from latentry.data.labels import AttributeLabels, ClassLabels, ContinuousLabels, Labels
from latentry.errors import InputError, unknown_name
from latentry.settings.condition import ConditionSettings
from latentry.settings.specs import ConditionKind, ConditionSpec


def condition_spec(labels: Labels | None, settings: ConditionSettings, name: str) -> ConditionSpec | None:
    """What a model of these pictures is told; None where the settings ask for no condition.

    Args:
        labels: of the pictures it is trained on.
        settings: which of them it is told.
        name: of the set, for messages.

    Raises:
        InputError: the set has no such labels, only one class, a class with a single picture, or an unknown name.
    """
    kind = settings.condition
    if kind == "none":
        return None
    part = _part(labels, kind)
    if part is None or len(part.names) == 0:
        others = [each for each in _NEEDED if _part(labels, each) is not None]
        has = " and ".join(others).replace("class", "classes") or "no labels"
        instead = " or ".join(f"condition={each}" for each in (*others, "none"))
        raise InputError(
            f"condition={kind} needs {_NEEDED[kind]}, but {name} has {has}; give such data, or use {instead}"
        )
    if kind == "class":
        return ConditionSpec("class", _class_names(part.values, part.names, name))
    names = settings.condition_on or part.names
    for wanted in names:
        if wanted not in part.names:
            raise unknown_name(f"{kind.removesuffix('s')} of {name}", wanted, part.names)
    values = part.values[:, [part.names.index(wanted) for wanted in names]].astype(np.float64)
    if constant := [each for each, spread in zip(names, np.ptp(values, axis=0), strict=True) if spread == 0]:
        raise InputError(
            f"{constant[0]} is the same for every picture of {name}, so nothing can be learned from it; "
            f"name the {kind} to use with condition-on"
        )
    if kind == "attributes":
        return ConditionSpec("attributes", tuple(names))
    return ConditionSpec("numbers", tuple(names), tuple(values.mean(0).tolist()), tuple(values.std(0).tolist()))


def condition_vectors(labels: Labels | None, spec: ConditionSpec) -> np.ndarray:
    """Condition vectors, float32 [N, K]: one-hot, +1 and -1, or in units of the training data's spread.

    Raises:
        InputError: the labels lack what the model is told.
    """
    part = _part(labels, spec.kind)
    missing = list(spec.names) if part is None else [name for name in spec.names if name not in part.names]
    if part is None or (missing and spec.kind != "class"):
        few = ", ".join(missing[:5])
        raise InputError(
            f"these pictures have no {spec.kind} labels for {few}, which the model is told; add them, or say what all "
            f"of them show (--{spec.kind})"
        )
    if spec.kind == "class":
        strangers = sorted({part.names[value] for value in np.unique(part.values)} - set(spec.names))
        if strangers:
            raise unknown_name("class of this model", strangers[0], spec.names)
        place = np.array([spec.names.index(name) if name in spec.names else 0 for name in part.names])
        return np.eye(spec.size, dtype=np.float32)[place[part.values]]
    values = part.values[:, [part.names.index(name) for name in spec.names]].astype(np.float32)
    if spec.kind == "attributes":
        return 2 * values - 1
    return (values - np.asarray(spec.centre, np.float32)) / np.asarray(spec.spread, np.float32)


_NEEDED: dict[ConditionKind, str] = {
    "class": "classes, such as one sub-folder each",
    "attributes": "yes/no columns",
    "numbers": "number columns",
}


def _part(labels: Labels | None, kind: ConditionKind) -> ClassLabels | AttributeLabels | ContinuousLabels | None:
    """The labels of one kind, where there are such."""
    if labels is None:
        return None
    match kind:
        case "class":
            return labels.classes
        case "attributes":
            return labels.attributes
        case "numbers":
            return labels.numbers


def _class_names(values: np.ndarray, names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The classes that occur, each with at least two pictures, at least two of them."""
    counts = np.bincount(values, minlength=len(names))
    present = tuple(each for each, count in zip(names, counts, strict=True) if count)
    if len(present) < 2:
        raise InputError(f"condition=class needs at least two classes, but {name} has only {present[0]!r}")
    if single := [each for each, count in zip(names, counts, strict=True) if count == 1]:
        raise InputError(
            f"class {single[0]!r} of {name} has a single picture (as have {len(single) - 1} others); "
            "a conditional model needs at least two of each: add some, or leave the class out"
        )
    return present
