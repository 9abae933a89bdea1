"""The steer loop's metrics for Prometheus. They use base units, and no label identifies a user or a session."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from glidepath.status_and_decisions import Decision
from scorer.steering.leader.workload_metrics import WorkloadMetrics
from scorer.steering.notify.channels import opens_incident
from scorer.steering.ramp.transition_table import RampEvent
from scorer.steering.workload.workload_state import WorkloadState

_TICK_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class SteerMetrics:
    """The metrics of the steer loop. A scorer that does not steer shows only ``glidepath_scorer_leader 0``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, help_text: str, *labels: str) -> Gauge:
            return Gauge(name, help_text, labels, registry=registry)

        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(name, help_text, labels, registry=registry)

        self._workloads, self._begun = WorkloadMetrics(), set[str]()
        registry.register(self._workloads)
        self.leader = gauge("glidepath_scorer_leader", "1 while this scorer steers, else 0")
        self.not_steered = gauge(
            "glidepath_workloads_not_steered", "Workloads in this scorer's configuration that its group does not steer"
        )
        self.errors = counter("glidepath_steer_errors_total", "Ticks that failed with an internal error", "workload")
        self.blind = gauge(
            "glidepath_blind",
            "1 while an Envoy serves the candidate's share and its outcomes do not arrive",
            "workload",
        )
        self.retreats = counter(
            "glidepath_retreats_total",
            "Rollbacks by the counter guard that were sent to the Envoys before they were stored",
            "workload",
        )
        self.clock_jumps = counter("glidepath_clock_jumps_total", "Clocks that were set by more than a second")
        self.decisions = counter("glidepath_decisions_total", "Decisions written to the log", "workload", "event")
        self.incidents = counter(
            "glidepath_incidents_total", "Decisions that open an incident: rollbacks by a gate, aborts", "workload"
        )
        self.tick = Histogram(
            "glidepath_steer_tick_seconds", "Duration of one tick", buckets=_TICK_BUCKETS_S, registry=registry
        )
        self.waiting = gauge("glidepath_log_file_waiting", "Decisions waiting to be written to scorer.log_file")
        self.dropped = counter("glidepath_notifications_dropped_total", "Notifications that were not delivered", "kind")

    def show(self, state: WorkloadState, status: str | None) -> None:
        """Show the status (JSON) that a tick has stored. If ``status`` is None, the shown status stays."""
        if state.name not in self._begun:
            self._begin_counters(state.name)
        if status is not None:
            self._workloads.show(state, status)

    def _begin_counters(self, workload: str) -> None:
        """Set the workload's counters to 0: Prometheus' ``increase`` misses the first event of a new counter."""
        self._begun.add(workload)
        for counter in (self.errors, self.retreats, self.incidents):
            counter.labels(workload)
        for event in RampEvent:
            self.decisions.labels(workload, event.value)

    def drop(self, workload: str) -> None:
        """Remove the workload's metrics, because another group of scorers steers it."""
        self._workloads.drop(workload)

    def end_term(self) -> None:
        """Stop showing workloads, because this scorer no longer steers."""
        self.leader.set(0)
        self._workloads.forget()

    def stand_by(self) -> None:
        """Remove the metric of blindness, because another scorer leads. (``end_term`` keeps this metric.)"""
        self.blind.clear()

    def count(self, decision: Decision) -> None:
        self.decisions.labels(decision.workload, decision.event).inc()
        if opens_incident(decision):
            self.incidents.labels(decision.workload).inc()
