"""The range of a month's traffic: low, expected and high, as factors of the traffic that was measured.

The daily numbers of requests are taken as draws of one distribution with mean m and standard deviation s, measured on n
whole days. The expected total of the D days of a month is D·m. Its error has the variance s²·(D + D²/n): that of D new
days, and that of the mean itself. Low and high are 1.645 standard deviations below and above the expected total, so 90
% of all months lie between them. Trends, launches and seasons are not considered. See docs/how-to/report.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from glidepath.history import HistoryPoint

DAY_MS = 86_400_000
DAYS_OF_MONTH = 365 / 12
HOURS_OF_MONTH = Decimal(730)  # 365 days of 24 hours, divided by 12
FEWEST_DAYS = 2
_Z90 = 1.645


@dataclass(frozen=True, slots=True)
class TrafficRange:
    """Low, expected and high traffic of a month, as factors of the measured traffic.

    ``days``: the number of whole days that were measured.
    ``reason``: why there is no range. All factors are then 1.
    """

    low: float = 1.0
    high: float = 1.0
    days: int = 0
    reason: str = ""

    @property
    def factors(self) -> tuple[Decimal, Decimal, Decimal]:
        return Decimal(repr(self.low)), Decimal(1), Decimal(repr(self.high))


def requests_in(point: HistoryPoint) -> int:
    """Return the number of clients' requests that were answered in a period, including those kept at the baseline."""
    return point.baseline.traffic.live.requests + point.candidate.traffic.live.requests + point.pinned


def rate_of(points: Sequence[HistoryPoint]) -> float | None:
    """Return the clients' mean requests per second in the given periods, or None without periods. Gaps are ignored."""
    seconds = sum(point.seconds for point in points)
    return sum(map(requests_in, points)) / seconds if seconds else None


def whole_days(points: Iterable[HistoryPoint], from_ms: int, to_ms: int) -> list[int]:
    """Return the number of requests on each whole day (UTC) between two times."""
    first, last = math.ceil(from_ms / DAY_MS), to_ms // DAY_MS
    days = dict.fromkeys(range(first, last), 0)
    for point in points:
        day = point.at_ms // DAY_MS
        if day in days:
            days[day] += requests_in(point)
    return [days[day] for day in sorted(days)]


def traffic_range(days: Sequence[int]) -> TrafficRange:
    """Return the range of a month's traffic, from the numbers of requests on whole days."""
    if len(days) < FEWEST_DAYS:
        return TrafficRange(days=len(days), reason=f"needs {FEWEST_DAYS} whole days (UTC) of traffic, has {len(days)}")
    mean = sum(days) / len(days)
    if mean == 0:
        return TrafficRange(days=len(days), reason="there was no traffic on these days")
    variance = sum((day - mean) ** 2 for day in days) / (len(days) - 1)
    month = DAYS_OF_MONTH
    error = _Z90 * math.sqrt(variance * (month + month**2 / len(days))) / (month * mean)
    return TrafficRange(max(0.0, 1 - error), 1 + error, len(days))
