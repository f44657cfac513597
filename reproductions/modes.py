"""Mode coverage on the ring and the grid, with PacGAN's networks and settings, beside the published table.

    python -m reproductions.modes --updates 50000 --seeds 5 [--worlds ring,grid] [--games gan,pacgan4,wgan-gp,...]

    Lin et al. 2018, "PacGAN: the power of two samples in GANs" (arXiv:1712.04086), Table 1: 2 latents; generator of 4
    hidden layers of 400 with batch normalisation and ReLU; discriminator of 3 layers of 200 maxout units of 5 pieces;
    Adam 1e-4 with beta1 0.8; batch 100; 100,000 points; first weights of standard deviation 0.02; 400,000 updates;
    2,500 points judged. With packing m the discriminator sees 100 packs, of 100 m points.

Differs from the paper in: the number of updates, which is an argument; WGAN-GP and relativistic pairing with R1 and R2
are not in its table, and use the same networks and batch with the optimiser's settings given below.
Each run appends a line to modes.jsonl beside this file, a run that is in it is not made again, and the table modes.md
is written anew from all of them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import latentry
from latentry.data.points import WORLDS
from latentry.metrics.modes import perfect_mode_score, score_modes

HERE = Path(__file__).parent
N_JUDGED = 2500
KEY = ("world", "game", "seed", "updates")  # what makes a run
PAPER: dict[str, Any] = {
    "backbone": "mlp", "hidden": (400, 400, 400, 400), "norm": "batch", "activation": "relu",
    "critic_hidden": (200, 200, 200), "critic_norm": "none", "critic_activation": "maxout",
    "latent": 2, "output": "linear", "lr": 1e-4, "adam_beta1": 0.8, "adam_beta2": 0.999, "batch": 100, "init_std": 0.02,
    "schedule": "constant", "warmup": 0.0, "ema": None, "holdout": 0.0, "ticks": 2, "checkpoints": 1,
}  # fmt: skip
GAMES: dict[str, dict[str, Any]] = {
    "gan": {},
    "pacgan4": {"packing": 4, "batch": 400},
    "wgan-gp": {
        "loss": "wasserstein", "constraint": "gradient-penalty", "penalty": 0.1, "critic_steps": 5,
        "adam_beta1": 0.0, "adam_beta2": 0.9, "init_std": None,
    },
    "rpgan-r1-r2": {
        "loss": "relativistic", "constraint": "r1-r2", "penalty": 0.02, "penalty_end": 2e-6, "adam_beta1": 0.0,
        "adam_beta2": 0.99, "lr": 1e-3, "schedule": "cosine", "norm": "none", "activation": "leaky-relu",
        "critic_activation": "leaky-relu", "init_std": None, "ema": "100k",
    },
}  # fmt: skip
PUBLISHED = """Published, PacGAN, Table 1: 10 trials, 400,000 updates.

| game | ring modes /8 | high quality | reverse KL | grid modes /25 | high quality | reverse KL |
|---|---|---|---|---|---|---|
| GAN | 6.3 +- 0.5 | 98.2 +- 0.2 % | 0.45 +- 0.09 | 17.3 +- 0.8 | 94.8 +- 0.7 % | 0.70 +- 0.07 |
| PacGAN2 | 7.9 +- 0.1 | 95.6 +- 2.0 % | 0.07 +- 0.03 | 23.8 +- 0.7 | 91.3 +- 0.8 % | 0.13 +- 0.04 |
| PacGAN4 | 7.8 +- 0.1 | 95.9 +- 1.4 % | 0.07 +- 0.02 | 24.8 +- 0.2 | 93.6 +- 0.6 % | 0.04 +- 0.01 |
"""


def main() -> None:
    """Run what is asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=50_000, help="of the generator")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--worlds", default="ring,grid")
    parser.add_argument("--games", default=",".join(GAMES))
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="as `latentry train` has it")
    parser.add_argument("--out", type=Path, default=HERE / "modes")
    arguments = parser.parse_args()
    lines = arguments.out.with_suffix(".jsonl")
    for seed in range(arguments.seeds):
        for world in arguments.worlds.split(","):
            for game in arguments.games.split(","):
                key = (world, game, seed, arguments.updates)
                if any(tuple(r[name] for name in KEY) == key for r in _records(lines)):
                    continue
                record = run(*key, compiled=arguments.compile)
                print(json.dumps(record), flush=True)
                with lines.open("a") as file:
                    file.write(json.dumps(record) + "\n")
                arguments.out.with_suffix(".md").write_text(table(_records(lines)))


def _records(lines: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def run(world: str, game: str, seed: int, updates: int, *, compiled: str) -> dict[str, Any]:
    """Train one game in one world and judge it."""
    settings = {**PAPER, **GAMES[game], "compile": compiled}
    images = updates * settings["batch"] * settings.get("critic_steps", 1)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = latentry.train("gan", world, out=folder, seed=seed, images=str(images), **settings)
        model = result.load()
        # In batches by the model itself: 2,500 latents of one seed, not one seed a point, which would take minutes.
        z = torch.randn(N_JUDGED, 2, generator=torch.Generator().manual_seed(seed)).numpy()
        points = model.decode(z).reshape(-1, 2)
    score = score_modes(points, WORLDS[world].centres, WORLDS[world].std)
    return {
        "world": world, "game": game, "seed": seed, "updates": updates, "modes": score.modes,
        "high_quality": score.high_quality, "reverse_kl": score.reverse_kl,
        "minutes": round((time.monotonic() - start) / 60, 2), "threads": torch.get_num_threads(),
    }  # fmt: skip


def table(records: list[dict[str, Any]]) -> str:
    """Ours beside the published one: means and standard errors over seeds, by number of updates."""
    rows = [
        "Written by `python -m reproductions.modes`; see there for networks and settings.",
        "",
        "| game | updates | seeds | ring modes /8 | high quality | reverse KL "
        "| grid modes /25 | high quality | reverse KL |",
        "|---|--:|--:|---|---|---|---|---|---|",
    ]
    for game, updates in sorted({(r["game"], r["updates"]) for r in records}):
        cells, seeds = [], []
        for world in WORLDS:
            some = [r for r in records if (r["game"], r["updates"], r["world"]) == (game, updates, world)]
            seeds.append(len(some))
            cells += [
                _mean([r["modes"] for r in some], ".1f"),
                _mean([100 * r["high_quality"] for r in some if r["high_quality"] is not None], ".1f", " %"),
                _mean([r["reverse_kl"] for r in some if r["reverse_kl"] is not None], ".3f"),
            ]
        n = " and ".join(map(str, dict.fromkeys(filter(None, seeds))))
        rows.append(f"| {game} | {updates:,} | {n} | {' | '.join(cells)} |")
    perfect = []
    for points in WORLDS.values():
        best = perfect_mode_score(N_JUDGED, points.centres, points.std, rng=torch.Generator().manual_seed(0))
        assert best.high_quality is not None and best.reverse_kl is not None
        perfect += [f"{best.modes:.1f}", f"{100 * best.high_quality:.1f} %", f"{best.reverse_kl:.3f}"]
    rows.append(f"| a perfect sampler | | | {' | '.join(perfect)} |")
    return "\n".join(rows) + "\n\n" + PUBLISHED


def _mean(values: list[float], digits: str, unit: str = "") -> str:
    """Mean and standard error."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:{digits}}{unit}"
    error = statistics.stdev(values) / math.sqrt(len(values))
    return f"{np.mean(values):{digits}} +- {error:{digits}}{unit}"


if __name__ == "__main__":
    main()
