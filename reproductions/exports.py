"""Every recipe as ONNX: how far its graphs and its pictures are from PyTorch's.

    python -m reproductions.exports [--recipes vae,dcgan] [--images 600]

Each recipe is trained briefly (trained weights have other sizes than first ones), exported, and compared; each writes a
line to exports.jsonl beside this file, from which the table exports.md is made.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import latentry
from latentry.export.parity import ParityError
from latentry.settings.recipes import RECIPES

HERE = Path(__file__).parent
LOG, TABLE = HERE / "exports.jsonl", HERE / "exports.md"


def main() -> None:
    """Train, export, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--images", default="600")
    arguments = parser.parse_args()
    done = {record["recipe"] for record in written()}
    for name in arguments.recipes.split(","):
        if name not in done:
            record = compared(name, arguments.images)
            print(json.dumps(record), flush=True)
            with LOG.open("a") as file:
                file.write(json.dumps(record) + "\n")
    TABLE.write_text(as_markdown(written()))


def written() -> list[dict[str, Any]]:
    """What the log holds."""
    return [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.is_file() else []


def compared(name: str, images: str) -> dict[str, Any]:
    """One recipe's differences."""
    with tempfile.TemporaryDirectory() as folder:
        data = "digits" if RECIPES[name].config.condition.condition == "class" else None
        run = latentry.train(name, data, out=folder, images=images, batch=16, ticks=2, checkpoints=1)
        try:
            made = latentry.export_onnx(run.path, Path(folder) / "onnx")
        except ParityError as error:
            return {"recipe": name, "failed": str(error)}
        worst: dict[str, float] = {}
        for record in made.parity["graphs"]:
            part = record["graph"]
            worst[part] = max(worst.get(part, 0.0), record["difference"])
        pictures = made.parity["pictures"]["difference"]
        size = sum(record["bytes"] for record in made.manifest["graphs"].values())
        shape = list(run.load().image.shape)
        return {"recipe": name, "shape": shape, "bytes": size, "differences": worst, "pictures": pictures}


def as_markdown(records: list[dict[str, Any]]) -> str:
    """The table."""
    lines = [
        "# Every recipe as ONNX",
        "",
        "`python -m reproductions.exports`. Largest absolute difference between PyTorch and onnxruntime over batches",
        "of 1, 3 and 64 rows, by graph; of a quantising encoder the share of codes that differ; pictures of 16 seeds",
        "in grey levels of 255 (points in their own units).",
        "",
        "| recipe | picture | MB | graphs | pictures |",
        "|---|---|--:|---|--:|",
    ]
    for record in records:
        if "failed" in record:
            lines.append(f"| {record['recipe']} | | | {record['failed']} | |")
            continue
        graphs = ", ".join(f"{part} {value:.1g}" for part, value in record["differences"].items())
        shape = " x ".join(str(size) for size in record["shape"])
        lines.append(
            f"| {record['recipe']} | {shape} | {record['bytes'] / 1e6:.1f} | {graphs} | {record['pictures']:g} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
