"""Lines over time from the history's periods, with gaps for missing periods. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from glidepath.history import HistoryPoint
from glidepath.pricing.periods_without_overlap import end_of
from glidepath_ops.report.document import Chart, Mark, Series

Value = Callable[[HistoryPoint], float | None]
Kind = Literal["baseline", "candidate"]


def chart_over_time(
    title: str,
    points: Sequence[HistoryPoint],
    lines: Sequence[tuple[str, Kind, Value]],
    unit: str,
    marks: Sequence[Mark],
) -> Chart:
    """Return a chart of the periods. ``lines``: the name of each line, its colour, and its value in a period."""
    times: list[float] = []
    filled: list[HistoryPoint | None] = []
    for point in points:
        if filled and filled[-1] is not None and point.at_ms - end_of(filled[-1]) > 500 * point.seconds:
            times.append(end_of(filled[-1]) / 1000)
            filled.append(None)
        times.append(point.at_ms / 1000)
        filled.append(point)
    series = [Series(name, [None if p is None else of(p) for p in filled], kind) for name, kind, of in lines]
    return Chart(title, times, series, unit, marks)
