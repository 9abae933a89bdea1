"""Tests of the charts in SVG: for any numbers, lines and bars are inside the picture, and the axes are readable."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath_ops.report.document import Bars, Chart, Mark, Series
from glidepath_ops.report.svg_charts import (
    MOST_POINTS,
    axis_range,
    bars_svg,
    chart_svg,
    nice_top,
    thinned,
    tick_text,
    ticks,
)

VALUES = st.lists(st.none() | st.floats(-1e12, 1e12), min_size=1, max_size=12)


def paths(chart: Chart) -> list[str]:
    root = ET.fromstring(chart_svg(chart))
    return [found.attrib["d"] for found in root.iter("path")]


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    [before, after] = paths(Chart("t", range(5), [Series("s", [1.0, 2.0, None, 2.0, 1.0])]))
    assert before.count("L") == after.count("L") == 1


def test_a_value_alone_is_a_dot() -> None:
    drawn = chart_svg(Chart("t", range(3), [Series("s", [None, 1.0, None])]))
    assert "<circle" in drawn
    assert "<path" not in drawn


@given(VALUES)
def test_every_value_is_within_the_picture(values: list[float | None]) -> None:
    chart = Chart("<t>", [float(n) for n in range(len(values))], [Series("s", values)], "EUR", [Mark(0.0, "<m>")])
    root = ET.fromstring(chart_svg(chart))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for path in root.iter("path"):
        numbers = [float(word.strip("ML")) for word in path.attrib["d"].split()]
        assert all(0 <= x <= width for x in numbers[::2])
        assert all(0 <= y <= height for y in numbers[1::2])


@given(VALUES)
def test_every_bar_is_within_the_picture(values: list[float | None]) -> None:
    root = ET.fromstring(bars_svg(Bars("t", [f"<{n}>" for n in range(len(values))], [Series("s", values)], "EUR")))
    for bar in root.iter("rect"):
        assert float(bar.attrib["x"]) >= 0
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= 760


@pytest.mark.parametrize(
    ("value", "text"),
    [(750_000.0, "750k EUR"), (1e6, "1M EUR"), (-2500.0, "−2.5k EUR"), (0.25, "0.25 EUR"), (0, "0 EUR")],
)
def test_a_number_of_an_axis_is_short(value: float, text: str) -> None:
    assert tick_text(value, "EUR") == text


@given(st.lists(st.floats(-1e9, 1e9), max_size=5))
def test_no_two_numbers_of_an_axis_are_in_one_place(values: list[float]) -> None:
    bottom, top = axis_range(values)
    shown = ticks(bottom, top)
    assert 0.0 in shown
    assert all((later - earlier) >= 0.2 * (top - bottom) for earlier, later in pairwise(shown))
    assert all(bottom <= value <= top for value in values)


@given(st.floats(1e-9, 1e12))
def test_an_axis_ends_at_a_round_number_not_far_above_the_value(value: float) -> None:
    assert value <= nice_top(value) * (1 + 1e-9) <= 2.6 * value


def test_a_long_line_is_thinned_and_keeps_its_end() -> None:
    long = Chart("t", [float(n) for n in range(5000)], [Series("s", [float(n) for n in range(5000)])])
    short = thinned(long)
    assert len(short.times) == MOST_POINTS
    assert (short.times[-1], short.series[0].values[-1]) == (4999.0, 4999.0)
