"""`compare.html`: one file that answers which run suits; no script, no other file, no network."""

from __future__ import annotations

import base64
import html
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from latentry.files import make_folder, write_file
from latentry.metrics.comparison import Group
from latentry.metrics.passport import Passport
from latentry.report.comparison import REAL, Comparison, Contender, differing_settings, table_rows
from latentry.report.document import document
from latentry.report.findings import findings_section
from latentry.report.grid import pairs, tile, to_png

_COLUMNS = 6
_WIDTH_PX, _HEIGHT_PX, _MARGIN_PX = 320.0, 120.0, 6.0
_MORE_STYLE = """
body { max-width: 76rem; } h3 { font-size: 1rem; margin: 0 0 .35rem; }
.answer { font-size: 1.2rem; color: var(--ink); margin: 1rem 0 .5rem; } .more { color: var(--ink); margin: 0 0 .35rem; }
.caution { border-left: 4px solid #d97706; padding-left: .75rem; margin: .35rem 0; color: var(--ink); }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1.25rem; margin: .75rem 0; }
.side figure, .side > div { break-inside: avoid; } .side img { width: 100%; image-rendering: pixelated; }
th { text-align: left; padding: .3rem .75rem .3rem 0; vertical-align: bottom; }
.best { font-weight: 650; } .best::after { content: " ●"; color: #16a34a; }
.scroll { overflow-x: auto; } svg.curve { width: 100%; height: auto; color: var(--ink); }
.finding { margin: .35rem 0; }
@media print { details { display: block; } .side { grid-template-columns: repeat(3, 1fr); } a { color: inherit; } }
"""


def write_comparison_page(path: Path, comparison: Comparison) -> Path:
    """Write the page; its path.

    Raises:
        InputError: it cannot be written there.
    """
    names = ", ".join(each.name for each in comparison.contenders)
    body = "".join(
        [
            "<h1>Which of these suits my pictures?</h1>",
            _answer(comparison),
            *(_group(part, comparison) for part in comparison.groups),
            _curves(comparison),
            _findings(comparison),
            _settings(comparison),
            _passports(comparison),
            _again(comparison),
        ]
    )
    page = document(f"Comparison: {names}", body, _MORE_STYLE)
    make_folder(path.parent)
    write_file(path, page)
    return path


def _answer(comparison: Comparison) -> str:
    """The sentences, the first one large; what speaks against trusting them below."""
    answer, *more = comparison.answer
    lines = [f'<p class="answer">{html.escape(answer)}</p>']
    lines += [f'<p class="more">{html.escape(line)}</p>' for line in more]
    cautions = (*comparison.cautions, *comparison.notes)
    return "".join([*lines, *(f'<p class="caution">{html.escape(line)}</p>' for line in cautions)])


def _group(part: Group, comparison: Comparison) -> str:
    """One group's table and pictures."""
    who = [comparison.named(name) for name in part.names]
    first = who[0]
    title = f"{first.data}, {first.shape[1]} x {first.shape[2]}"
    apart = f"<p>Ranked apart: {html.escape('; '.join(part.apart))}.</p>" if part.apart else ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in (*part.names, REAL))
    rows = "".join(_row(*row) for row in table_rows(part, comparison))
    return (
        f"<h2>{html.escape(title)}</h2>{apart}<p>In brackets: where 95 of 100 such measurements would lie. "
        '<span class="best">Marked</span>: the best, and what chance may have put behind it.</p>'
        f'<div class="scroll"><table><tr><th></th>{head}</tr>{rows}</table></div>'
        f"<h2>Samples</h2><p>The same seeds for all; nothing was picked.</p>{_samples(who)}{_reconstructions(who)}"
    )


def _row(title: str, cells: tuple[str, ...], marks: tuple[bool, ...]) -> str:
    shown = "".join(
        f"<td{' class=best' if mark else ''}>{html.escape(cell)}</td>" for cell, mark in zip(cells, marks, strict=True)
    )
    return f"<tr><td>{html.escape(title)}</td>{shown}</tr>"


def _samples(who: list[Contender]) -> str:
    grids = [(each.name, tile(each.samples, _COLUMNS)) for each in who]
    reals = next((each.reals for each in who if each.reals is not None), None)
    if reals is not None:
        grids.append(("real pictures, held out", tile(reals, _COLUMNS)))
    return f'<div class="side">{"".join(_figure(*grid) for grid in grids)}</div>'


