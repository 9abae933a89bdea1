"""Summarises the demo, as text and as JSON: its results, and the reasons if it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from glidepath.outcome_summaries import Coverage
from glidepath.status_and_decisions import Decision
from glidepath_ops.demo.client_load import ClientStats
from glidepath_ops.demo.demo_state import DemoState, counted, unscored
from glidepath_ops.demo.injected_faults import InjectedFault

LOST = (Coverage.LOST_BUFFER, Coverage.LOST_SHUTDOWN, Coverage.INTERNAL_ERROR)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that raised the share: ``percent`` is the new share, ``at_s`` the seconds since the first request."""

    percent: float
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Rollback:
    """The rollback after the fault.

    ``fault_to_weights_s`` is the time in seconds from the first byte of the first bad answer to Envoy's new weights.
    """

    trigger: str
    from_percent: float
    to_percent: float
    fault_to_weights_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """The result of a demo, which ``--json`` writes. ``failures`` is empty if the demo succeeded.

    ``pairs_waiting`` counts pairs that were still waiting for a score when the demo ended. They are not lost.
    """

    workload: str
    fault: str
    pairs_scored: int
    client_requests: int
    client_errors: int
    pairs_lost: int
    pairs_waiting: int
    steps: tuple[Step, ...]
    rollback: Rollback | None
    final_percent: float | None
    agreement: float | None
    seconds: float
    client_error_kinds: dict[str, int] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"ok": not self.failures}


def promotions(decisions: Sequence[Decision], started_ms: int) -> tuple[Step, ...]:
    """Return the decisions that raised the share, as steps. A step that was reached twice appears twice."""
    return tuple(
        Step(d.to_percent, round((d.at_ms - started_ms) / 1000, 2), d.reason)
        for d in decisions
        if d.to_percent > d.from_percent
    )


def lost_and_waiting(seen: DemoState, queued: int | None) -> tuple[int, int]:
    """Return the number of lost pairs, and the number of pairs in Redis that wait for their score.

    A pair is lost if extproc counted it as lost, or if it has no result although it does not wait. ``queued`` is the
    number of pairs that wait for a scorer, or None if Redis does not report it. With None, each pair without a result
    counts as waiting.
    """
    if seen.status is None:
        return 0, 0
    missing = unscored(seen)
    waiting = missing if queued is None else min(missing, queued)
    return sum(counted(seen.status, reason) for reason in LOST) + missing - waiting, waiting


def failures(
    fault: InjectedFault, last_step: float, clients: ClientStats, steps: Sequence[Step], rollback: Rollback | None
) -> list[str]:
    """Return one line for each failure of the demo, none if it succeeded.

    The demo fails if the ramp does not reach its last step, if the fault is not injected after that or causes no
    rollback, if client requests fail, or if none is answered. With the fault BODY, requests may fail after the fault is
    injected: once a client has the beginning of an answer, Envoy can no longer repeat the request.
    """
    problems = []
    if not any(step.percent >= last_step for step in steps):
        reached = max((step.percent for step in steps), default=0)
        problems.append(f"the ramp did not reach {last_step:g} %, only {reached:g} %")
    elif fault is not InjectedFault.NONE and clients.errors_before_fault is None:
        problems.append(f"the fault ({fault}) was not injected: the demo ended before")
    elif fault is not InjectedFault.NONE and rollback is None:
        problems.append(f"the fault ({fault}) did not cause a rollback")
    errors = clients.errors
    if fault is InjectedFault.BODY and clients.errors_before_fault is not None:
        errors = clients.errors_before_fault
    if errors:
        kinds = ", ".join(f"{kind} × {count}" for kind, count in clients.error_kinds.most_common(3))
        problems.append(f"{errors} of {clients.requests} client requests failed: {kinds}")
    if not clients.answered:
        problems.append("no client request was answered")
    return problems


def text(summary: DemoSummary) -> str:
    """Return the summary as lines of plain text."""
    lines = [
        "",
        f"Glidepath demo, workload {summary.workload!r}, {summary.seconds:.0f} s",
        f"  client requests   {summary.client_requests}, {summary.client_errors} failed",
        f"  pairs scored      {summary.pairs_scored}, lost {summary.pairs_lost}"
        + (f", still waiting {summary.pairs_waiting}" if summary.pairs_waiting else "")
        + (f", mean agreement of the last step {summary.agreement:.3f}" if summary.agreement is not None else ""),
        "  steps",
    ]
    lines += [f"    {step.at_s:6.1f} s  → {step.percent:3g} %  {step.reason}" for step in summary.steps]
    if summary.rollback is not None:
        back = summary.rollback
        lines.append(
            f"  rollback          {back.from_percent:g} % → {back.to_percent:g} % by {back.trigger}: {back.reason}"
        )
        lines.append(
            f"                    {back.fault_to_weights_s:.2f} s from the first bad answer to Envoy's new weights"
        )
    if summary.final_percent is not None:
        lines.append(f"  final share       {summary.final_percent:g} % on the candidate")
    lines += [f"  FAILED: {failure}" for failure in summary.failures] or ["  success: the demo ran as expected"]
    return "\n".join(lines)
