"""Labelled latents: what vectors are learnt from and graded on.

A model with an encoder has them from labelled pictures; one without from its own samples, which a probe labels.

Letters: n pictures, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latentry.data import ImageSet, condition_vectors, holdout_indices
from latentry.errors import InputError, unknown_name
from latentry.latent import independent_columns
from latentry.metrics.probe import Probe, probe_for
from latentry.models.trained import TrainedModel
from latentry.settings.specs import ConditionKind, ConditionSpec
from latentry.training.rng import derive_seed


@dataclass(frozen=True)
class Labelled:
    """Latents, and what their pictures show.

    Attributes:
        z: float32 [n, *latent shape].
        labels: 0 or 1, [n, K]; classes are one-hot.
        told: what a conditional model was told of them, [n, C], or None.
        images: the pictures themselves, uint8 [n, C, H, W].
    """

    z: np.ndarray
    labels: np.ndarray
    told: np.ndarray | None
    images: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """The latents as rows, [n, D]."""
        return self.z.reshape(len(self.z), -1)


def label_columns(images: ImageSet, by: str | None) -> tuple[ConditionKind, np.ndarray, tuple[str, ...]]:
    """The kind of labels, their values 0 or 1, [N, K], and their names."""
    if by not in (None, "attributes", "class"):
        raise unknown_name("kind of labels", by, ["attributes", "class"])
    labels = images.labels
    if labels is not None and labels.attributes is not None and labels.attributes.names and by != "class":
        return "attributes", labels.attributes.values, labels.attributes.names
    if labels is not None and labels.classes is not None and by != "attributes":
        return "class", np.eye(len(labels.classes.names), dtype=np.uint8)[labels.classes.values], labels.classes.names
    wanted = {"attributes": "yes/no columns", "class": "classes"}.get(by or "", "yes/no attributes or classes")
    raise InputError(
        f"{images.name} has no {wanted} to learn vectors from; give labelled pictures with --data "
        "(a labels.csv, or one sub-folder a class)"
    )


def split_rows(images: ImageSet, model: TrainedModel, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pictures to learn from and to grade on, each in random order; of the model's own data, split as in training."""
    config = model.config
    fit, held = holdout_indices(images, config.data.holdout, config.training.seed)
    notes = []
    if len(held) == 0:
        fit, held = holdout_indices(images, 0.1, config.training.seed)
        notes.append("the run held nothing out, so edits are graded on pictures that the model was trained on")
    if len(held) == 0:
        raise InputError(
            f"{images.name} has {len(images)} pictures, too few different ones to learn from some and grade on others"
        )
    rng = np.random.default_rng(derive_seed(seed, "attribute rows"))
    return rng.permutation(fit), rng.permutation(held), notes


def usable_labels(labels: np.ndarray, names: tuple[str, ...], kind: str, notes: list[str], where: str) -> list[int]:
    """The labels that vary and do not follow from others; those that are left out are noted."""
    varying = [k for k in range(len(names)) if 0 < labels[:, k].sum() < len(labels)]
    if not varying:
        one = names[int(labels.sum(axis=0).argmax())] if kind == "class" else names[0]
        raise InputError(
            f"every picture of {where} has the same label ({one!r}), so there is no difference to learn; add others"
        )
    kept = varying if kind == "class" else [varying[k] for k in independent_columns(labels[:, varying])]
    if constant := [name for k, name in enumerate(names) if k not in varying]:
        notes.append(f"left out, the same for every picture: {', '.join(constant)}")
    if dependent := [names[k] for k in varying if k not in kept]:
        notes.append(f"left out, they follow from others: {', '.join(dependent)}")
    return kept


def wanted_labels(names: tuple[str, ...], only: Sequence[str] | None) -> list[int]:
    """Which of the names are to be learnt: those asked for, or all."""
    for name in only or ():
        if name not in names:
            raise unknown_name("label", name, names)
    return [names.index(name) for name in only or names]


def train_probes(
    model: TrainedModel, images: ImageSet, rows: np.ndarray, spec: ConditionSpec, n_shown: int, seed: int
) -> tuple[Probe, Probe | None]:
    """The probe that grades, and the one that labels samples where the model has no encoder, from separate pictures."""
    parts = [rows] if model.network.encode is not None else [rows[::2], rows[1::2]]
    probes = [
        probe_for(images.subset(np.sort(part)), spec, n_shown=n_shown, seed=seed + index, degrade=True)
        for index, part in enumerate(parts)
    ]
    return probes[0], probes[1] if len(probes) > 1 else None


def from_pictures(model: TrainedModel, images: ImageSet, rows: np.ndarray, labels: np.ndarray) -> Labelled:
    """Latents of pictures, with their labels [n, K]."""
    spec = model.network.condition
    told = None if spec is None else condition_vectors(images.labels and images.labels.take(rows), spec)
    pictures = np.ascontiguousarray(images.images[rows])
    return Labelled(model.encode(pictures, told), labels[rows], told, pictures)


def from_samples(model: TrainedModel, labeller: Probe, seeds: range) -> Labelled:
    """Latents of seeds, with what a probe sees in their pictures."""
    told = model.conditions(seeds)
    z = model.latents(seeds, conditions=told)
    pictures = model.decode(z, told)
    seen = labeller.predict(pictures)
    exclusive = labeller.facts.kind == "class"
    labels = np.eye(seen.shape[1])[seen.argmax(axis=1)] if exclusive else seen > 0.5
    return Labelled(z, labels.astype(np.uint8), told, pictures)


def seen_in_samples(fit: Labelled, wanted: list[int], names: tuple[str, ...], notes: list[str]) -> list[int]:
    """The wanted labels that occur, and do not always occur, in samples."""
    share = fit.labels.mean(axis=0)
    absent = [names[k] for k in wanted if not 0 < share[k] < 1]
    if len(absent) == len(wanted):
        raise InputError(
            f"none of {', '.join(absent)} varies in the model's own samples; train it longer, or draw more"
        )
    if absent:
        notes.append(f"left out, the same in all samples: {', '.join(absent)}")
    return [k for k in wanted if 0 < share[k] < 1]
