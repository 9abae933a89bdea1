"""The leading scorer's metrics about its workloads, computed at each scrape from their latest status.

A tick only hands over a reference to the status that it has stored anyway, so the metrics cost the tick nothing. The
page is computed in a thread (glidepath/health.py), so a scrape of many workloads delays no tick. See ADR 0380.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.registry import Collector

from glidepath.metric_families import Family, FamilyTable
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import (
    GateAction,
    GateOutcome,
    Phase,
    SideStatus,
    Verdict,
    WorkloadStatus,
    from_json,
)
from scorer.steering.leader.workload_metric_table import DEFINITIONS
from scorer.steering.workload.lifetime_counts import Totals
from scorer.steering.workload.workload_state import WorkloadState

MOST_WORKLOADS = 200
_OUTCOME_VALUE = {GateOutcome.PASS.value: 1.0, GateOutcome.INCONCLUSIVE.value: 0.0, GateOutcome.FAIL.value: -1.0}
_ROLLED_BACK = (Phase.ROLLING_BACK.value, Phase.COOLING_DOWN.value, Phase.ABORTED.value)


@dataclass(frozen=True, slots=True)
class Shown:
    """The data that a tick stored: the status as JSON, the totals, and by how many milliseconds a clock is ahead."""

    status: str
    totals: Totals
    skew_ms: float


class WorkloadMetrics(Collector):
    """Shows the workloads of this scorer's term. ``show`` and ``forget`` are called by the steer loop."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}

    def show(self, state: WorkloadState, status: str) -> None:
        """Replace the shown data of a workload. ``status``: the WorkloadStatus as JSON."""
        self._shown[state.name] = Shown(status, state.totals, state.skew[1])

    def forget(self) -> None:
        """Stop showing workloads, because another scorer leads."""
        self._shown = {}

    def drop(self, name: str) -> None:
        self._shown.pop(name, None)

    def collect(self) -> Iterator[Family]:
        table, shown = FamilyTable(DEFINITIONS), dict(self._shown)
        for name in sorted(shown)[:MOST_WORKLOADS]:
            one = shown[name]
            add_workload(table, from_json(WorkloadStatus, one.status), one.totals, one.skew_ms)
        if shown:
            table.add("glidepath_workloads_not_shown", (), max(len(shown) - MOST_WORKLOADS, 0))
        yield from table


def add_workload(table: FamilyTable, status: WorkloadStatus, totals: Totals, skew_ms: float) -> None:
    """Add the samples of one workload to ``table``."""
    _add_ramp(table, status)
    _add_fleet(table, status)
    for verdict in status.verdicts:
        _add_gate(table, status.workload, verdict)
    _add_answers(table, status)
    _add_requests(table, status)
    for name, value in (
        ("bad_records", totals.bad_records),
        ("left_out", totals.left_out),
        ("other_configuration", totals.other_configuration),
        ("clock_skew_seconds", skew_ms / 1000),
    ):
        table.add(f"glidepath_{name}", (status.workload,), value)


def _add_ramp(table: FamilyTable, status: WorkloadStatus) -> None:
    name, percent = status.workload, status.percent if status.share_known else math.nan
    for phase in Phase:
        table.add("glidepath_phase", (name, phase.value), phase.value == status.phase)
    for metric, value in (
        ("autopilot", float(status.autopilot)),
        ("rolled_back", float(status.phase in _ROLLED_BACK)),
        ("step_index", status.step),
        ("step_start_timestamp_seconds", status.since_ms / 1000),
        ("status_timestamp_seconds", status.updated_at_ms / 1000),
        ("workload_percent", percent),
        ("share_asked_ratio", percent / 100),
        ("share_seen_ratio", share_seen(status)),
        ("movable_share_ratio", status.movable_share),
    ):
        table.add(f"glidepath_{metric}", (name,), value)


def share_seen(status: WorkloadStatus) -> float | None:
    """Return the candidate's measured share of clients' requests in this step; None if only one side has requests."""
    requests = status.baseline.requests + status.candidate.requests
    if status.candidate_counts_copies or status.baseline_counts_copies or not requests:
        return None
    return status.candidate.requests / requests


def _add_fleet(table: FamilyTable, status: WorkloadStatus) -> None:
    name = status.workload
    table.add("glidepath_envoys", (name,), status.envoys)
    table.add("glidepath_envoys_confirmed", (name,), status.confirmed)
    if status.lost_after_s is not None:
        table.add("glidepath_envoys_leased", (name,), status.leases_held)
    for refusal in status.refusals:
        table.add("glidepath_side_refuses", (name, refusal.side, refusal.cause), 1)


def _add_gate(table: FamilyTable, workload: str, verdict: Verdict) -> None:
    gate = (workload, verdict.gate)
    for metric, value in (
        ("verdict", _OUTCOME_VALUE.get(verdict.outcome, 0.0)),
        ("samples", verdict.n),
        ("missing_samples", verdict.missing),
        ("evidence_ratio", verdict.evidence),
        ("evidence_to_pass_ratio", verdict.evidence_to_pass),
        ("evidence_to_fail_ratio", verdict.evidence_to_fail),
    ):
        table.add(f"glidepath_gate_{metric}", gate, value)
    for metric, bound in (
        ("value", verdict.value),
        ("limit", verdict.limit),
        ("low", verdict.low),
        ("high", verdict.high),
    ):
        table.add(f"glidepath_gate_{metric}", (*gate, verdict.unit), bound)
    for action in GateAction:
        table.add("glidepath_gate_effect", (*gate, action.value), action.value == verdict.action)


def _add_answers(table: FamilyTable, status: WorkloadStatus) -> None:
    name = status.workload
    table.add("glidepath_agreement_ratio", (name,), status.agreement)
    table.add("glidepath_noise_agreement_ratio", (name,), status.noise)
    for key, pairs in status.instruments.items():
        instrument, _, outcome = key.partition(" ")
        table.add("glidepath_instrument_pairs_total", (name, instrument, outcome), pairs)
    for match, number in status.feedback.items():
        table.add("glidepath_feedback_total", (name, match), number)


def _add_requests(table: FamilyTable, status: WorkloadStatus) -> None:
    name = status.workload
    _add_side(table, status.baseline, (name, Side.BASELINE.value, _origin(copies=status.baseline_counts_copies)))
    _add_side(table, status.candidate, (name, Side.CANDIDATE.value, _origin(copies=status.candidate_counts_copies)))
    for side in Side:
        table.add(
            "glidepath_live_requests_total", (name, side.value), status.live_answers.get(f"{side.value} requests", 0)
        )
    for reply, number in status.local_replies.items():
        at_fault, _, kind = reply.partition(" ")
        table.add("glidepath_local_replies", (name, at_fault, kind), number)


def _origin(*, copies: bool) -> str:
    return Origin.SHADOW.value if copies else Origin.LIVE.value


def _add_side(table: FamilyTable, side: SideStatus, labels: tuple[str, str, str]) -> None:
    table.add("glidepath_step_requests", labels, side.requests)
    table.add("glidepath_step_errors", labels, side.errors)
    for quantile, value in (("0.5", side.p50_ms), ("0.95", side.p95_ms), ("0.99", side.p99_ms)):
        table.add("glidepath_step_latency_seconds", (*labels, quantile), _seconds(value))
    table.add("glidepath_step_first_byte_seconds", (*labels, "0.5"), _seconds(side.ttft_p50_ms))


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000
