"""Charts as SVG text without scripts. So they can be printed, and work where scripts are forbidden. Pure.

The colours are classes of ``report.css``, so a chart follows the light and the dark scheme. The table below each chart
has its numbers for people who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from glidepath_ops.report.document import Bars, Chart, Mark, Series

WIDTH, HEIGHT = 760, 220
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 30
MOST_POINTS = 400  # of a line; more would not be visible
_TICKS = 4
_BAR = 26


def chart_svg(chart: Chart) -> str:
    """Return a chart of lines over time."""
    times = chart.times
    begin, end = (times[0], max([times[-1], *(mark.at_s for mark in chart.marks)])) if times else (0.0, 1.0)
    values = [v for series in chart.series for v in series.values if v is not None]
    bottom, top = axis_range([*values, chart.limit or 0.0])

    def x(at_s: float) -> float:
        return LEFT + (at_s - begin) / max(end - begin, 1e-9) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    parts = [*_grid(bottom, top, chart.unit, y), *_time_axis(begin, end, x)]
    parts += (_mark(mark, x(mark.at_s)) for mark in chart.marks if begin <= mark.at_s <= end)
    if chart.limit is not None:
        level = y(chart.limit)
        parts.append(f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>')
    for series in chart.series:
        parts.append(_line(series, [(x(at), v) for at, v in zip(times, series.values, strict=True)], y))
    return _svg(chart.title, "".join(parts), HEIGHT)


def bars_svg(bars: Bars) -> str:
    """Return a chart of horizontal bars. Negative values extend to the left of zero."""
    rows = [(name, series, at) for at, name in enumerate(bars.names) for series in bars.series]
    values = [series.values[at] or 0.0 for _, series, at in rows]
    most, least = nice_top(max([*values, 0.0])), -nice_top(-min([*values, 0.0])) if min([*values, 0.0]) < 0 else 0.0
    left = 230
    scale = (WIDTH - left - 110) / max(most - least, 1e-9)
    zero = left - least * scale
    parts = []
    for place, (name, series, at) in enumerate(rows):
        value, top = series.values[at], TOP + place * _BAR
        label = name if len(bars.series) == 1 else f"{name}, {series.name}"
        parts.append(f'<text class="name" x="{left - 8}" y="{top + 14}" text-anchor="end">{escape(label[:40])}</text>')
        if value is None:
            parts.append(f'<text class="value" x="{zero + 6:.1f}" y="{top + 14}">unknown</text>')
            continue
        width = abs(value) * scale
        start = zero if value >= 0 else zero - width
        parts.append(
            f'<rect class="bar {series.kind}" x="{start:.1f}" y="{top}" width="{width:.1f}" height="{_BAR - 8}"/>'
        )
        text = f"{value:,.2f} {bars.unit}".strip()
        parts.append(f'<text class="value" x="{max(start + width, zero) + 6:.1f}" y="{top + 14}">{escape(text)}</text>')
    height = TOP + len(rows) * _BAR + 4
    parts.append(f'<line class="axis" x1="{zero:.1f}" x2="{zero:.1f}" y1="{TOP - 4}" y2="{height - 6}"/>')
    return _svg(bars.title, "".join(parts), height)


def thinned(chart: Chart) -> Chart:
    """Return the chart with at most MOST_POINTS points at equal distances. The last point is kept."""
    if len(chart.times) <= MOST_POINTS:
        return chart
    step = len(chart.times) / MOST_POINTS
    kept = [min(len(chart.times) - 1, int((number + 1) * step) - 1) for number in range(MOST_POINTS)]
    series = [Series(one.name, [one.values[i] for i in kept], one.kind) for one in chart.series]
    return Chart(chart.title, [chart.times[i] for i in kept], series, chart.unit, chart.marks, chart.limit)


def nice_top(value: float) -> float:
    """Return the end of an axis: the smallest round number (1, 2, 2.5, 5 times a power of ten) not below the value."""
    if value < 1e-12 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 2.5, 5) if step * power >= value), 10 * power)


def _svg(title: str, inside: str, height: int) -> str:
    label = escape(title, quote=True)
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{inside}</svg>'


def axis_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis as round numbers, so that zero and all values are on it."""
    least, most = min([*values, 0.0]), max([*values, 0.0])
    bottom = -nice_top(-least) if least < 0 else 0.0
    return bottom, nice_top(most) if most > 0 or bottom == 0 else 0.0


def ticks(bottom: float, top: float) -> list[float]:
    """Return the numbers on an axis in ascending order: zero, and round numbers at a sufficient distance."""
    step = max(-bottom, top) / (_TICKS if bottom == 0 or top == 0 else 2)
    return [step * n for n in range(-_TICKS, _TICKS + 1) if bottom <= step * n <= top]


def tick_text(value: float, unit: str) -> str:
    """Return a number on an axis as a short text."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter} {unit}".strip().replace("-", "−")
    return f"{value:.3g} {unit}".strip().replace("-", "−")


def _grid(bottom: float, top: float, unit: str, y: Callable[[float], float]) -> Iterator[str]:
    for value in ticks(bottom, top):
        level = y(value)
        line = "axis" if value == 0 and bottom < 0 else "grid"
        yield f'<line class="{line}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
        text = tick_text(value, unit)
        yield f'<text class="tick" x="{LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{escape(text)}</text>'


def _time_axis(begin: float, end: float, x: Callable[[float], float]) -> Iterator[str]:
    form = "%H:%M:%S" if end - begin < 600 else "%H:%M" if end - begin < 2 * 86_400 else "%d %b"
    for number in range(_TICKS + 1):
        at = begin + (end - begin) * number / _TICKS
        anchor = "start" if number == 0 else "end" if number == _TICKS else "middle"
        text = datetime.fromtimestamp(at, UTC).strftime(form)
        place = x(at)
        yield f'<text class="tick" x="{place:.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">{text}</text>'


def _mark(mark: Mark, place: float) -> str:
    title = f"<title>{escape(mark.text)}</title>"
    tone = mark.tone or "plain"
    return (
        f'<line class="mark {tone}" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">{title}</line>'
    )


def _line(series: Series, points: Sequence[tuple[float, float | None]], y: Callable[[float], float]) -> str:
    """Return an SVG path with a gap for each missing value. A single value between two gaps becomes a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in points:
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, y(value)))
    parts = []
    for run in runs:
        if len(run) == 1:
            parts.append(f'<circle class="dot {series.kind}" cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2.5"/>')
        elif run:
            path = " ".join(f"{'M' if i == 0 else 'L'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(run))
            parts.append(f'<path class="line {series.kind}" d="{path}"/>')
    return "".join(parts)
