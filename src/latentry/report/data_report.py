"""The data report in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from latentry.data import Duplicates, ImageSet, Report
from latentry.data.decode import GREY_MODES
from latentry.settings.specs import COLOURS

_SHOWN = 8


def conversion(images: ImageSet) -> tuple[str, str] | None:
    """What pictures were in their files, and what was made of them; None where they were not changed, and of points."""
    spec, report = images.spec, images.report
    found = {(size.width, size.height) for size in report.sizes}
    grey = all(mode in GREY_MODES for mode in report.modes)
    if spec.points or (found <= {(spec.width, spec.height)} and grey == (spec.channels == 1)):
        return None
    shapes = ", ".join(f"{width} x {height}" for width, height in sorted(found)[:3])
    made = f"{spec.width} x {spec.height}, {COLOURS[spec.channels]}"
    return f"{shapes} pixels, {', '.join(report.modes)}", made


def render_report(report: Report) -> Group:
    """The report as tables and lines for rich; nothing is printed here."""
    parts: list[RenderableType] = [_overview(report)]
    parts += _labels(report)
    if report.duplicates is not None:
        parts.append(_duplicates(report.duplicates, report.n_held_out is not None))
    if report.skipped:
        parts.append(
            _listed(f"Left out: {report.n_skipped}", ((s.file, s.reason) for s in report.skipped), report.n_skipped)
        )
    parts += [Text(f"- {line}") for line in report.notes]
    parts += [Text(f"! {line}", style="yellow") for line in report.warnings]
    if not report.warnings:
        parts.append(Text("Nothing here stands in the way of training.", style="green"))
    return Group(*parts)


def _overview(report: Report) -> Table:
    table = _table(f"{report.source}: {report.n_images:,} {'points' if report.points else 'pictures'}")
    if report.points:  # no sizes, no colours
        table.add_row("policy", "\n".join(report.policy))
        table.add_row("fingerprint", report.fingerprint[:16])
        return table
    table.add_row("as trained on", f"{report.width} x {report.height}, {COLOURS[report.channels]}")
    sizes = [f"{s.width} x {s.height} ({s.n_images:,})" for s in report.sizes]
    table.add_row("sizes found", _some(sizes))
    table.add_row("modes found", ", ".join(f"{mode} ({n:,})" for mode, n in report.modes.items()))
    if report.n_rotated:
        table.add_row("rotated by EXIF", f"{report.n_rotated:,}")
    if report.n_transparent:
        table.add_row("transparent", f"{report.n_transparent:,}")
    if report.n_held_out is not None:
        table.add_row("held out by the source", f"{report.n_held_out:,}")
    table.add_row("policy", "\n".join(report.policy))
    table.add_row("fingerprint", report.fingerprint[:16])
    return table


def _labels(report: Report) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if report.classes:
        table = _table(f"{len(report.classes)} classes")
        most = max(report.classes.values()) or 1
        for name, n in list(report.classes.items())[: 4 * _SHOWN]:
            table.add_row(escape(name), f"{n:>7,}  {'█' * round(24 * n / most)}")
        parts.append(table)
    if report.attributes:
        table = _table(f"{len(report.attributes)} attributes, share of pictures")
        for name, share in report.attributes.items():
            table.add_row(escape(name), f"{share:>6.1%}  {'█' * round(24 * share)}")
        parts.append(table)
    if report.numbers:
        table = _table(f"{len(report.numbers)} numbers, least / mean / most")
        for name, r in report.numbers.items():
            table.add_row(escape(name), f"{r.least:.3g} / {r.mean:.3g} / {r.most:.3g}")
        parts.append(table)
    return parts


def _duplicates(duplicates: Duplicates, has_split: bool) -> Table:
    table = _table("Duplicates")
    table.add_row("exact copies", f"{duplicates.n_copies:,} in {len(duplicates.exact):,} groups")
    for group in duplicates.exact[:3]:
        table.add_row("", escape(_some(group, 4)))
    table.add_row("near copies", f"{len(duplicates.near):,} groups")
    for group in duplicates.near[:3]:
        table.add_row("", escape(_some(group, 4)))
    if has_split:
        table.add_row("on both sides of the split", f"{len(duplicates.leaks):,} groups")
        for group in duplicates.leaks[:3]:
            table.add_row("", escape(_some(group, 4)))
    return table


def _listed(title: str, rows: Iterable[tuple[str, str]], n: int) -> Table:
    table = _table(title)
    for k, (name, reason) in enumerate(rows):
        if k == _SHOWN:
            table.add_row("...", f"and {n - _SHOWN:,} more")
            break
        table.add_row(escape(name), escape(reason))
    return table


def _table(title: str) -> Table:
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2, 0, 1)
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    return table


def _some(items: Iterable[str], shown: int = _SHOWN) -> str:
    listed = list(items)
    rest = len(listed) - shown
    return ", ".join(listed[:shown]) + (f", and {rest:,} more" if rest > 0 else "")
