"""The steer loop's metrics for Prometheus. They use base units, and no label identifies a user or a session."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from glidepath.pairs_and_outcomes import Outcome
from glidepath.status_and_decisions import Decision
from scorer.steering.workload.workload_state import WorkloadState

_OUTCOME_VALUE = {Outcome.PASS.value: 1.0, Outcome.INCONCLUSIVE.value: 0.0, Outcome.FAIL.value: -1.0}
_TICK_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class SteerMetrics:
    """The metrics of the steer loop. A scorer that does not steer shows only ``glidepath_scorer_leader 0``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, help_text: str, *labels: str) -> Gauge:
            return Gauge(name, help_text, labels, registry=registry)

        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(name, help_text, labels, registry=registry)

        self.leader = gauge("glidepath_scorer_leader", "1 while this scorer steers, else 0")
        self.not_steered = gauge(
            "glidepath_workloads_not_steered", "Workloads in this scorer's configuration that its group does not steer"
        )
        self.percent = gauge(
            "glidepath_workload_percent",
            "Desired share of the candidate in percent; NaN while the actual share is unknown",
            "workload",
        )
        self.confirmed = gauge("glidepath_envoys_confirmed", "Envoys that run the desired weights", "workload")
        self.envoys = gauge("glidepath_envoys", "Envoys that the steer loop has found", "workload")
        self.leased = gauge(
            "glidepath_envoys_leased",
            "Envoys in which the lease of the split is in force (if_lost: baseline)",
            "workload",
        )
        self.verdict = gauge(
            "glidepath_gate_verdict", "Verdict of a gate: 1 pass, 0 inconclusive, -1 fail", "workload", "gate"
        )
        self.evidence = gauge(
            "glidepath_gate_evidence_ratio",
            "Evidence of a gate, as a fraction of the evidence that it needs for a verdict",
            "workload",
            "gate",
        )
        self.errors = counter("glidepath_steer_errors_total", "Ticks that failed with an internal error", "workload")
        self.bad = gauge("glidepath_bad_records", "Stream entries that could not be decoded", "workload")
        self.left_out = gauge(
            "glidepath_left_out",
            "Requests and pairs that do not count, because they are from before the present step",
            "workload",
        )
        self.local_replies = gauge(
            "glidepath_local_replies",
            "Clients' requests that Envoy itself answered since the beginning, by whose fault it is and by kind",
            "workload",
            "at_fault",
            "kind",
        )
        self.other_configuration = gauge(
            "glidepath_other_configuration",
            "Requests and pairs that an Envoy served by another configuration than the scorer's, since the beginning",
            "workload",
        )
        self.blind = gauge(
            "glidepath_blind",
            "1 while an Envoy serves the candidate's share and its outcomes do not arrive",
            "workload",
        )
        self.retreats = counter(
            "glidepath_retreats_told_total",
            "Rollbacks by the second witness that the Envoys were told before they were stored",
            "workload",
        )
        self.skew = gauge(
            "glidepath_clock_skew_seconds",
            "Offset of the clock that differs most from Redis' clock; positive if that clock is ahead",
            "workload",
        )
        self.clock_jumps = counter("glidepath_clock_jumps_total", "Clocks that were set by more than a second")
        self.decisions = counter("glidepath_decisions_total", "Decisions written to the log", "workload", "event")
        self.tick = Histogram(
            "glidepath_steer_tick_seconds", "Duration of one tick", buckets=_TICK_BUCKETS_S, registry=registry
        )
        self.waiting = gauge("glidepath_log_file_waiting", "Decisions waiting to be written to scorer.log_file")
        self.dropped = counter("glidepath_notifications_dropped_total", "Notifications that were not delivered", "kind")

    def show(self, state: WorkloadState) -> None:
        """Set the gauges of one workload to the values in its state."""
        name = state.name
        self.percent.labels(name).set(math.nan if state.ramp.share_unknown else state.ramp.serving)
        self.confirmed.labels(name).set(len(state.fleet.observation.confirmed))
        self.envoys.labels(name).set(state.fleet.envoys)
        if state.inputs.lost_after_ms:
            self.leased.labels(name).set(state.inputs.leases_held)
        self.bad.labels(name).set(state.totals.bad_records)
        self.left_out.labels(name).set(state.totals.left_out)
        self.other_configuration.labels(name).set(state.totals.other_configuration)
        self.skew.labels(name).set(state.skew[1] / 1000)
        for reply, count in state.totals.local_replies.items():
            self.local_replies.labels(name, *reply.split(" ", 1)).set(count)
        for verdict in state.judged.verdicts:
            self.verdict.labels(name, verdict.gate).set(_OUTCOME_VALUE.get(verdict.outcome, 0.0))
            self.evidence.labels(name, verdict.gate).set(verdict.evidence)

    def count(self, decision: Decision) -> None:
        self.decisions.labels(decision.workload, decision.event).inc()
