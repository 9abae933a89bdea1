"""What the steer loop shows to Prometheus. Base units, no user or session labels."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from glidepath.domain import Outcome
from glidepath.records import Decision
from scorer.steering.workload.workload import Track

_OUTCOME_VALUE = {Outcome.PASS.value: 1.0, Outcome.INCONCLUSIVE.value: 0.0, Outcome.FAIL.value: -1.0}


class SteerMetrics:
    """Gauges of the leader; a scorer that does not steer shows only ``glidepath_scorer_leader 0``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        workload, gate = ["workload"], ["workload", "gate"]
        self.not_steered = Gauge(
            "glidepath_workloads_not_steered", "Workloads of the file that its group does not steer", registry=registry
        )
        self.leader = Gauge("glidepath_scorer_leader", "1 while this scorer steers", registry=registry)
        self.percent = Gauge("glidepath_workload_percent", "Desired share; NaN: not known", workload, registry=registry)
        self.confirmed = Gauge("glidepath_envoys_confirmed", "Envoys with these weights", workload, registry=registry)
        self.envoys = Gauge("glidepath_envoys", "Envoys known", workload, registry=registry)
        self.verdict = Gauge("glidepath_gate_verdict", "1 pass, 0 inconclusive, -1 fail", gate, registry=registry)
        self.evidence = Gauge("glidepath_gate_evidence_ratio", "Evidence; 1 decides", gate, registry=registry)
        self.errors = Counter(
            "glidepath_steer_errors_total", "Ticks of a workload that failed", workload, registry=registry
        )
        self.bad = Gauge("glidepath_bad_records", "Entries that are no records", workload, registry=registry)
        self.left_out = Gauge(
            "glidepath_left_out",
            "Requests and pairs of before a step, seen after it began",
            workload,
            registry=registry,
        )
        self.skew = Gauge(
            "glidepath_clock_skew_seconds",
            "The clock farthest from Redis'; positive: ahead",
            workload,
            registry=registry,
        )
        self.decisions = Counter(
            "glidepath_decisions_total", "Decisions logged", ["workload", "event"], registry=registry
        )
        buckets = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
        self.tick = Histogram("glidepath_steer_tick_seconds", "One tick", buckets=buckets, registry=registry)
        self.waiting = Gauge("glidepath_log_file_waiting", "Decisions that wait for scorer.log_file", registry=registry)
        self.dropped = Counter("glidepath_notifications_dropped_total", "Not delivered", ["kind"], registry=registry)

    def show(self, track: Track) -> None:
        name = track.name
        self.percent.labels(name).set(math.nan if track.state.share_unknown else track.state.serving)
        self.confirmed.labels(name).set(len(track.observation.confirmed))
        self.envoys.labels(name).set(track.envoys)
        self.bad.labels(name).set(track.totals.bad_records)
        self.left_out.labels(name).set(track.totals.left_out)
        self.skew.labels(name).set(track.skew[1] / 1000)
        for verdict in track.verdicts:
            self.verdict.labels(name, verdict.gate).set(_OUTCOME_VALUE.get(verdict.outcome, 0.0))
            self.evidence.labels(name, verdict.gate).set(verdict.evidence)

    def count(self, decision: Decision) -> None:
        self.decisions.labels(decision.workload, decision.event).inc()
