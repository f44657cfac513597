"""`latentry edit`: pictures moved along named vectors, and analogies."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from latentry.cli.flags import (
    PICTURES,
    finite_number,
    parse_flags,
    parse_names,
    parse_numbers,
    parse_seeds,
)
from latentry.cli.pictures import open_pictures
from latentry.cli.wish import WishFlags
from latentry.errors import InputError
from latentry.files import check_output

if TYPE_CHECKING:
    import numpy as np

    from latentry.models.trained import TrainedModel
    from latentry.models.wish import Wish


@dataclass(frozen=True)
class EditFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    edits: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="NAME=DOSE")] = ()
    """how far along which vectors, e.g. smiling=+1.5 glasses=-1; a name alone is dose 1"""
    image: Path | None = None
    """a picture to edit, or a folder of them; made as large as the model's"""
    seeds: str | None = None
    """edit the samples of these seeds instead, e.g. 0-3"""
    analogy: tuple[Path, Path, Path] | None = None
    """three pictures A B C: what is to C as A is to B, A - B + C; written beside them"""
    method: str | None = None
    """of the vectors: balanced, difference, boundary; condition tells a conditional model otherwise instead"""
    untouched: str | None = None
    """vectors that the edit is made orthogonal to, e.g. hat,beard"""
    doses: str | None = None
    """a strip: every edit times each of these, e.g. -2,-1,0,1,2; one row a picture"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("edited.png")
    """a .png or .jpg, .npy for the pixels, or a folder for one PNG a picture"""
    condition: WishFlags = field(default_factory=WishFlags)
    """of a conditional model: what the pictures show; the rest is taken as unknown, of numbers as the mean"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Edit and write."""
    description = "Move pictures along named vectors (see `latentry attributes`), or make an analogy of three."
    flags = parse_flags(EditFlags, arguments, prog="latentry edit", description=description)
    check_output(flags.output, *PICTURES, ".npy", "")
    doses = _doses(flags.edits)
    if sum(given is not None for given in (flags.image, flags.seeds, flags.analogy)) != 1:
        raise InputError("edit needs one of --image FILE, --seeds 0-3 and --analogy A.png B.png C.png")
    if not doses and flags.analogy is None:
        raise InputError("there is no edit; name vectors with doses, e.g. smiling=+1.5 glasses=-1")
    factors = parse_numbers("doses", flags.doses) if flags.doses is not None else None
    from latentry.api.opening import load

    model = load(flags.run, device=flags.device)
    wish, notes = flags.condition.read(), list[str]()
    if flags.method != "condition":
        if names := parse_names(flags.untouched):
            from latentry.api.attributes import leave_untouched

            model.vectors = leave_untouched(model.vectors, list(doses), names, flags.method)
        notes += _beyond(model, doses, factors or [1.0], flags.method)
    images, z, told = _latents(model, flags, wish, notes)
    pictures, names, columns = _edited(model, flags, images, z, told, doses, factors)
    from latentry.report.grid import save_pictures

    written = save_pictures(flags.output, pictures, names, columns)
    if flags.json:
        sys.stdout.write(json.dumps({"output": str(written), "n": len(z), "doses": doses, "notes": notes}) + "\n")
        return 0
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    sys.stdout.write(f"{len(pictures)} pictures: {written}\n")
    return 0


def _edited(
    model: TrainedModel,
    flags: EditFlags,
    images: np.ndarray | None,
    z: np.ndarray,
    told: np.ndarray | None,
    doses: dict[str, float],
    factors: list[float] | None,
) -> tuple[np.ndarray, list[str], int | None]:
    """The pictures to write, their names, and how many stand in a row."""
    import numpy as np

    if flags.analogy is not None:
        from latentry.latent import analogy

        assert images is not None
        told = None if told is None else told[:1]
        z = analogy(*z)[None].astype(np.float32)
        made = model.edit_latents(z, doses, method=flags.method, conditions=told)
        return np.concatenate([images, made]), ["a", "b", "c", "a-b+c"], 4
    steps = [
        model.edit_latents(
            z, {name: factor * dose for name, dose in doses.items()}, method=flags.method, conditions=told
        )
        for factor in (factors or [1.0])
    ]
    pictures = np.stack(steps, axis=1).reshape(-1, *steps[0].shape[1:])
    which = parse_seeds(flags.seeds) if flags.seeds is not None else range(len(z))
    names = [f"{row:06d}" + (f"-{f:+g}" if factors else "") for row in which for f in (factors or [1.0])]
    return pictures, names, len(steps) if factors else None


def _latents(
    model: TrainedModel, flags: EditFlags, wish: Wish, notes: list[str]
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """The pictures where they were given, the latents, and what the model is told of them."""
    import numpy as np

    if flags.seeds is not None:
        seeds = parse_seeds(flags.seeds)
        told = model.conditions(seeds, wish)
        return None, model.latents(seeds, conditions=told), told
    paths = flags.analogy or (flags.image,)
    images = np.concatenate([open_pictures(model, path, notes) for path in paths if path is not None])
    told = wish.told(len(images), model.condition)
    return images, model.encode(images, told), told


def _doses(edits: tuple[str, ...]) -> dict[str, float]:
    """Doses by name from `smiling=+1.5 glasses`."""
    doses: dict[str, float] = {}
    for edit in edits:
        name, equals, text = edit.rpartition("=")
        name = name if equals else text
        if name in doses:
            raise InputError(f"edit {edit!r}: its name is there twice; give each name one dose")
        try:
            doses[name] = finite_number(text) if equals else 1.0
        except ValueError:
            raise InputError(f"edit {edit!r} must be a name with a dose, such as smiling=+1.5") from None
    return doses


def _beyond(model: TrainedModel, doses: dict[str, float], factors: list[float], method: str | None) -> list[str]:
    """A note for each dose that lies beyond those that its vector was graded at."""
    notes = []
    for name, dose in doses.items():
        vector = model.vectors.find(name, method)
        largest = max(abs(dose * factor) for factor in factors)
        if vector.farthest is not None and largest > vector.farthest:
            notes.append(
                f"{name}={largest:g} is beyond the doses that it was graded at, up to {vector.farthest:g} either way"
            )
    return notes
