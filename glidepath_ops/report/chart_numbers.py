"""Choose the rows of the table below a chart, which has too many times to list them all. Pure."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime

from glidepath_ops.report.document import Chart, Table


def table_of_numbers(chart: Chart, most: int) -> Table:
    """Return the numbers of a chart: at most ``most`` times at equal distances, and the times of the latest marks.

    So a share that was served for a short time is in the table. If times are left out, the caption says how many.
    """
    chosen = _chosen(chart, most)
    rows = [
        [
            datetime.fromtimestamp(chart.times[at], UTC).strftime("%Y-%m-%d %H:%M:%S"),
            *(number_text(one.values[at]) for one in chart.series),
        ]
        for at in chosen
    ]
    heads = ["Time (UTC)", *(f"{one.name} ({chart.unit})" if chart.unit else one.name for one in chart.series)]
    return Table(heads, rows, _caption(chart, len(chosen)), range(1, len(heads)))


def _chosen(chart: Chart, most: int) -> list[int]:
    """Return the indexes of the chosen times. A mark's time is the last one at or before the mark."""
    step = max(1, -(-len(chart.times) // most))
    latest = sorted(mark.at_s for mark in chart.marks)[-most:]
    of_marks = (bisect_right(chart.times, at_s) - 1 for at_s in latest)
    return sorted({*range(0, len(chart.times), step), *(at for at in of_marks if at >= 0)})


def _caption(chart: Chart, rows: int) -> str:
    if rows == len(chart.times):
        return ""
    marks = ", and those of steps and rollbacks" if chart.marks else ""
    return f"{rows:,} of {len(chart.times):,} times: at equal distances{marks}"


def number_text(value: float | None) -> str:
    """Return a number for a chart's table. From 1,000 on, it has two decimals unless it is whole."""
    if value is None:
        return "–"
    if abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.2f}" if value % 1 else f"{value:,.0f}"
