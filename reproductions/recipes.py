"""Train every recipe on as many images of one data set, and write what each reached: the numbers in the recipe table.

usage: python -m reproductions.recipes [--data faces] [--images 12k] [--recipes vae,iwae] [--out reproductions/recipes]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import latentry
from latentry.data import holdout_indices

N_SCORED = 500


def main() -> None:
    """Train, score, write a JSON line as each ends, and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="faces")
    parser.add_argument("--images", default="12k")
    parser.add_argument("--recipes", default=",".join(latentry.RECIPES))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("reproductions/recipes"))
    arguments = parser.parse_args()
    log = arguments.out.with_suffix(".jsonl")
    for recipe in arguments.recipes.split(","):
        row = measure(recipe, arguments.data, arguments.images, arguments.runs)
        print(row)
        with log.open("a") as file:
            file.write(json.dumps(row) + "\n")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    arguments.out.with_suffix(".md").write_text(as_markdown(rows))


def measure(recipe: str, data: str, images_budget: str, runs: Path) -> dict[str, Any]:
    """Train one recipe and score it on held-out pictures."""
    settings: dict[str, Any] = {"budget": None, "epochs": None, "images": images_budget}
    run = latentry.train(recipe, data, out=runs, **settings)
    model = run.load()
    config = model.config
    images = latentry.open_images(data, size=config.data.size_px, channels=config.data.channels, fit=config.data.fit)
    _, held_out = holdout_indices(images, config.data.holdout, config.training.seed)
    reals = np.ascontiguousarray(images.images[held_out[:N_SCORED]])
    errors = np.square((reals.astype(np.float64) - model.reconstruct(reals)) / 255).mean(axis=(1, 2, 3))
    last = run.log[-1]
    scores = last["held_out"]
    return {
        "recipe": recipe,
        "data": data,
        "picture": "x".join(map(str, reals.shape[1:])),
        "images": last["images"],
        "seconds": last["seconds"],
        "held_out_loss": scores["loss"],
        "reconstruction": scores["reconstruction"],
        "kl": scores.get("kl"),
        "active_units": scores["active_units"],
        "psnr_db": float(np.mean(-10 * np.log10(errors))),
        "sampler": model.network.samplers.chosen,
        "sampler_scores": model.network.samplers.scores,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
    }


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table, one row a run."""
    lines = [
        "# What the recipes reach",
        "",
        "Made by `python -m reproductions.recipes`; one seed each, so small differences mean nothing. Losses are",
        "held-out nats per image, comparable only between equal likelihoods and picture sizes; PSNR is of",
        f"reconstructions of {N_SCORED} held-out pictures. Full records: the `.jsonl` file beside this one.",
        "",
        "| recipe | data | picture | images seen | seconds | loss | KL | active units | PSNR | sampler chosen |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        kl = "" if row["kl"] is None else f"{row['kl']:,.1f}"
        lines.append(
            f"| {row['recipe']} | {row['data']} | {row['picture']} | {row['images']:,} | {row['seconds']:,.0f} "
            f"| {row['held_out_loss']:,.1f} | {kl} | {row['active_units']} | {row['psnr_db']:.2f} dB "
            f"| {row['sampler']} |"
        )
    machine = f"{rows[-1]['machine']}, {rows[-1]['date']}"
    return "\n".join([*lines, "", f"Machine: {machine}.", ""])


if __name__ == "__main__":
    main()
