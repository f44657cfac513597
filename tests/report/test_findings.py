"""Findings as people see them: lines in a terminal, cards and curves on the page."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from latentry.report.findings import curve_svg, finding_lines, findings_section, sparkline
from latentry.training.doctor import Curve, Finding

CURVE = Curve("critic's loss", (100, 200, 300), (1.0, 0.5, 0.0), (0.25, None))
FINDING = Finding("critic winning", "the loss is <0.1> & falls", "It is sure.", "--critic-lr 1e-4", CURVE)


def test_a_sparkline_runs_from_the_least_to_the_largest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([2.0, 2.0]) == "▄▄"
    assert sparkline([0.0, math.nan, 1.0]) == "▁×█"  # noqa: RUF001
    long = sparkline(range(1000), width=10)
    assert len(long) == 10
    assert (long[0], long[-1]) == ("▁", "█")
    assert sparkline([]) == ""


def test_lines_hold_evidence_cause_and_flag():
    lines = finding_lines(FINDING)
    assert lines[0] == "doctor: critic winning: the loss is <0.1> & falls"
    assert "█" in lines[1]
    assert "1 → 0" in lines[1]
    assert lines[2].endswith("It is sure.")
    assert lines[3].endswith("--critic-lr 1e-4")
    assert len(finding_lines(Finding("a", "b", "c", "d"))) == 3


def test_a_curve_is_drawn_to_scale_over_its_normal_band():
    """Down a straight line from the top left to the bottom right; the band is all but the lowest quarter."""
    root = ET.fromstring(curve_svg(CURVE))
    line = root.find(".//polyline")
    band = root.find(".//rect")
    assert line is not None
    assert band is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points == [pytest.approx(p) for p in [(4, 4), (160, 36), (316, 68)]]
    assert float(band.attrib["y"]) == 0
    assert float(band.attrib["height"]) == pytest.approx(4 + 64 * 0.75)
    below = ET.fromstring(curve_svg(Curve("x", (0, 1), (0.0, 1.0), (None, 0.5)))).find(".//rect")
    assert below is not None
    assert float(below.attrib["y"]) == pytest.approx(36)
    assert float(below.attrib["height"]) == pytest.approx(36)
    both = ET.fromstring(curve_svg(Curve("x", (0, 1), (0.0, 1.0), (0.25, 0.75)))).find(".//rect")
    assert both is not None
    assert float(both.attrib["height"]) == pytest.approx(32)


def test_a_curve_without_two_finite_values_is_not_drawn():
    assert curve_svg(Curve("x", (0, 1), (math.nan, 1.0))) == ""


def test_the_page_escapes_what_it_is_given_and_says_when_all_is_well():
    section = findings_section([FINDING])
    assert "&lt;0.1&gt; &amp; falls" in section
    assert re.search(r"<h3>critic winning</h3>", section)
    assert "Nothing is wrong" in findings_section([])
