"""`latentry encode`: the latents of pictures."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from latentry.cli.flags import parse_flags
from latentry.cli.wish import WishFlags
from latentry.files import check_output


@dataclass(frozen=True)
class EncodeFlags:
    """The verb's arguments."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """a run folder or a model folder"""
    data: str | None = None
    """pictures to encode: a file or anything that `train --data` takes; by default the run's held-out pictures"""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """how many pictures, at most; None for all"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("latents.npy")
    """a .npy file, float32 [n, latent], or [n, latent, h, w] of a VQ-VAE; row i is picture i"""
    condition: WishFlags = field(default_factory=WishFlags)
    """of a conditional model: what all the pictures show, where their labels do not say it"""
    device: str = "cpu"
    """cpu, cuda, mps or auto"""
    json: bool = False
    """print one JSON object, and nothing else"""


def main(arguments: list[str]) -> int:
    """Encode and write."""
    description = "Write the latents of pictures; deterministic (a VAE's posterior mean)."
    flags = parse_flags(EncodeFlags, arguments, prog="latentry encode", description=description)
    check_output(flags.output, ".npy")
    import io

    import numpy as np

    from latentry.api.opening import load, open_for_model
    from latentry.files import write_file

    model = load(flags.run, device=flags.device)
    latents = model.encode(*open_for_model(model, flags.data, flags.n, flags.condition.read()))
    buffer = io.BytesIO()
    np.save(buffer, latents)
    write_file(flags.output, buffer.getvalue())
    if flags.json:
        sys.stdout.write(json.dumps({"output": str(flags.output), "shape": list(latents.shape)}) + "\n")
    else:
        sys.stdout.write(f"latents {list(latents.shape)}: {flags.output}\n")
    return 0