def _reconstructions(who: list[Contender]) -> str:
    figures = [
        _figure(each.name, pairs(each.reals[: len(each.reconstructions)], each.reconstructions))
        for each in who
        if each.reals is not None and each.reconstructions is not None
    ]
    if not figures:
        return ""
    caption = "Held-out pictures above, what the model makes of them below."
    return f'<h2>Reconstructions</h2><p>{caption}</p><div class="side">{"".join(figures)}</div>'


def _figure(name: str, picture: np.ndarray) -> str:
    data = base64.b64encode(to_png(picture)).decode()
    title = html.escape(name)
    return f'<figure><h3>{title}</h3><img alt="{title}" src="data:image/png;base64,{data}"></figure>'


def _curves(comparison: Comparison) -> str:
    drawn = [f"<div><h3>{html.escape(each.name)}</h3>{curve_svg(each)}</div>" for each in comparison.contenders]
    about = "Each on its own scale: losses of different recipes do not compare. A loss that still falls: train longer."
    return f'<h2>Curves</h2><p>{about}</p><div class="side">{"".join(drawn)}</div>'


def curve_svg(contender: Contender) -> str:
    """A contender's curve as a small picture in the page's own colours, its ends in words below."""
    points = [(at, value) for at, value in contender.curve if math.isfinite(value)]
    if len(points) < 2:
        return "<p>too few points for a curve</p>"
    start, end = points[0][0], points[-1][0]
    low, high = min(value for _, value in points), max(value for _, value in points)

    def place(at: float, value: float) -> str:
        x = _MARGIN_PX + (_WIDTH_PX - 2 * _MARGIN_PX) * (at - start) / max(end - start, 1)
        y = _MARGIN_PX + (_HEIGHT_PX - 2 * _MARGIN_PX) * (high - value) / max(high - low, 1e-30)
        return f"{x:.1f},{y:.1f}"

    label = html.escape(
        f"{contender.curve_name}: {_short(points[0][1])} → {_short(points[-1][1])}, {start:,} to {end:,} images"
    )
    line = " ".join(place(*point) for point in points)
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH_PX:.0f} {_HEIGHT_PX:.0f}" role="img" aria-label="{label}">'
        f'<rect width="100%" height="100%" rx="6" fill="currentColor" fill-opacity=".05"/><polyline points="{line}" '
        f'fill="none" stroke="#3b82f6" stroke-width="2"/></svg><p>{label}</p>'
    )


def _findings(comparison: Comparison) -> str:
    parts = []
    for each in comparison.contenders:
        section = findings_section(list(each.findings)).replace("<h2>Doctor</h2>", "", 1)
        parts.append(f"<h3>{html.escape(each.name)}</h3>{section}")
    return f"<h2>What the doctor found</h2>{''.join(parts)}"


def _settings(comparison: Comparison) -> str:
    who = comparison.contenders
    rows = "".join(_row(name, cells, (False,) * len(who)) for name, cells in differing_settings(who).items())
    head = "".join(f"<th>{html.escape(each.name)}</th>" for each in who)
    table = f'<div class="scroll"><table><tr><th></th>{head}</tr>{rows}</table></div>'
    return f"<h2>Settings that differ</h2><details><summary>all of them</summary>{table}</details>"


def _passports(comparison: Comparison) -> str:
    """With what each headline was measured, once where it is the same, and what the evaluations note."""
    known: dict[str, list[str]] = {}
    for each in comparison.contenders:
        for score in each.evaluation.scores[:1]:
            known.setdefault(_passport(score.passport), []).append(each.name)
    lines = [f"<p>{html.escape(', '.join(names))}: {html.escape(facts)}</p>" for facts, names in known.items()]
    noted: dict[str, list[str]] = {}
    for each in comparison.contenders:
        for note in each.evaluation.notes:
            noted.setdefault(note, []).append(each.name)
    lines += [f"<p>{html.escape(', '.join(names))}: {html.escape(note)}</p>" for note, names in noted.items()]
    return f"<h2>Measured with</h2>{''.join(lines)}"


def _passport(passport: Passport) -> str:
    facts = {**asdict(passport), "versions": dict(passport.versions), "details": dict(passport.details)}
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in facts.items() if value not in ("", {}))


def _again(comparison: Comparison) -> str:
    runs = " ".join(each.run for each in comparison.contenders)
    return f"<h2>Again</h2><pre>latentry compare {html.escape(runs)}</pre>"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
