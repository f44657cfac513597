"""`latentry invert`: the latents of real pictures, how near the model comes, and whether it knows their kind."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from latentry.cli.flags import PICTURES, parse_flags
from latentry.cli.pictures import open_pictures
from latentry.cli.wish import WishFlags
from latentry.errors import InputError
from latentry.files import check_output

if TYPE_CHECKING:
    import numpy as np

    from latentry.api.invert import InversionSettings, Inverted
    from latentry.models.trained import TrainedModel


@dataclass(frozen=True)
class InvertFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    image: Path | None = None
    """a picture to invert, or a folder of them; made as large as the model's"""
    data: str | None = None
    """pictures instead: anything that `train --data` takes, with labels where the model is told them"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 16
    """how many pictures, at most"""
    fit: bool = False
    """first learn what inverting needs, once a model: an encoder for a GAN, and the verdict from held-out pictures"""
    fit_images: int = 100_000
    """of --fit: generated pictures to train the encoder on"""
    fit_held_out: int = 128
    """of --fit: held-out pictures to invert for the verdict, at most"""
    start: Literal["encoder", "draws"] = "encoder"
    """where the search starts: the encoder's answer, or the nearest of 512 draws from the prior"""
    steps: int = 150
    """of the search; 0 keeps the start. The verdict holds for the steps and start that --fit was given"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("inverted.png")
    """a .png or .jpg: each picture, the model's at the start of the search and at its end"""
    latents: Path | None = None
    """a .npy file for the latents found, float32 [n, latent]"""
    condition: WishFlags = field(default_factory=WishFlags)
    """of a conditional model: what the pictures show; the rest is taken as unknown, of numbers as the mean"""
    seed: int = 0
    """of --fit: every random choice derives from it"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


@dataclass
class _Said:
    """What goes to people while it happens, and into the record at the end."""

    quiet: bool
    record: dict[str, object] = field(default_factory=dict)

    def say(self, line: str) -> None:
        if not self.quiet:
            sys.stderr.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    """Fit where asked, invert where there are pictures, write and report."""
    description = "Find the latents of real pictures; say how near the model comes, and whether it knows their kind."
    flags = parse_flags(InvertFlags, arguments, prog="latentry invert", description=description)
    given = [part for part in (flags.image, flags.data) if part is not None]
    if len(given) > 1 or not (given or flags.fit):
        raise InputError("invert needs one of --image FILE and --data SPEC, or --fit to prepare the model")
    if flags.n < 1:
        raise InputError(f"n (={flags.n}) must be at least 1")
    check_output(flags.output, *PICTURES)
    if flags.latents is not None:
        check_output(flags.latents, ".npy")
    from latentry.api.invert import InversionSettings, invert_pictures
    from latentry.api.opening import load

    model = load(flags.run, device=flags.device)
    settings = InversionSettings(start=flags.start, steps=flags.steps)
    said = _Said(flags.json)
    if flags.fit:
        _fit(model, flags, settings, said)
    if given:
        notes: list[str] = []
        images, told = _pictures(model, flags, notes)
        started = time.perf_counter()
        inverted = invert_pictures(model, images, told, settings)
        _write(flags, inverted)
        _report(flags, inverted, notes, model, time.perf_counter() - started, said)
    if flags.json:
        sys.stdout.write(json.dumps(said.record) + "\n")
    return 0


def _fit(model: TrainedModel, flags: InvertFlags, settings: InversionSettings, said: _Said) -> None:
    from latentry.api.invert import fit_inversion

    if flags.fit_images < 1 or flags.fit_held_out < 2:
        raise InputError(
            f"fit-images (={flags.fit_images}) must be at least 1 and fit-held-out (={flags.fit_held_out}) at least 2"
        )
    record = fit_inversion(
        model, settings, n_images=flags.fit_images, n_held_out=flags.fit_held_out, seed=flags.seed, say=said.say
    )
    said.record["fit"] = record
    for note in record["notes"]:
        said.say(f"note: {note}")
    encoder = record["encoder"]
    learnt = "" if encoder is None else f"an encoder that explains {encoder['explained']:.0%} of latents' variance; "
    said.say(
        f"{learnt}of {record['data']['held_out']} held-out pictures PSNR is {record['psnr_db']:.1f} dB, and 95 % have "
        f"an SSIM of {record['threshold']:.3f} or more: kept in {model.path}"
    )


def _pictures(model: TrainedModel, flags: InvertFlags, notes: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """The pictures, and what a conditional model is told of them: as asked, or by their own labels."""
    from latentry.api.opening import open_for_model

    wish = flags.condition.read()
    if flags.image is None:
        return open_for_model(model, flags.data, flags.n, wish)
    images = open_pictures(model, flags.image, notes)[: flags.n]
    return images, wish.told(len(images), model.condition)


def _write(flags: InvertFlags, inverted: Inverted) -> None:
    import io

    import numpy as np

    from latentry.files import write_file
    from latentry.report.grid import save_picture
    from latentry.report.sheet import labelled_sheet

    verdicts = [""] * len(inverted.images)
    if inverted.inside is not None:
        verdicts = ["inside " if inside else "outside " for inside in inverted.inside]
    rows = [f"{verdict}{value:.2f}" for verdict, value in zip(verdicts, inverted.ssim, strict=True)]
    shown = np.stack([inverted.images, inverted.first, inverted.made], axis=1)
    save_picture(flags.output, labelled_sheet(shown, ["original", flags.start, "optimised"], rows))
    if flags.latents is not None:
        buffer = io.BytesIO()
        np.save(buffer, inverted.z)
        write_file(flags.latents, buffer.getvalue())


def _report(
    flags: InvertFlags, inverted: Inverted, notes: list[str], model: TrainedModel, seconds: float, said: _Said
) -> None:
    if inverted.inside is None:
        fitted = model.inverse is not None and bool(model.inverse.facts)
        why = "--fit was given other --start or --steps" if fitted else "nothing was measured to tell it by"
        notes.append(f"no verdict, since {why}; run latentry invert {flags.run} --fit, with the same flags, once")
    records = inverted.to_json()
    said.record |= {
        "output": str(flags.output),
        "latents": None if flags.latents is None else str(flags.latents),
        "threshold_ssim": inverted.threshold,
        "pictures": records,
        "notes": notes,
    }
    if flags.json:
        return
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    for i, record in enumerate(records[:16]):
        verdict = {True: "inside", False: "outside", None: ""}[record.get("inside")]
        psnr = "  same" if record["psnr_db"] is None else f"{record['psnr_db']:6.2f}"
        far = f"  feature distance {record['feature_distance']:.2f}" if "feature_distance" in record else ""
        sys.stdout.write(f"{i:>4}  PSNR {psnr} dB  SSIM {record['ssim']:.3f}{far}  {verdict}\n")
    if inverted.inside is not None:
        sys.stdout.write(
            f"{int(inverted.inside.sum())} of {len(records)} inside what this model knows: SSIM at least "
            f"{inverted.threshold:.3f}, as of 95 % of held-out pictures of its own kind\n"
        )
    sys.stdout.write(f"{len(records)} pictures in {seconds:.1f} s: {flags.output}\n")
