"""What is evaluated and what it is measured against: a run or pictures, and which real pictures play which part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentry.api.opening import load, open_set_for_model, split_config_rows
from latentry.data import ImageSet, open_images
from latentry.data.duplicates import pixel_digests
from latentry.errors import InputError
from latentry.files import read_json
from latentry.models.trained import TrainedModel
from latentry.report.data_report import conversion
from latentry.training.rng import derive_seed
from latentry.training.run import Run, open_run

_AT_ONCE = 512
_SEEDS_APART = 10_000_000  # samples of one evaluation seed share none with the next one's
_FEW_HELD_OUT = 200
_OVERLAP = 0.01  # share of pictures that are in the reference, above which they are no test of it


@dataclass(frozen=True)
class Roles:
    """Rows of the real pictures by the part that they play.

    Attributes:
        reference: what generated pictures are measured against, [n].
        floor: others, held-out ones first, that are measured in the generated ones' place, [n].
        training: what the model was trained on; of pictures without a run, all.
        held_out: what it was not trained on, where there are such, for likelihood and reconstruction.
        searched: what copies are looked for among.
        audit_held_out: real pictures that are none of `searched`.
        split: of the reference, for passports.
        held_out_split: of `held_out`, likewise.
    """

    reference: np.ndarray
    floor: np.ndarray
    training: np.ndarray
    held_out: np.ndarray
    searched: np.ndarray
    audit_held_out: np.ndarray
    split: str
    held_out_split: str


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Attributes:
        name: the run's folder or the pictures' name.
        model: that generates; None where pictures stand in for one.
        run: that the model belongs to, where there is one.
        folder: where results are kept by default.
        pictures: that stand in for a model.
        images: the real pictures, at the size of the generated ones.
        roles: of the real pictures.
        notes: what a reader must know.
    """

    name: str
    model: TrainedModel | None
    run: Run | None
    folder: Path | None
    pictures: np.ndarray | None
    images: ImageSet
    roles: Roles
    notes: tuple[str, ...]

    def draw(self, n: int, seed: int, say: Callable[[str, int, int], None]) -> tuple[np.ndarray, np.ndarray | None]:
        """The generated pictures, n or as many as there are, and what a conditional model was asked for."""
        if self.model is None:
            assert self.pictures is not None
            order = np.random.default_rng(derive_seed(seed, "pictures")).permutation(len(self.pictures))[:n]
            return np.ascontiguousarray(self.pictures[np.sort(order)]), None
        drawn, asked = [], []
        for start in range(0, n, _AT_ONCE):
            seeds = range(seed * _SEEDS_APART + start, seed * _SEEDS_APART + min(start + _AT_ONCE, n))
            told = self.model.conditions(seeds)
            drawn.append(self.model.decode(self.model.latents(seeds, conditions=told), told))
            asked += [] if told is None else [told]
            say("drawing samples", start + len(seeds), n)
        return np.concatenate(drawn), np.concatenate(asked) if asked else None


def open_subject(
    spec: Any, data: Any, *, n: int, seed: int, size: int | tuple[int, int] | None = None, device: str = "cpu"
) -> Subject:
    """Open what is evaluated and its real pictures.

    Args:
        spec: a run folder, a model folder, a model, or pictures.
        data: the real pictures; None for the run's own.
        n: pictures of each side, at most.
        seed: of the choice of real pictures.
        size: of pictures that stand in for a run.
        device: where a model computes.
    """
    limit = 2**64 // _SEEDS_APART
    if not 0 <= seed < limit:
        raise InputError(f"seed (={seed}) must be 0 or more, and below {limit}")
    model = spec if isinstance(spec, TrainedModel) else None
    if model is None and isinstance(spec, str | Path) and (Path(spec) / "config.json").is_file():
        model = load(spec, device=device)
    # A file that holds a model, such as ONNX, is opened here too once `load` reads it.
    return _open_pictures(spec, data, n, seed, size) if model is None else _open_model(model, data, n, seed)


