"""One picture for each gate: value and limit on a line, and the evidence for fail and for pass as bars. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from glidepath.duration_text import duration_text
from glidepath.status_and_decisions import Verdict, WeighedPair
from glidepath_ops.evidence_text import BASES

WIDTH, MARGIN = 320.0, 14.0  # units of the picture
_HALF = 150.0  # the length of each arm of the evidence bar
_WHAT = {
    "rollback": "a failure rolls the traffic back",
    "hold": "a failure holds the ramp",
    "inform": "it informs only",
}


@dataclass(frozen=True, slots=True)
class GateChart:
    """Positions on a line of WIDTH units, and lengths of the bars. A position is None if its number is unknown.

    ``span``: the ends of the confidence sequence of the value, cut off at the ends of the line; None without one.

    ``to_fail``, ``to_pass``: the length of the bar for failing or passing, from 0 to _HALF. At _HALF the gate fails or
    passes.
    """

    name: str
    outcome: str
    value: float | None
    limit: float | None
    unit: str
    value_at: float | None
    limit_at: float | None
    span: tuple[float, float] | None
    to_fail: float
    to_pass: float
    fail_percent: int
    pass_percent: int
    sentence: str
    effect: str
    message: str
    n: int
    pairs: tuple[WeighedPair, ...] = ()


def gate_chart(verdict: Verdict, requests_per_s: float | None) -> GateChart:
    """Return the chart of a gate. ``requests_per_s``: the workload's rate, used to compute the remaining time."""
    low, high = _range(verdict)
    to_pass, to_fail = (_share(one) for one in (verdict.evidence_to_pass, verdict.evidence_to_fail))
    return GateChart(
        name=verdict.gate,
        outcome=verdict.outcome,
        value=verdict.value,
        limit=verdict.limit,
        unit=verdict.unit,
        value_at=_place(verdict.value, low, high),
        limit_at=_place(verdict.limit, low, high),
        span=_span(verdict, low, high),
        to_fail=to_fail * _HALF,
        to_pass=to_pass * _HALF,
        fail_percent=round(100 * to_fail),
        pass_percent=round(100 * to_pass),
        sentence=f"{sentence_of(verdict, requests_per_s)}{_known_to(verdict)}",
        effect=_effect(verdict),
        message=verdict.message,
        n=verdict.n,
        pairs=verdict.pairs,
    )


def _effect(verdict: Verdict) -> str:
    """Return the effect of a failure, and the basis of the comparison, as text."""
    basis = f"it compares {BASES[verdict.basis]}" if verdict.basis in BASES else ""
    guard = "it need not pass before a step" if verdict.guard else ""
    return "; ".join(part for part in (_WHAT.get(verdict.action, ""), guard, basis) if part)


def sentence_of(verdict: Verdict, requests_per_s: float | None) -> str:
    """Return one sentence on the gate: decided, or how many more samples it needs and how long that takes."""
    if verdict.outcome == "pass":
        return f"Decided: it passes, after {verdict.n:,} samples."
    if verdict.outcome == "fail":
        return f"Decided: it fails, after {verdict.n:,} samples."
    if not verdict.n:
        return "No data yet."
    if verdict.missing is None:
        return f"Undecided after {verdict.n:,} samples; too early to say how many it needs."
    rate = f" at {requests_per_s:.2g} requests a second" if requests_per_s else ""
    when = f", {duration_text(verdict.eta_s)}{rate}" if verdict.eta_s is not None else ""
    return f"Undecided after {verdict.n:,} samples; it needs about {verdict.missing:,} more{when}."


def _known_to(verdict: Verdict) -> str:
    """Return the confidence interval of the value as text, with a space before it; "" if it is unknown."""
    low, high = verdict.low, verdict.high
    if low is None and high is None:
        return ""
    if low is None or high is None:
        known = f"at most {high:.3g}" if low is None else f"at least {low:.3g}"
    else:
        known = f"between {low:.3g} and {high:.3g}"
    return f" The value is {known} (confidence sequence)."


def _span(verdict: Verdict, low: float, high: float) -> tuple[float, float] | None:
    if verdict.value is None or (verdict.low is None and verdict.high is None):
        return None
    ends = (low if verdict.low is None else verdict.low, high if verdict.high is None else verdict.high)
    first, last = (_place(min(max(end, low), high), low, high) or MARGIN for end in ends)
    return first, last


def _share(evidence: float) -> float:
    return min(max(evidence, 0.0), 1.0)


def _range(verdict: Verdict) -> tuple[float, float]:
    """Return the ends of the line. They enclose the value and the limit, with a margin on both sides."""
    known = [number for number in (verdict.value, verdict.limit) if number is not None]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    spread = (high - low) or abs(high) or 1.0
    return low - spread * 0.6, high + spread * 0.6


def _place(number: float | None, low: float, high: float) -> float | None:
    if number is None:
        return None
    return round(MARGIN + (number - low) / (high - low) * (WIDTH - 2 * MARGIN), 1)
