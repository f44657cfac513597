"""`latentry morph`: from picture to picture through latent space, as a strip or an animation."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from latentry.cli.flags import PICTURES, check_count, parse_flags, parse_seeds
from latentry.cli.pictures import open_pictures
from latentry.cli.wish import WishFlags
from latentry.errors import InputError
from latentry.files import check_output

if TYPE_CHECKING:
    import numpy as np

    from latentry.models.trained import TrainedModel


@dataclass(frozen=True)
class MorphFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    seeds: str | None = None
    """samples to go through, e.g. 1,5,9"""
    images: tuple[Path, ...] = ()
    """pictures to go through instead, two or more files"""
    optimise: bool = False
    """of --images: search for the nearest latent, from the encoder's answer, instead of taking that"""
    loop: bool = False
    """back to the first"""
    frames: int = 24
    """how many pictures, the first and the last among them"""
    path: Literal["auto", "spherical", "straight"] = "auto"
    """along arcs or straight lines; auto takes arcs where the prior is Gaussian"""
    keep_condition: bool = False
    """a conditional model is told the same all the way, what it is told of the first; else that changes too"""
    fps: float = 12.0
    """frames a second of an animation, at most 50"""
    columns: int | None = None
    """pictures in a row of the strip; by default all"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("morph.png")
    """a .png or .jpg for a strip, .gif, .webp or .mp4 for an animation"""
    condition: WishFlags = field(default_factory=WishFlags)
    """of a conditional model: what all pictures show"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Morph and write."""
    description = "Go from picture to picture through latent space: a strip, or an animation."
    flags = parse_flags(MorphFlags, arguments, prog="latentry morph", description=description)
    _check(flags)
    from latentry.api.opening import load
    from latentry.api.walks import morph
    from latentry.report.animation import save_animation
    from latentry.report.grid import save_pictures

    model, notes = load(flags.run, device=flags.device), list[str]()
    if model.image.points and flags.output.suffix.lower() not in PICTURES:
        raise InputError(
            f"this model draws points of the plane, which {flags.output.suffix} cannot show; end -o in .png"
        )
    z, told = _keyframes(model, flags, notes)
    pictures = morph(
        model,
        z,
        told,
        frames=flags.frames,
        loop=flags.loop,
        way=flags.path,
        keep_condition=flags.keep_condition,
    )
    if flags.output.suffix.lower() in PICTURES:
        save_pictures(flags.output, pictures, [], flags.columns or len(pictures))
    else:
        save_animation(flags.output, pictures, fps=flags.fps)
    if flags.json:
        record = {"output": str(flags.output), "keyframes": len(z), "frames": len(pictures), "notes": notes}
        sys.stdout.write(json.dumps(record) + "\n")
        return 0
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    sys.stdout.write(f"{len(pictures)} frames through {len(z)} keyframes: {flags.output}\n")
    return 0


def _check(flags: MorphFlags) -> None:
    """Refuse what can be told without opening anything."""
    from latentry.report.animation import ANIMATIONS

    if (flags.seeds is None) == (not flags.images):
        raise InputError("morph needs one of --seeds 1,5,9 and --images A.png B.png")
    n = len(flags.images) if flags.seeds is None else len(parse_seeds(flags.seeds))
    if n < 2:
        raise InputError(f"morph needs at least two keyframes, not {n}; give more seeds or pictures")
    check_output(flags.output, *PICTURES, *ANIMATIONS)
    if flags.frames < n:
        raise InputError(f"frames (={flags.frames}) must be at least as many as the {n} keyframes")
    check_count("frames", flags.frames)
    if flags.columns is not None and flags.columns < 1:
        raise InputError(f"columns (={flags.columns}) must be at least 1")


def _keyframes(model: TrainedModel, flags: MorphFlags, notes: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """The latents, and what the model is told of them."""
    import numpy as np

    wish = flags.condition.read()
    if flags.seeds is not None:
        seeds = parse_seeds(flags.seeds)
        told = model.conditions(seeds, wish)
        return model.latents(seeds, conditions=told), told
    images = np.concatenate([open_pictures(model, path, notes) for path in flags.images])
    told = wish.told(len(images), model.condition)
    if flags.optimise:
        from latentry.api.invert import invert_pictures

        return invert_pictures(model, images, told).z, told
    return model.encode(images, told), told
