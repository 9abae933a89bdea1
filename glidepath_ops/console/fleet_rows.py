"""The rows of the fleet table, which show the most important facts about each workload. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.duration_text import duration_text
from glidepath.pluralization import number_of
from glidepath.status_and_decisions import CommandKind, Phase, Verdict, WorkloadStatus
from glidepath_ops.cli.status_details import stages
from glidepath_ops.read_fleet_status import STALE_S, FleetReading

NEVER_STEERED = "no scorer has steered it yet"
# phase → the shape beside its word, so that the state is never shown by colour alone; and its tone
_SHAPES: Mapping[str, tuple[str, str]] = {
    Phase.SHADOW.value: ("○", "quiet"),
    Phase.BAKING.value: ("◐", "busy"),
    Phase.AWAITING_APPROVAL.value: ("◇", "asks"),
    Phase.HELD.value: ("❚❚", "asks"),
    Phase.ROLLING_BACK.value: ("▼", "bad"),
    Phase.COOLING_DOWN.value: ("▽", "bad"),
    Phase.VALIDATING.value: ("◕", "busy"),
    Phase.COMPLETED.value: ("●", "good"),
    Phase.ABORTED.value: ("✕", "bad"),
}
_RAMPING = (Phase.SHADOW.value, Phase.BAKING.value)
_MARKS = {"pass": "✓", "fail": "✗", "inconclusive": "…"}
_NEXT_ACTION = {
    Phase.AWAITING_APPROVAL.value: CommandKind.APPROVE,
    Phase.HELD.value: CommandKind.RESUME,
    Phase.COOLING_DOWN.value: CommandKind.RETRY,
    Phase.ABORTED.value: CommandKind.RETRY,
    Phase.SHADOW.value: CommandKind.HOLD,
    Phase.BAKING.value: CommandKind.HOLD,
}


@dataclass(frozen=True, slots=True)
class GateMark:
    """A gate as one short text: ``✓ latency_p99 812, limit 900 ms``."""

    mark: str
    outcome: str
    name: str
    numbers: str
    gating: bool


@dataclass(frozen=True, slots=True)
class Funnel:
    """The numbers of exchanges that were captured, paired and scored since the beginning."""

    captured: int
    paired: int
    scored: int

    def width(self, part: int) -> float:
        """Return the width of a part's bar, in percent of the number of captured exchanges."""
        return min(100.0, 100 * part / self.captured) if self.captured else 0.0


@dataclass(frozen=True, slots=True)
class FleetRow:
    """The row of one workload.

    ``action``: the command that is most useful now.
    ``next_in``: the time until the next step at the current rate, or "".
    ``trouble``: why the row may be wrong.
    """

    name: str
    state: str
    shape: str
    tone: str
    asked: str
    seen: str
    confirmed: str
    next: str
    next_in: str = ""
    gates: tuple[GateMark, ...] = ()
    funnel: Funnel | None = None
    action: CommandKind | None = None
    may_go_back: bool = False
    trouble: str = ""
    backends: str = ""


def fleet_rows(reading: FleetReading, candidates: Mapping[str, str], now_s: float) -> list[FleetRow]:
    """Return the rows. Workloads that need a person come first. ``candidates``: workload → name of its candidate."""
    rows = [_row(name, status, reading, candidates.get(name, ""), now_s) for name, status in reading.statuses.items()]
    urgent = {"bad": 0, "asks": 1}
    return sorted(rows, key=lambda row: (0 if row.trouble else 1 + urgent.get(row.tone, 2), row.name))


def _row(name: str, status: WorkloadStatus | None, reading: FleetReading, candidate: str, now_s: float) -> FleetRow:
    backends = f"{reading.baselines.get(name, '')} → {candidate}"
    problem = reading.troubles.get(name)
    why = str(problem) if problem else ""
    if status is None:
        said = why or NEVER_STEERED
        return FleetRow(name, "not steered", "–", "quiet", "–", "–", "–", said, backends=backends)
    shape, tone = _SHAPES.get(status.phase, ("?", "quiet"))
    return FleetRow(
        name=name,
        state=status.phase.replace("_", " "),
        shape=shape,
        tone=tone,
        asked=f"{status.percent:g} %" if status.share_known else "unknown",
        seen=_seen(status),
        confirmed=f"{status.confirmed} of {number_of(status.envoys, 'Envoy')}",
        next=status.message,
        next_in=_next_in(status, now_s),
        gates=tuple(gate_mark(one) for one in status.verdicts if one.gating or one.outcome == "fail"),
        funnel=funnel_of(status),
        action=_NEXT_ACTION.get(status.phase) if status.autopilot else CommandKind.RESUME,
        may_go_back=not status.share_known or status.percent > 0,
        trouble="; ".join(filter(None, (_late(status, now_s, why), why))),
        backends=backends,
    )


def _next_in(status: WorkloadStatus, now_s: float) -> str:
    """Return the time until the slowest gate decides and the minimum time of the step is over, as text.

    Return "" if it is unknown, or if a gate fails.
    """
    waiting = [v for v in status.verdicts if v.gating and not v.guard and v.outcome == "inconclusive"]
    times = [v.eta_s for v in waiting if v.eta_s is not None]
    fails = any(v.gating and v.outcome == "fail" for v in status.verdicts)
    if status.phase not in _RAMPING or fails or not waiting or len(times) < len(waiting):
        return ""
    longest = max([*times, (status.bake_until_ms or 0) / 1000 - now_s])
    return "in about " + (duration_text(round(longest, -1)) if longest >= 90 else "a minute")


def _seen(status: WorkloadStatus) -> str:
    """Return the measured share of the candidate in this step's clients' requests; "–" if the status counts copies."""
    total = status.baseline.requests + status.candidate.requests
    if status.candidate_counts_copies or status.baseline_counts_copies:
        return "–"
    return f"{100 * status.candidate.requests / total:.1f} %" if total else "–"


def _late(status: WorkloadStatus, now_s: float, why: str) -> str:
    age = now_s - status.updated_at_ms / 1000
    if age <= STALE_S:
        return ""
    # rounded, so that the page does not change every second
    rounded = f"{age // 60:.0f} min" if age >= 60 else f"{age // 10 * 10:.0f} s"
    return f"not updated for {rounded}" + ("" if why else ": is a scorer running?")


def gate_mark(verdict: Verdict) -> GateMark:
    value = "–" if verdict.value is None else f"{verdict.value:.3g}"
    numbers = f"{value} {verdict.unit}".strip()
    if verdict.limit is not None:
        numbers = f"{value}, limit {verdict.limit:.3g} {verdict.unit}".strip()
    return GateMark(_MARKS.get(verdict.outcome, "?"), verdict.outcome, verdict.gate, numbers, verdict.gating)


def funnel_of(status: WorkloadStatus) -> Funnel:
    return Funnel(*stages(status))