def _open_model(model: TrainedModel, data: Any, n: int, seed: int) -> Subject:
    try:
        images = open_set_for_model(model, data)
    except InputError as error:
        if data is not None:
            raise
        raise InputError(
            f"{error}; the real pictures are what samples are measured against: name them with --data"
        ) from error
    notes = []
    recorded = _trained_on(model)
    own = images.fingerprint == recorded or (recorded is None and data is None)
    train, held = split_config_rows(images, model.config) if own else (np.empty(0, np.int64), np.empty(0, np.int64))
    if not own:
        changed = "the real pictures have changed since the run was trained" if data is None else ""
        other = "the real pictures are not those that the run was trained on"
        notes.append(f"{changed or other}, so which it has seen is not known, and copies of those are not found")
    elif not len(held):
        notes.append("the run held nothing out: likelihood and reconstruction are of pictures that it was trained on")
    chosen = model.network.samplers.chosen
    if chosen != "prior":
        notes.append(f"samples are drawn from the sampler that the run chose: {chosen}")
    folder = model.path.parent if model.path.name == "model" else model.path
    run = _run_in(folder)
    folder = folder if run is not None else model.path
    roles = assign_roles(len(images), train, held, n, seed)
    return Subject(str(folder), model, run, folder, None, images, roles, tuple(notes))


def _open_pictures(spec: Any, data: Any, n: int, seed: int, size: int | tuple[int, int] | None) -> Subject:
    name = str(spec) if isinstance(spec, str | Path) else "pictures"
    if data is None:
        raise InputError(
            f"{name} is no run, so there are no real pictures to measure it against; name them with --data, "
            "or give a folder that `train` made"
        )
    pictures = open_images(spec, size=size)
    image = pictures.spec
    images = open_images(data, size=(image.height, image.width), channels=image.channels_setting)
    if images.spec != image:
        raise InputError(f"{name} holds {image}, and {images.name} {images.spec}; measure like against like")
    if len(pictures) < 2:
        raise InputError(f"{name} holds {len(pictures)} picture; a distribution takes two at least, better thousands")
    n = min(n, len(pictures))  # as many of each side, so that the floor is measured as the pictures are
    roles = assign_roles(len(images), np.empty(0, np.int64), np.empty(0, np.int64), n, seed)
    notes = tuple(
        f"{what} are {changed[0]}; they were made {changed[1]}"
        for each, what in ((pictures, "the pictures"), (images, "the real pictures"))
        if (changed := conversion(each))
    )
    return Subject(pictures.name, None, None, None, np.asarray(pictures.images), images, roles, notes)


def assign_roles(n_real: int, train: np.ndarray, held: np.ndarray, n: int, seed: int) -> Roles:
    """Who plays what; `train` and `held` are empty where it is not known what was trained on.

    Raises:
        InputError: fewer than four real pictures.
    """
    if n_real < 4:
        raise InputError(f"{n_real} real pictures are too few to measure against; give four at least, better thousands")
    known = len(train) > 0
    # Held-out pictures stand last: the floor and the audit take them first.
    order = np.concatenate([train, held]) if known else _shuffled(n_real, seed)
    half = min(n, len(order) // 2, len(train) if known else n_real)
    a_fifth = max(1, len(order) // 5)
    n_aside = len(held) if len(held) >= min(_FEW_HELD_OUT, a_fifth) else a_fifth
    return Roles(
        reference=order[:half],
        floor=order[len(order) - half :],
        training=train if known else order,
        held_out=held if len(held) else order[-a_fifth:],
        searched=order[:-n_aside],
        audit_held_out=order[-n_aside:],
        split="train" if known else "all",
        held_out_split="held out" if len(held) else ("train" if known else "all"),
    )


def _shuffled(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(derive_seed(seed, "roles")).permutation(n)


def overlap_notes(subject: Subject, samples: np.ndarray) -> list[str]:
    """Whether pictures that stand in for a model are the reference itself, pixel for pixel."""
    if subject.model is not None or subject.images.spec.points:
        return []
    known = {bytes(digest) for digest in pixel_digests(subject.images.images)}
    n_same = sum(bytes(digest) in known for digest in pixel_digests(samples))
    if n_same <= _OVERLAP * len(samples):
        return []
    return [
        f"{n_same:,} of {len(samples):,} pictures are, pixel for pixel, among the real ones that they are measured "
        "against: distances are too small and mean nothing; measure against pictures that they were not taken from"
    ]


def _trained_on(model: TrainedModel) -> str | None:
    """Fingerprint of what the model was trained on, where it says so."""
    folder = model.path.parent if model.path.name == "model" else model.path
    path = folder / "data.json"
    return str(read_json(path)["fingerprint"]) if path.is_file() else None


def _run_in(folder: Path) -> Run | None:
    try:
        return open_run(folder)
    except InputError:
        return None
