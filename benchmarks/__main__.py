"""Peer and ours in turn, in one process tree; the medians, their ratio, and the share of the roofline.

usage: python -m benchmarks [--works W1,W9,W10] [--repeats 3] [--peer pythae=PYTHON --peer keras=PYTHON] [--out FILE]

A peer runs in an environment of its own, named by the path of its Python:
    python3 -m venv p && p/bin/pip install torch pythae==0.1.2            --peer pythae=p/bin/python
    python3 -m venv k && k/bin/pip install keras==3.15.0 tensorflow==2.21.0   --peer keras=k/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.works import WORKS

HERE = Path(__file__).parent


def main() -> None:
    """Measure, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--out", type=Path, help="write NAME.json and NAME.md beside this name")
    arguments = parser.parse_args()
    peers = dict(pair.split("=", 1) for pair in arguments.peer)
    rows = [measure(name, peers, arguments.repeats) for name in arguments.works.split(",")]
    table = as_markdown(rows)
    print(table)
    if arguments.out is not None:
        arguments.out.with_suffix(".json").write_text(json.dumps(rows, indent=2) + "\n")
        arguments.out.with_suffix(".md").write_text(table)


def measure(name: str, peers: dict[str, str], repeats: int) -> dict[str, Any]:
    """One work: peer and ours in turn, `repeats` times."""
    work = WORKS[name]
    ours: list[dict[str, float]] = []
    theirs: list[float] = []
    for _ in range(repeats):
        if work.peer in peers:
            script = [peers[work.peer], str(HERE / "peers" / work.peer_script), *work.peer_arguments]
            theirs.append(run_json(script)["images_per_sec"])
        ours.append(run_json([sys.executable, "-m", "benchmarks.ours", name]))
        print(name, "peer", theirs[-1:] or "not given", "ours", ours[-1]["images_per_sec"], file=sys.stderr)
    rate = statistics.median(result["images_per_sec"] for result in ours)
    limit = statistics.median(result["limit_images_per_sec"] for result in ours)
    peer = statistics.median(theirs) if theirs else None
    ratios = [mine["images_per_sec"] / their for mine, their in zip(ours, theirs, strict=False)]
    flag, with_flag = work.flag, [result.get("images_per_sec_with_flag") for result in ours]
    return {
        "work": name,
        "title": work.title,
        "peer": work.peer_name,
        "peer_images_per_sec": peer,
        "images_per_sec": rate,
        "ratio": statistics.median(ratios) if ratios else None,
        "flag": None if flag is None else " ".join(f"--{name} {value}" for name, value in flag.items()),
        "images_per_sec_with_flag": None if flag is None else statistics.median(filter(None, with_flag)),
        "gflop_per_image": ours[0]["gflop_per_image"],
        "limit_images_per_sec": limit,
        "share_of_roofline": rate / limit,
        "repeats": repeats,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
    }


def run_json(command: list[str]) -> dict[str, float]:
    """Run a command and read the JSON on its last line."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table."""
    lines = [
        f"Measured {rows[0]['date']} on {rows[0]['machine']}, float32, medians of {rows[0]['repeats']} runs in turn.",
        "",
        "| work | peer | peer img/s | ours img/s | ratio | limit img/s | share of limit | with a flag | its ratio |",
        "|---|---|--:|--:|--:|--:|--:|---|--:|",
    ]
    for row in rows:
        peer = "" if row["peer_images_per_sec"] is None else f"{row['peer_images_per_sec']:,.0f}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(
            f"| {row['work']} {row['title']} | {row['peer']} | {peer} | {row['images_per_sec']:,.0f} | {ratio} "
            f"| {row['limit_images_per_sec']:,.0f} | {row['share_of_roofline']:.0%} | {_with_flag(row)} |"
        )
    return "\n".join(lines) + "\n"


def _with_flag(row: dict[str, Any]) -> str:
    """The last two cells: what a flag makes of it, and the ratio of the medians."""
    if row["flag"] is None:
        return " | "
    rate, peer = row["images_per_sec_with_flag"], row["peer_images_per_sec"]
    return f"{rate:,.0f} `{row['flag']}` | {'' if peer is None else f'{rate / peer:.2f}'}"


if __name__ == "__main__":
    main()
