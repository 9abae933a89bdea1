"""The history of a workload: totals of short periods, for charts. The leader writes it, and the console reads it.

A period is 10 seconds, 5 minutes or an hour. Redis keeps a fixed number of periods of each length, so its memory is
bounded. The totals of an open period can be added up. For a closed period, only the numbers that charts show are
stored. See ADR 0323.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glidepath.errors import InputError
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import add_counts
from glidepath.side_traffic import NO_TRAFFIC, SideTraffic, traffic_from_json, traffic_to_json

MOST_KINDS = 12  # kinds of errors of a side in one period; the rest is counted as "other"


@dataclass(frozen=True, slots=True)
class Level:
    """One period length: ``seconds`` is the length, and Redis keeps the last ``kept`` periods."""

    name: str
    seconds: int
    kept: int

    def start_of(self, at_ms: int) -> int:
        """Return the start of the period that contains ``at_ms``, in Unix milliseconds."""
        length = self.seconds * 1000
        return at_ms // length * length


LEVELS = (Level("10s", 10, 400), Level("5m", 300, 1200), Level("1h", 3600, 2400))  # an hour, four days, 100 days


@dataclass(frozen=True, slots=True)
class SideTotals:
    """Totals of one side in a period: clients' requests, and the answers of scored pairs.

    ``answers``, ``tokens``: the number of answers with a known count of output tokens, and the sum of these counts.
    ``defects``: the number of answers with a fault.
    ``traffic``: the requests, tokens and bytes sent to the side, for the cost model.
    """

    requests: int = 0
    errors: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    ttft: Histogram = field(default_factory=Histogram)
    answers: int = 0
    tokens: int = 0
    defects: int = 0
    traffic: SideTraffic = NO_TRAFFIC

    def __add__(self, other: SideTotals) -> SideTotals:
        return SideTotals(
            self.requests + other.requests,
            self.errors + other.errors,
            few_kinds(add_counts(self.kinds, other.kinds)),
            self.latency + other.latency,
            self.ttft + other.ttft,
            self.answers + other.answers,
            self.tokens + other.tokens,
            self.defects + other.defects,
            self.traffic + other.traffic,
        )


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """Totals of one period. ``percent``, ``phase``: the candidate's share and the ramp's phase at its end.

    ``scored``, ``agreement_sum``: the number of scored cross pairs, and the sum of their agreements. ``noise_pairs``,
    ``noise_sum``: the same for noise pairs. ``judged``, ``preference_sum``: the number of pairs that the evaluator
    judged, and the sum of their preferences. ``captured``: captured exchanges. ``pinned``: requests that Envoy keeps at
    the baseline.
    """

    baseline: SideTotals = field(default_factory=SideTotals)
    candidate: SideTotals = field(default_factory=SideTotals)
    scored: int = 0
    agreement_sum: float = 0.0
    noise_pairs: int = 0
    noise_sum: float = 0.0
    judged: int = 0
    preference_sum: float = 0.0
    captured: int = 0
    percent: float = 0.0
    phase: str = ""
    pinned: int = 0

    def __add__(self, later: PeriodTotals) -> PeriodTotals:
        return PeriodTotals(
            self.baseline + later.baseline,
            self.candidate + later.candidate,
            self.scored + later.scored,
            self.agreement_sum + later.agreement_sum,
            self.noise_pairs + later.noise_pairs,
            self.noise_sum + later.noise_sum,
            self.judged + later.judged,
            self.preference_sum + later.preference_sum,
            self.captured + later.captured,
            later.percent if later.phase else self.percent,
            later.phase or self.phase,
            self.pinned + later.pinned,
        )


def few_kinds(kinds: Mapping[str, int]) -> Mapping[str, int]:
    """Return the MOST_KINDS most frequent kinds, with all others added up under "other"."""
    if len(kinds) <= MOST_KINDS:
        return kinds
    ordered = sorted(kinds.items(), key=lambda one: (one[0] == "other", -one[1], one[0]))
    kept = dict(ordered[: MOST_KINDS - 1])
    kept["other"] = kept.pop("other", 0) + sum(count for _, count in ordered[MOST_KINDS - 1 :])
    return kept


@dataclass(frozen=True, slots=True)
class SidePoint:
    """The numbers of one side in a period. Latencies are in milliseconds, None without requests.

    ``tokens``: the mean number of tokens of an answer.
    """

    requests: int = 0
    errors: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    ttft50: float | None = None
    ttft95: float | None = None
    tokens: float | None = None
    answers: int = 0
    defects: int = 0
    traffic: SideTraffic = NO_TRAFFIC


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A closed period: its start (Unix milliseconds), its length in seconds, and its numbers. A mean may be None."""

    at_ms: int
    seconds: int
    percent: float = 0.0
    phase: str = ""
    baseline: SidePoint = field(default_factory=SidePoint)
    candidate: SidePoint = field(default_factory=SidePoint)
    scored: int = 0
    agreement: float | None = None
    noise: float | None = None
    preference: float | None = None
    captured: int = 0
    pinned: int = 0


