"""What the doctor found, for a terminal and for the page: the evidence, a small plot, the cause and the flag."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from latentry.training.doctor import Curve, Finding

_BLOCKS = "▁▂▃▄▅▆▇█"
_MISSING = "×"  # noqa: RUF001  # a value that is not finite
_SPARK_WIDTH = 24
_WIDTH_PX, _HEIGHT_PX, _MARGIN_PX = 320.0, 72.0, 4.0


def finding_lines(finding: Finding) -> list[str]:
    """One finding in a few lines of plain text."""
    lines = [f"doctor: {finding.name}: {finding.evidence}"]
    if finding.curve is not None and len(finding.curve.values) > 1:
        lines.append(f"  seen      {sparkline(finding.curve.values)}  {_span(finding.curve)}")
    return [*lines, f"  cause     {finding.cause}", f"  try       {finding.change}"]


def sparkline(values: Sequence[float], width: int = _SPARK_WIDTH) -> str:
    """Values as a row of blocks between their least and their largest; the newest is the last.

    Args:
        values: in order; more than `width` are thinned evenly, the newest kept.
        width: characters, at most.
    """
    n = len(values)
    if n > width:
        values = [values[round(index * (n - 1) / (width - 1))] for index in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    least, most = min(finite, default=0.0), max(finite, default=0.0)
    span = most - least

    def block(value: float) -> str:
        if not math.isfinite(value):
            return _MISSING
        return _BLOCKS[min(7, int(8 * (value - least) / span))] if span > 0 else _BLOCKS[3]

    return "".join(map(block, values))


def findings_section(findings: list[Finding]) -> str:
    """The page's section: one card a finding, or a sentence where there is none."""
    if not findings:
        return "<h2>Doctor</h2><p>Nothing is wrong that it knows of.</p>"
    return f"<h2>Doctor</h2>{''.join(map(_card, findings))}"


def curve_svg(curve: Curve) -> str:
    """A curve as a small picture: the line, the normal band behind it, and its first and last values in words."""
    points = [(at, value) for at, value in zip(curve.at, curve.values, strict=True) if math.isfinite(value)]
    if len(points) < 2:
        return ""
    edges = [edge for edge in curve.normal if edge is not None]
    low, high = min([v for _, v in points] + edges), max([v for _, v in points] + edges)
    start, end = points[0][0], points[-1][0]

    def place(at: float, value: float) -> tuple[float, float]:
        x = _MARGIN_PX + (_WIDTH_PX - 2 * _MARGIN_PX) * (at - start) / max(end - start, 1)
        y = _MARGIN_PX + (_HEIGHT_PX - 2 * _MARGIN_PX) * (high - value) / max(high - low, 1e-30)
        return x, y

    floor, ceiling = curve.normal
    band = ""
    if edges:
        top = 0.0 if ceiling is None else place(start, ceiling)[1]
        bottom = _HEIGHT_PX if floor is None else place(start, floor)[1]
        band = (
            f'<rect x="0" y="{top:.1f}" width="{_WIDTH_PX:.0f}" height="{max(bottom - top, 1):.1f}" fill="#16a34a" '
            'fill-opacity="0.15"/>'
        )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    label = html.escape(_span(curve) + ("; green is normal" if edges else ""))
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH_PX:.0f} {_HEIGHT_PX:.0f}" width="{_WIDTH_PX:.0f}" role="img" '
        f'aria-label="{label}">{band}<polyline points="{line}" fill="none" stroke="#dc2626" stroke-width="1.5"/></svg>'
        f"<figcaption>{label}</figcaption></figure>"
    )


def _card(finding: Finding) -> str:
    plot = "" if finding.curve is None else curve_svg(finding.curve)
    return (
        f'<div class="finding"><h3>{html.escape(finding.name)}</h3><div>{html.escape(finding.evidence)}</div>{plot}'
        f"<p>{html.escape(finding.cause)}</p><pre>{html.escape(finding.change)}</pre></div>"
    )


def _span(curve: Curve) -> str:
    return f"{curve.name} {_short(curve.values[0])} → {_short(curve.values[-1])}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
