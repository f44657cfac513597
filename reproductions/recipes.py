"""Train every recipe on as many images of one data set, and write what each reached: the numbers in the recipe table.

usage: python -m reproductions.recipes [--data faces] [--images 12k] [--recipes vae,iwae] [--out reproductions/recipes]
       python -m reproductions.recipes --score RUN [RUN ...]        # runs that `latentry train` made

The Frechet distance is in the features of a probe, a small network that was trained on the real pictures' own labels.
It compares runs on the same data, and is no FID; beside it stands what half of the real pictures scores against half.
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
from latentry.api.opening import open_config_images
from latentry.data import ImageSet, condition_spec, condition_vectors, holdout_indices
from latentry.metrics.frechet import frechet_distance
from latentry.metrics.gaussian import GaussianStatistics
from latentry.metrics.probe import probe_for
from latentry.models.trained import TrainedModel
from latentry.settings.condition import ConditionSettings
from latentry.settings.specs import ConditionKind
from latentry.training.run import open_run

N_SCORED = 500
N_SAMPLES = 5_000
PROBE_SHOWN = 60_000


def main() -> None:
    """Train, score, write a JSON line as each ends, and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="faces")
    parser.add_argument("--images", default="12k")
    parser.add_argument("--recipes", default=",".join(latentry.RECIPES))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("reproductions/recipes"))
    parser.add_argument("--score", type=Path, nargs="*", default=[], help="runs to score; nothing is trained then")
    arguments = parser.parse_args()
    log = arguments.out.with_suffix(".jsonl")
    runs = arguments.score or (
        train(recipe, arguments.data, arguments.images, arguments.runs) for recipe in arguments.recipes.split(",")
    )
    for run in runs:
        row = measure(run)
        print(row)
        with log.open("a") as file:
            file.write(json.dumps(row) + "\n")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    arguments.out.with_suffix(".md").write_text(as_markdown(rows))


def train(recipe: str, data: str, images_budget: str, runs: Path) -> Path:
    """Train one recipe; its run's folder."""
    settings: dict[str, Any] = {"budget": None, "epochs": None, "images": images_budget}
    return latentry.train(recipe, data, out=runs, **settings).path


def measure(path: Path) -> dict[str, Any]:
    """Score a run on held-out pictures."""
    run = open_run(path)
    model = latentry.load(path)
    config = model.config
    images = open_config_images(config)
    _, held_out = holdout_indices(images, config.data.holdout, config.training.seed)
    last = run.read_log()[-1]
    scores = last["held_out"] or {}
    distance, floor = frechet_in_probe_features(model, images)
    return {
        "recipe": config.recipe,
        "data": images.name,
        "picture": "x".join(map(str, images.spec.shape)),
        "images": last["images"],
        "seconds": last["seconds"],
        "held_out_loss": scores.get("loss"),
        "reconstruction": scores.get("reconstruction"),
        "kl": scores.get("kl"),
        "active_units": scores.get("active_units"),
        "psnr_db": psnr_of_reconstructions(model, images, held_out[:N_SCORED]),
        "frechet_probe": distance,
        "frechet_probe_of_reals": floor,
        "sampler": model.network.samplers.chosen,
        "sampler_scores": model.network.samplers.scores,
        "measured": {name: found["said"] for name, found in run.read_metrics().items()},
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
    }


def psnr_of_reconstructions(model: TrainedModel, images: ImageSet, rows: np.ndarray) -> float | None:
    """Mean over pictures, in decibels; None for a model without an encoder."""
    if model.network.encode is None:
        return None
    spec = model.network.condition
    told = None if spec is None else condition_vectors(images.labels, spec)
    reals = np.ascontiguousarray(images.images[rows])
    shown = model.reconstruct(reals, None if told is None else told[rows])
    errors = np.square((reals.astype(np.float64) - shown) / 255).mean(axis=(1, 2, 3))
    return float(np.mean(-10 * np.log10(errors)))


def frechet_in_probe_features(model: TrainedModel, images: ImageSet) -> tuple[float | None, float | None]:
    """The distance of samples to the real pictures, and of one half of these to the other; None without labels."""
    labels = images.labels
    if labels is None or (labels.classes is None and labels.attributes is None):
        return None, None
    kind: ConditionKind = "class" if labels.classes is not None else "attributes"
    spec = condition_spec(labels, ConditionSettings(condition=kind), images.name)
    assert spec is not None
    probe = probe_for(images, spec, n_shown=PROBE_SHOWN, seed=0)
    rows = np.random.default_rng(0).permutation(len(images))[: 2 * N_SAMPLES]
    real = probe.features(np.ascontiguousarray(images.images[np.sort(rows)]))
    half = GaussianStatistics.of(real[::2]), GaussianStatistics.of(real[1::2])
    fake = GaussianStatistics.of(probe.features(model.sample(N_SAMPLES)))
    return frechet_distance(half[0], fake), frechet_distance(*half)


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table, one row a run."""
    lines = [
        "# What the recipes reach",
        "",
        "Made by `python -m reproductions.recipes`; one seed each, so small differences mean nothing. Losses are",
        "held-out nats per image, comparable only between equal likelihoods and picture sizes; PSNR is of",
        f"reconstructions of {N_SCORED} held-out pictures; the Frechet distance of {N_SAMPLES:,} samples is in a",
        "probe's features, with the reals' own beside it, comparable only within one data set. Full records: the",
        "`.jsonl` file beside this one.",
        "",
        "| recipe | data | picture | images | seconds | loss | KL | active units | PSNR | Frechet (reals) | sampler |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        cells = [
            row["recipe"], row["data"], row["picture"], f"{row['images']:,}", f"{row['seconds']:,.0f}",
            _number(row["held_out_loss"], ",.1f"), _number(row["kl"], ",.1f"), _number(row["active_units"], ""),
            _number(row["psnr_db"], ".2f"), _frechet(row), row["sampler"],
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    machine = f"{rows[-1]['machine']}, {rows[-1]['date']}"
    return "\n".join([*lines, "", f"Machine: {machine}.", ""])


def _number(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"


def _frechet(row: dict[str, Any]) -> str:
    value, reals = row.get("frechet_probe"), row.get("frechet_probe_of_reals")
    return "" if value is None else f"{value:.2f} ({reals:.2f})"


if __name__ == "__main__":
    main()
