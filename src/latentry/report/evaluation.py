"""An evaluation for people: a table, the closest pairs of the copy audit as a sheet, and a section of the report."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from latentry.metrics.copies import CopyAudit
from latentry.metrics.evaluation import Evaluation, read_evaluation
from latentry.metrics.passport import Passport, Score
from latentry.report.sheet import labelled_sheet

COPIES = "copies.png"
_PAIRS = 8

# The beginning of a name: what it means. The first that fits is taken.
_MEANINGS = {
    "FID": "distance of the pictures' distribution from the real one in Inception features; 0 is the same",
    "Frechet distance": "distance between Gaussians fitted to features of generated and real pictures; 0 is the same",
    "KID": "as the FID, without its bias from few pictures; 0 is the same, and a little below may occur",
    "Kernel distance": "distance without bias from few pictures; 0 is the same, and a little below may occur",
    "Precision": "share of generated pictures that look like some real one",
    "Recall": "share of real pictures that some generated one looks like: low where kinds of pictures are missing",
    "Density": "how densely real pictures lie around the generated ones; 1 as among real ones",
    "Coverage": "share of real pictures with a generated one near by: low where kinds of pictures are missing",
    "Inception score": "how surely and evenly a classifier names the pictures; it looks at no real one",
    "Negative log-likelihood": "how surprised the model is by pictures that it has not seen",
    "Negative evidence bound": "the training loss's own bound on it",
    "Rate": "what a latent tells of its picture, with what does not fit the prior",
    "Distortion": "what the latent leaves to be told",
    "Mutual information": "what a latent tells of its picture",
    "Misfit": "how far the latents of real pictures are from where samples are drawn",
    "Active units": "latent dimensions that are used",
    "PSNR": "likeness of held-out pictures and their reconstructions, by squared error",
    "SSIM": "likeness of held-out pictures and their reconstructions, by local structure; 1 is the same",
    "MSE": "squared error of reconstructions, of pixels from 0 to 1",
    "Condition": "how often a probe sees what was asked for; the floor is the probe on real pictures",
    "MIG": "whether each factor of the data has one latent dimension of its own",
    "DCI": "whether dimensions serve single factors, and factors can be read from them",
    "FactorVAE": "how often a fixed factor is named from the dimension that varies least",
    "SAP": "gap between the two dimensions that predict a factor best",
    "Copies": "samples that are much nearer to one training picture than to the next; the floor is held-out pictures",
    "Repeats": "samples that are much nearer to one other sample than to the next; the floor is real pictures",
}
_FLOOR = (
    "The floor is what as many other real pictures score in the generator's place (of codes: what shuffled codes "
    "score): a score that reaches it cannot be told from real pictures by this measure. Numbers may be compared only "
    "where their passports agree."
)


def evaluation_table(evaluation: Evaluation) -> Table:
    """One row a score."""
    title = f"{escape(evaluation.subject)} against {escape(evaluation.data)}"
    table = Table("measure", title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("value", "95 %", "floor"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for score in evaluation.scores:
        table.add_row(escape(score.name), *_cells(score), score.unit)
    return table


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """What else must be said: counts, the extractor and why, what scores themselves say, and the notes."""
    first = evaluation.scores[0].passport if evaluation.scores else None
    lines = [f"extractor: {evaluation.extractor} ({evaluation.chosen})"]
    if first is not None:
        lines.insert(0, f"{first.n_fake:,} generated against {first.n_real:,} real pictures ({first.split})")
    lines += [f"{score.name}: {said}" for score in evaluation.scores for said in score.said]
    return [*lines, *(f"note: {note}" for note in evaluation.notes)]


def copies_sheet(audit: CopyAudit, samples: np.ndarray, real: np.ndarray, searched: np.ndarray) -> np.ndarray:
    """The closest pairs of each space, uint8 [3, H', W']: samples, and below each its nearest training picture.

    Args:
        audit: what was found.
        samples: uint8 [N, C, H, W], as they were audited.
        real: all real pictures, [M, C, H, W].
        searched: rows of `real` that the audit searched, in its order.
    """
    rows, titles = [], []
    for space, share in audit.training.items():
        pairs = share.worst(_PAIRS)
        rows.append(np.stack([samples[made] for made, _ in pairs]))
        rows.append(np.stack([real[searched[near]] for _, near in pairs]))
        titles += [f"samples nearest to one, {space}", "the training picture"]
    return labelled_sheet(np.stack(rows), rows=titles)


def evaluation_section(folder: Path) -> str:
    """The section of a page: every number beside its interval, floor and passport; empty where nothing is kept."""
    evaluation = read_evaluation(folder)
    if evaluation is None:
        return ""
    passports: list[Passport] = []
    rows = []
    for score in evaluation.scores:
        if score.passport not in passports:
            passports.append(score.passport)
        rows.append(_row(score, passports.index(score.passport) + 1))
    head = "".join(f"<td>{cell}</td>" for cell in ("measure", "value", "95 %", "floor", "what it says", "passport"))
    notes = "".join(f"<p>Note: {html.escape(note)}</p>" for note in evaluation.notes)
    chosen = f"Features: {evaluation.extractor} ({evaluation.chosen})."
    details = "".join(_passport(number, each) for number, each in enumerate(passports, 1))
    return (
        f"<h2>Evaluation</h2><p>{html.escape(chosen)} {html.escape(_FLOOR)}</p>{notes}"
        f'<div style="overflow-x:auto"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
        f"<details><summary>Passports</summary>{details}</details>{_sheet(folder / COPIES)}"
    )


def _cells(score: Score) -> tuple[str, str, str]:
    """Value, interval and floor."""
    interval = "" if score.interval is None else f"{_number(score.interval[0])} to {_number(score.interval[1])}"
    return _number(score.value), interval, "" if score.floor is None else _number(score.floor)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _row(score: Score, passport: int) -> str:
    meaning = next((words for start, words in _MEANINGS.items() if score.name.startswith(start)), "")
    said = "".join(f"<br><em>{html.escape(each)}</em>" for each in score.said)
    value, interval, floor = _cells(score)
    unit = {"": "", "share": "", "nats per picture": " nats"}.get(score.unit, f" {html.escape(score.unit)}")
    cells = (f"<b>{value}</b>{unit}", interval, floor, f"{html.escape(meaning)}{said}", str(passport))
    whole = ("white-space:nowrap", "white-space:nowrap", "", "", "")  # numbers are not broken
    row = "".join(f'<td style="{style}">{cell}</td>' for cell, style in zip(cells, whole, strict=True))
    return f'<tr><td style="white-space:normal">{html.escape(score.name)}</td>{row}</tr>'


def _passport(number: int, passport: Passport) -> str:
    facts = {**asdict(passport), "versions": dict(passport.versions), "details": dict(passport.details)}
    shown = ", ".join(f"{name} {json.dumps(value)}" for name, value in facts.items() if value not in ("", {}))
    return f"<p>{number}: {html.escape(shown)}</p>"


def _sheet(path: Path) -> str:
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    caption = "The samples that are nearest to one training picture, and below each that picture: look for copies."
    return (
        f"<h3>Copies</h3><figure><figcaption>{caption}</figcaption>"
        f'<img alt="Closest pairs" src="data:image/png;base64,{data}"></figure>'
    )