def point_of(totals: PeriodTotals, at_ms: int, seconds: int) -> HistoryPoint:
    """Return the numbers of a period that are stored when it is closed."""
    return HistoryPoint(
        at_ms,
        seconds,
        totals.percent,
        totals.phase,
        _side_point(totals.baseline),
        _side_point(totals.candidate),
        totals.scored,
        _mean(totals.agreement_sum, totals.scored),
        _mean(totals.noise_sum, totals.noise_pairs),
        _mean(totals.preference_sum, totals.judged),
        totals.captured,
        totals.pinned,
    )


def _side_point(side: SideTotals) -> SidePoint:
    return SidePoint(
        requests=side.requests,
        errors=side.errors,
        kinds=side.kinds,
        p50=_rounded(side.latency.quantile(0.5)),
        p95=_rounded(side.latency.quantile(0.95)),
        p99=_rounded(side.latency.quantile(0.99)),
        ttft50=_rounded(side.ttft.quantile(0.5)),
        ttft95=_rounded(side.ttft.quantile(0.95)),
        tokens=_mean(side.tokens, side.answers),
        answers=side.answers,
        defects=side.defects,
        traffic=side.traffic,
    )


def _mean(total: float, number: int) -> float | None:
    return round(total / number, 4) if number else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


_POINT = ("percent", "phase", "scored", "agreement", "noise", "preference", "captured")
_SIDE = (
    "requests",
    "errors",
    "kinds",
    "p50",
    "p95",
    "p99",
    "ttft50",
    "ttft95",
    "tokens",
    "answers",
    "defects",
)


def encode_point(point: HistoryPoint) -> str:
    """Return the point as compact JSON: lists in the order of _POINT and _SIDE.

    The JSON does not contain the time, which is the id of the stream entry, nor the traffic (see ``encode_traffic``).
    """
    sides = [[getattr(side, name) for name in _SIDE] for side in (point.baseline, point.candidate)]
    return json.dumps([[getattr(point, name) for name in _POINT], *sides], separators=(",", ":"))


def encode_traffic(point: HistoryPoint) -> str:
    """Return the tokens and requests from which the costs are computed, as compact JSON, or "" if there are none.

    They are stored in a separate field, so that an older version can still read the point.
    """
    if point.pinned == 0 and point.baseline.traffic == point.candidate.traffic == NO_TRAFFIC:
        return ""
    sides = [traffic_to_json(side.traffic) for side in (point.baseline, point.candidate)]
    return json.dumps([point.pinned, *sides], separators=(",", ":"))


def decode_point(text: str | bytes, at_ms: int, seconds: int, traffic: str | bytes = "") -> HistoryPoint:
    """Return the point from its JSON text and from the text of its traffic. Raises InputError for any other text."""
    try:
        numbers, *sides = json.loads(text)
        pinned, *sent = json.loads(traffic) if traffic else (0, None, None)
        if not isinstance(pinned, int):
            raise TypeError("the number of pinned requests is not a number")  # noqa: TRY301 - damage like any other
        one, two = (
            SidePoint(
                **dict(zip(_SIDE, side, strict=True)),
                traffic=NO_TRAFFIC if raw is None else traffic_from_json(raw),
            )
            for side, raw in zip(sides, sent, strict=True)
        )
        found = dict(zip(_POINT, numbers, strict=True))
        return HistoryPoint(at_ms, seconds, baseline=one, candidate=two, pinned=pinned, **found)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"not a point of a history: {error}") from error


def totals_to_json(totals: PeriodTotals) -> dict[str, Any]:
    """Return the totals of an open period as JSON values. A new leader continues with them."""
    plain = {name: getattr(totals, name) for name in PeriodTotals.__slots__ if name not in ("baseline", "candidate")}
    return {**plain, "baseline": _side_to_json(totals.baseline), "candidate": _side_to_json(totals.candidate)}


def _side_to_json(side: SideTotals) -> dict[str, Any]:
    others = ("latency", "ttft", "kinds", "traffic")
    plain = {name: getattr(side, name) for name in SideTotals.__slots__ if name not in others}
    histograms = {name: _to_pairs(getattr(side, name)) for name in ("latency", "ttft")}
    return {**plain, "kinds": dict(side.kinds), "traffic": traffic_to_json(side.traffic), **histograms}


def _to_pairs(histogram: Histogram) -> list[Any]:
    return [histogram.zeros, sorted(histogram.counts.items())]


def totals_from_json(raw: Any) -> PeriodTotals:
    """Return the totals from the JSON values that ``totals_to_json`` returned. Raises InputError for other values."""
    try:
        sides = {name: _side_from_json(raw[name]) for name in ("baseline", "candidate")}
        return PeriodTotals(**{**raw, **sides})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not the totals of a period: {error}") from error


def _side_from_json(raw: Any) -> SideTotals:
    histograms = {
        name: Histogram({int(i): int(n) for i, n in raw[name][1]}, int(raw[name][0])) for name in ("latency", "ttft")
    }
    traffic = traffic_from_json(raw["traffic"]) if "traffic" in raw else NO_TRAFFIC  # earlier versions stored none
    return SideTotals(**{**raw, **histograms, "traffic": traffic})
