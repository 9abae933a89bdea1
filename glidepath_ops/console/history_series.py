"""A workload's history as columns of numbers for the charts, and as rows for the table next to them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from glidepath.history import LEVELS, HistoryPoint, Level, SidePoint
from glidepath.status_and_decisions import Decision

MOST_ROWS = 48
MOST_KINDS = 5  # lines of the chart of errors by kind
LEAST_PERIODS = 12  # on the time axis
_LEVEL = {level.name: level for level in LEVELS}


@dataclass(frozen=True, slots=True)
class Range:
    """A time range that a page can show, and the level of the periods for it."""

    name: str
    title: str
    seconds: int
    level: Level


RANGES = (
    Range("1h", "1 hour", 3600, _LEVEL["10s"]),
    Range("1d", "1 day", 86_400, _LEVEL["5m"]),
    Range("4d", "4 days", 4 * 86_400, _LEVEL["5m"]),
    Range("30d", "30 days", 30 * 86_400, _LEVEL["1h"]),
    Range("90d", "90 days", 90 * 86_400, _LEVEL["1h"]),
)

Number = float | None
SIDES = ("baseline", "candidate")
_SIDE_COLUMNS: dict[str, Callable[[SidePoint, int], Number]] = {
    "p50": lambda side, _: side.p50,
    "p95": lambda side, _: side.p95,
    "p99": lambda side, _: side.p99,
    "ttft50": lambda side, _: side.ttft50,
    "ttft95": lambda side, _: side.ttft95,
    "errors": lambda side, _: _percent(side.errors, side.requests),
    "rate": lambda side, seconds: round(side.requests / seconds, 4),
    "tokens": lambda side, _: side.tokens,
    "defects": lambda side, _: _percent(side.defects, side.answers),
}
_COLUMNS: dict[str, Callable[[HistoryPoint], Number]] = {
    "asked": lambda point: point.percent,
    "seen": lambda point: _percent(point.candidate.requests, point.candidate.requests + point.baseline.requests),
    "agreement": lambda point: point.agreement,
    "noise": lambda point: point.noise,
    "preference": lambda point: point.preference,
}


def _percent(part: int, whole: int) -> Number:
    return round(100 * part / whole, 3) if whole else None


def columns(points: Sequence[HistoryPoint]) -> dict[str, list[Number]]:
    """Return columns of equal length: time (Unix seconds) and series. A missing period is None in all series."""
    filled = list(_with_gaps(points))
    found: dict[str, list[Number]] = {"t": [at for at, _ in filled]}
    for name, of_point in _COLUMNS.items():
        found[name] = [None if point is None else of_point(point) for _, point in filled]
    for prefix in SIDES:
        for name, of_side in _SIDE_COLUMNS.items():
            found[f"{prefix}_{name}"] = [
                None if point is None else of_side(getattr(point, prefix), point.seconds) for _, point in filled
            ]
    return found


def kind_columns(points: Sequence[HistoryPoint]) -> dict[str, list[Number]]:
    """Return failed requests per minute as columns named ``SIDE: KIND``, for the most frequent kinds.

    The most frequent kind comes first.

    The times are those of ``columns``.
    """
    totals: Counter[tuple[str, str]] = Counter()
    for point in points:
        for side in SIDES:
            totals.update({(side, kind): n for kind, n in getattr(point, side).kinds.items()})
    filled = list(_with_gaps(points))
    return {
        f"{side}: {kind}": [
            None if point is None else round(60 * getattr(point, side).kinds.get(kind, 0) / point.seconds, 3)
            for _, point in filled
        ]
        for (side, kind), _ in totals.most_common(MOST_KINDS)
    }


def axis_start_ms(points: Sequence[HistoryPoint], since_ms: int, now_ms: int) -> int:
    """Return the start of the time axis: ``since_ms``, or the first period if the history began later.

    So even a few minutes of history fill the whole chart.
    """
    if not points:
        return since_ms
    period_ms = points[0].seconds * 1000
    return max(since_ms, min(points[0].at_ms - period_ms, now_ms - LEAST_PERIODS * period_ms))


def _with_gaps(points: Iterable[HistoryPoint]) -> Iterable[tuple[float, HistoryPoint | None]]:
    """Yield each point with its time, and one None where at least one period is missing."""
    last: HistoryPoint | None = None
    for point in points:
        if last is not None and point.at_ms - last.at_ms > 1500 * last.seconds:
            yield last.at_ms / 1000 + last.seconds, None
        yield point.at_ms / 1000, point
        last = point


@dataclass(frozen=True, slots=True)
class Mark:
    """A decision on the time axis. ``tone``: step, bad, hold or person. It selects the style of the line."""

    at_s: float
    id: str
    event: str
    tone: str
    text: str

    def record(self) -> dict[str, Any]:
        return {"t": self.at_s, "id": self.id, "event": self.event, "tone": self.tone, "text": self.text}


def marks(decisions: Iterable[Decision], since_ms: int) -> list[Mark]:
    """Return the decisions since ``since_ms`` that changed the share, stopped the ramp, or were made by a person."""
    found = []
    for decision in decisions:
        tone = _tone(decision)
        if tone and decision.at_ms >= since_ms:
            share = f"{decision.from_percent:g} % → {decision.to_percent:g} %"
            text = f"{decision.event.replace('_', ' ')}, {share}, by {decision.actor}: {decision.reason}"
            found.append(Mark(decision.at_ms / 1000, decision.id, decision.event, tone, text[:300]))
    return found


def _tone(decision: Decision) -> str:
    if decision.event == "annotate":
        return ""
    if decision.to_percent < decision.from_percent:
        return "bad"
    if decision.to_percent > decision.from_percent:
        return "step"
    if decision.phase == "held":
        return "hold"
    return "person" if decision.trigger.startswith("command:") else ""


def table_rows(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """Return at most MOST_ROWS evenly spaced points, the newest first."""
    if len(points) <= MOST_ROWS:
        return list(reversed(points))
    step = len(points) / MOST_ROWS
    return [points[len(points) - 1 - int(number * step)] for number in range(MOST_ROWS)]
