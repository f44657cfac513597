"""Attribute vectors for people: a table, a strip sheet for each label, and one page with both."""

from __future__ import annotations

import base64
import html
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from latentry.files import make_folder, write_file
from latentry.latent import EditGrade, flip_matrix
from latentry.latent.vectors import UNIT
from latentry.models.trained import TrainedModel
from latentry.models.vectors import Vector
from latentry.report.document import document
from latentry.report.grid import tile, to_png

if TYPE_CHECKING:
    from latentry.api.attributes import AttributeReport

STRIP_DOSES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
_ROWS = 6
_HEADS = ("dose", "success", "null", "ceiling", "flips", "drift", "shuffled")


def attribute_table(report: AttributeReport) -> Table:
    """One row a vector, under the way it was learnt: what it does at its recommended dose."""
    n = len(report.held.z)
    title = f"Edits of {n:,} held-out pictures, judged by a probe"
    table = Table("label", title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in _HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    shown = None
    for key, grade in report.grades.items():
        name, _, way = key.rpartition("/")
        if way != shown:
            table.add_row(f"[italic]{way}[/italic]")
            shown = way
        table.add_row(escape(name), *_cells(grade, report.controls.get(key)))
    return table


def strip_sheet(model: TrainedModel, report: AttributeReport, vector: Vector) -> np.ndarray:
    """One picture, uint8 [C, H', W']: held-out pictures as rows, half of them with the label.

    The first column is the picture itself, the others its edits at doses -3 to 3; in the middle the null edit.
    """
    held, k = report.held, report.names.index(vector.name)
    has = held.labels[:, k] > 0
    half = _ROWS // 2
    rows = np.concatenate([np.flatnonzero(~has)[:half], np.flatnonzero(has)[:half]])
    told = None if held.told is None else held.told[rows]
    edits = [
        model.edit_latents(held.z[rows], {vector.name: dose}, method=vector.method, conditions=told)
        for dose in STRIP_DOSES
    ]
    columns = np.stack([held.images[rows], *edits], axis=1)  # [rows, 1 + T, C, H, W]
    return tile(columns.reshape(-1, *columns.shape[2:]), columns.shape[1])


def write_attributes(folder: Path, model: TrainedModel, report: AttributeReport) -> Path:
    """Write `attributes.html`, and `attributes/NAME.png` for each label by its first vector; the page's path."""
    sheets: dict[str, bytes] = {}
    for vector in report.vectors:
        if vector.name not in sheets:
            sheets[vector.name] = to_png(strip_sheet(model, report, vector))
    strips = make_folder(folder / "attributes")
    for name, png in sheets.items():
        write_file(strips / f"{file_name(name)}.png", png)
    path = folder / "attributes.html"
    write_file(path, _page(report, sheets))
    return path


def file_name(name: str) -> str:
    """A label's name fit for a file."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def _cells(grade: EditGrade, control: float | None) -> list[str]:
    at = grade.at
    return [
        f"{grade.recommended:g}",
        "" if math.isnan(grade.success[at]) else f"{100 * grade.success[at]:.0f} ± {_percent(grade.error)}",
        _percent(grade.success[0]),
        _percent(grade.ceiling),
        "" if math.isnan(grade.drift[at]) else _percent(grade.mean_flips[at]),  # of two classes there is no other
        "" if math.isnan(grade.drift[at]) else f"{grade.drift[at]:.3f}",
        "" if control is None else _percent(control),
    ]


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.0f} %"


def _page(report: AttributeReport, sheets: dict[str, bytes]) -> bytes:
    title = f"Attribute vectors from {report.data['name']}"
    head = "".join(f"<td>{html.escape(cell)}</td>" for cell in ("label", "by", *_HEADS))
    rows = []
    for key, grade in report.grades.items():
        name, _, way = key.rpartition("/")
        cells = (name, way, *_cells(grade, report.controls.get(key)))
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    strips = "".join(
        f"<h2>{html.escape(name)}</h2><figure><figcaption>{_STRIPS}</figcaption>"
        f'<img alt="{html.escape(name)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>'
        for name, png in sheets.items()
    )
    notes = "".join(f"<p>Note: {html.escape(note)}</p>" for note in report.notes)
    return document(
        title,
        f"<h1>{html.escape(title)}</h1><p>{html.escape(_explained(report))}</p>{notes}"
        f"<h2>Grades</h2><table><tr>{head}</tr>{''.join(rows)}</table>"
        f"<h2>What each edit changes</h2>{_matrix(report)}{strips}",
    )


_STRIPS = (
    "Rows: held-out pictures, the upper ones without the label, the lower ones with it. First the picture itself, then "
    f"doses {', '.join(f'{dose:g}' for dose in STRIP_DOSES)}; 0 is the null edit, the plain reconstruction."
)


def _explained(report: AttributeReport) -> str:
    return (
        f"Dose 1 is the {UNIT}. Learnt from {report.data['n']:,} pictures. Success is the share of "
        f"{len(report.held.z):,} other pictures in which a probe, trained on real pictures alone, sees what was asked "
        "for: a label added where it was not, or removed where it was. Null is the same without an edit; the ceiling "
        "is how often the probe is right on plain reconstructions. Flips are the mean share of pictures in which "
        "another label changes; drift the mean change of the other labels' probabilities; shuffled the success of "
        "vectors as long, from shuffled labels. The probe itself is right on "
        f"{report.probe['overall']:.1%} of held-out real pictures."
    )


def _matrix(report: AttributeReport) -> str:
    """Success on the diagonal, flips elsewhere, by the first method, as a shaded table."""
    first = report.vectors[0].method
    vectors = [vector for vector in report.vectors if vector.method == first]
    matrix = flip_matrix([report.grades[vector.key] for vector in vectors])
    head = "".join(f"<td>{html.escape(name)}</td>" for name in report.names)
    rows = []
    for vector, row in zip(vectors, matrix, strict=True):
        own = report.names.index(vector.name)
        cells = "".join(
            f'<td style="background:rgba({"22,163,74" if k == own else "220,38,38"},{0 if math.isnan(v) else v:.2f})">'
            f"{_percent(v)}</td>"
            for k, v in enumerate(row)
        )
        rows.append(f"<tr><td>{html.escape(vector.name)}</td>{cells}</tr>")
    caption = f"Rows are edited ({html.escape(first)}), each at its own dose; columns are what the probe sees change."
    return f'<p>{caption}</p><div style="overflow-x:auto"><table><tr><td></td>{head}</tr>{"".join(rows)}</table></div>'
