"""Break training on purpose, and leave it whole, and see what the doctor says: the table `reproductions/doctor.md`.

usage: python -m reproductions.doctor [--only NAME,...] [--runs runs/doctor] [--out reproductions/doctor] [--again]

What `doctor.jsonl` holds is not trained again unless `--only` names it; of everything that was trained the table says
what the rules of today find, so `--again`, which trains nothing, is enough after a change of the rules. Everything
together takes about an hour and a half on a busy core.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import time
from pathlib import Path
from typing import Any

import torch

import latentry
from latentry.training.doctor import Case, Finding, diagnose, read_case
from reproductions.doctor_experiments import BROKEN, Experiment, healthy


def run_one(experiment: Experiment, runs: Path) -> dict[str, Any]:
    """Train one experiment; its folder under `runs` and how long it took."""
    data = experiment.data if isinstance(experiment.data, str) else experiment.data()
    out, start = runs / re.sub(r"[^\w.]+", "-", experiment.name), time.perf_counter()
    error = ""
    torch.manual_seed(0)  # first weights of own networks, which are PyTorch's
    try:
        latentry.train(experiment.recipe, data, out=out, **experiment.own(), **experiment.settings)
    except latentry.InputError as refused:  # a run that stops itself is one of the experiments
        error = str(refused).replace(f"{runs}/", "")
    [*_, path] = sorted(out.iterdir())
    seconds = round(time.perf_counter() - start, 1)
    return {"name": experiment.name, "run": str(path.relative_to(runs)), "seconds": seconds, "error": error}


def told(case: Case) -> dict[str, tuple[int, Finding]]:
    """All that is told while a run goes on: by name, after how many ticks for the first time, and as it stood last."""
    found: dict[str, tuple[int, Finding]] = {}
    last = len(case.log)
    for ticks in range(min(1, last), last + 1):
        failure = case.failure if ticks == last else {}
        for finding in diagnose(dataclasses.replace(case, log=case.log[:ticks], failure=failure)):
            found[finding.name] = (found.get(finding.name, (ticks, finding))[0], finding)
    return found


def judge(experiment: Experiment, row: dict[str, Any], runs: Path) -> dict[str, Any]:
    """What the doctor says of a run that was made, beside what it should say.

    A finding that is true at the end counts as found; one that was told at any tick may be a false alarm.
    """
    case = read_case(runs / row["run"])
    live, found = told(case), [finding.name for finding in diagnose(case)]
    allowed = (*experiment.expected, *experiment.consequences)
    return {
        **row,
        "recipe": experiment.recipe,
        "expected": list(experiment.expected),
        "found": found,
        "missed": bool(experiment.expected) and not set(found) & set(experiment.expected),
        "false_alarms": [name for name in live if name not in allowed],
        "evidence": [f"{name}, from tick {ticks}: {finding.evidence}" for name, (ticks, finding) in live.items()],
    }


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table, one line a run."""
    broken, whole = [row for row in rows if row["expected"]], [row for row in rows if not row["expected"]]
    lines = [
        "# What the doctor says of broken and of healthy runs",
        "",
        "Made by `python -m reproductions.doctor`, one seed each; the settings are in `doctor_experiments.py`, the",
        "evidence in `doctor.jsonl`. Expected: one of these must be found when the run has ended. A false alarm is a",
        "finding that is not true of the run, told at any of its ticks; of a healthy run, any. Seconds are",
        "those of a core that had other work as well.",
        "",
        f"Broken runs named: {sum(not row['missed'] for row in broken)} of {len(broken)}. "
        f"Healthy runs with a false alarm: {sum(bool(row['false_alarms']) for row in whole)} of {len(whole)}.",
        "",
        "| run | expected | found | missed | false alarms | seconds |",
        "|---|---|---|---|---|--:|",
    ]
    for row in broken + whole:
        cells = (", ".join(row[key]) for key in ("expected", "found"))
        missed, alarms = "missed" if row["missed"] else "", ", ".join(row["false_alarms"])
        lines.append(f"| {row['name']} | {' | '.join(cells)} | {missed} | {alarms} | {row['seconds']:.0f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Train what is asked for, judge all that was ever trained here, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="experiments whose name contains one of these, comma-separated")
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    parser.add_argument("--out", type=Path, default=Path("reproductions/doctor"))
    parser.add_argument("--again", action="store_true", help="judge the runs that were made, train nothing")
    arguments = parser.parse_args()
    log = arguments.out.with_suffix(".jsonl")
    made = {row["name"]: row for row in map(json.loads, log.read_text().splitlines())} if log.exists() else {}
    experiments = [*BROKEN, *healthy()]
    for experiment in experiments:
        if arguments.only:
            wanted = any(part in experiment.name for part in arguments.only.split(","))
        else:
            wanted = experiment.name not in made
        if wanted and not arguments.again:
            made[experiment.name] = judge(experiment, run_one(experiment, arguments.runs), arguments.runs)
            print(made[experiment.name], flush=True)
            log.write_text("".join(json.dumps(row) + "\n" for row in made.values()))
    kept = ("name", "run", "seconds", "error")
    rows = [
        judge(each, {key: made[each.name][key] for key in kept}, arguments.runs)
        for each in experiments
        if each.name in made
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments.out.with_suffix(".md").write_text(as_markdown(rows))


if __name__ == "__main__":
    main()
