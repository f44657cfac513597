"""The "smiling" vector on real faces: learnt, applied and graded for one model after another.

usage: python -m reproductions.smiling FACES [--size 32] [--images 300k] [--recipes vae,vae+latent=256] [--runs runs]

    Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric" (arXiv:1512.09300), section 4.2:
    attribute vectors as differences of means, judged by a separate classifier.

FACES is a set with the classes `smiling` and `neutral` (sub-folders, or a table of labels). A fifth of it is held out.
Success is the share of held-out faces, reconstructed and moved by the recommended dose, that a probe calls what they
were moved towards; the ceiling is the share of reconstructions that it calls what they are. The probe was trained on
real faces, half of them blurred and noisy. A GAN's vector is learnt from its own samples, labelled by a second probe,
and graded on held-out faces that are inverted. Each model appends a line to smiling.jsonl, models that are in it are
not trained again, and smiling.md is written from all of them. A recipe may carry settings: `vae+latent=256+images=1M`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import latentry
from latentry.latent import EditGrade

HERE = Path(__file__).parent
N_GRADED = 1000
PROBE_SHOWN = 150_000
LABEL = "smiling"


def main() -> None:
    """Train, learn, grade, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--size", default="32")
    parser.add_argument("--images", default="300k")
    parser.add_argument("--recipes", default="autoencoder,vae,beta-vae,cvae,dcgan")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=HERE / "smiling")
    arguments = parser.parse_args()
    lines = arguments.out.with_suffix(".jsonl")
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for recipe in arguments.recipes.split(","):
        if any(row["recipe"] == recipe for row in rows):
            continue
        found = grade(recipe, arguments)
        rows += found
        with lines.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in found)
        arguments.out.with_suffix(".md").write_text(table(rows))


def grade(recipe: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Train one model; a row for each way of making it smile."""
    settings: dict[str, Any] = {"size": arguments.size, "images": arguments.images, "holdout": 0.2}
    settings |= {"budget": None, "epochs": None}
    name, *changed = recipe.split("+")
    settings |= {key: _value(text) for key, text in (pair.split("=") for pair in changed)}
    run = latentry.train(name, arguments.data, out=arguments.runs, **settings)
    model = run.load()
    inverted = None
    if model.network.encode is None:
        inverted = latentry.fit_inversion(model)["psnr_db"]
    report = latentry.learn_attributes(model, only=[LABEL], n_graded=N_GRADED, n_shown=PROBE_SHOWN)
    rows = []
    for key, found in report.grades.items():
        rows.append({
            "recipe": recipe, "method": key.split("/")[1], "images": run.log[-1]["images"], **summary(found),
            "shuffled": report.controls.get(key), "probe": report.probe["overall"], "n": len(report.held.z),
            "inverted_psnr_db": inverted,
        })  # fmt: skip
    return rows


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def summary(grade: EditGrade) -> dict[str, Any]:
    """What is told of one vector: the edit that makes neutral faces smile, and both ways together."""
    at = grade.at
    return {
        "dose": grade.recommended, "added": grade.added[at], "added_null": grade.added[0],
        "ceiling_added": grade.ceiling_added, "success": grade.success[at], "error": grade.error,
        "null": grade.success[0], "ceiling": grade.ceiling,
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """The table, a row for each model and way."""
    lines = [
        "# Making faces smile",
        "",
        "Written by `python -m reproductions.smiling`, where the terms are explained. One seed each.",
        "",
        "| recipe | way | images | dose | neutral faces made smiling | ceiling | share of the ceiling "
        "| both ways | null edit | shuffled labels | probe on real faces |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        shuffled = "" if row["shuffled"] is None else f"{row['shuffled']:.1%}"
        cells = [
            row["recipe"], row["method"], f"{row['images']:,}", f"{row['dose']:g}", f"{row['added']:.1%}",
            f"{row['ceiling_added']:.1%}", f"{row['added'] / row['ceiling_added']:.0%}",
            f"{row['success']:.1%} +- {row['error']:.1%}", f"{row['null']:.1%}", shuffled, f"{row['probe']:.1%}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
