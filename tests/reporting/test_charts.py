"""Drawings: well-formed, inside their frame, deterministic, and never made of data's markup."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import bar, heat_cell, line_chart, sparkline

UNITS = st.floats(0, 1e6)


def points(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", svg)]


@given(st.lists(UNITS, max_size=20), st.lists(UNITS, max_size=20), st.one_of(st.none(), UNITS))
def test_a_sparkline_stays_inside_its_frame(history, ahead, level):
    svg = sparkline(history, ahead, reorder_line=level, label="x")
    if svg:
        ElementTree.fromstring(svg)
        assert all(0 <= x <= 120 and 0 <= y <= 28 for x, y in points(svg))


def test_a_gap_lifts_the_pen():
    drawn = ElementTree.fromstring(sparkline([1, 2, math.nan, 3, 4], [5]))
    assert drawn.find("path").attrib["d"].count("M") == 2


def test_the_reorder_point_is_drawn_at_its_height():
    drawn = ElementTree.fromstring(sparkline([0, 10], [10], reorder_line=5.0))
    level = next(path for path in drawn if path.attrib["class"] == "level").attrib["d"]
    assert level == "M2 14H118"  # halfway between the top (3) and the floor (25)


def test_nothing_to_draw_draws_nothing():
    assert sparkline([], []) == ""
    assert line_chart([("a", [math.nan])], ticks=["1"], label="x") == ""


def test_a_label_from_data_is_text():
    svg = sparkline([1, 2], [3], label='"><script>alert(1)</script>')
    assert "<script" not in svg
    assert ElementTree.fromstring(svg).attrib["aria-label"] == '"><script>alert(1)</script>'
    chart = line_chart([("<b>", [1.0, 2.0])], ticks=["<i>", "2"], label="x")
    assert [t.text for t in ElementTree.fromstring(chart).iter("text")].count("<b>") == 1


def test_lines_differ_by_more_than_colour():
    chart = line_chart([(name, [1.0, 2.0]) for name in "abcd"], ticks=["1", "2"], label="x")
    classes = {path.attrib["class"] for path in ElementTree.fromstring(chart).iter("path")}
    assert {"line s0", "line s1", "line s2", "line s3"} <= classes


@given(st.floats(-10, 10))
def test_a_bar_is_never_wider_than_its_frame(share):
    filled = ElementTree.fromstring(bar(share))[1]
    assert 0 <= float(filled.attrib["width"]) <= 88


def test_heat_steps_rise_with_the_score():
    assert [heat_cell(v) for v in (-5, 0, 0.9, 1, 2.5, 3, 4, 140)] == [0, 0, 0, 1, 2, 3, 4, 4]
    assert heat_cell(math.nan) == 0
