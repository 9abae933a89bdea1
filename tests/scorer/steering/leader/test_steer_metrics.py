"""The metrics that the leader exports for its workloads, and those that it removes."""

from __future__ import annotations

import math
from dataclasses import replace

from prometheus_client import CollectorRegistry

from glidepath.config import parse_config
from glidepath.status_and_decisions import (
    Decision,
    Phase,
    SideRefusal,
    SideStatus,
    Verdict,
    WorkloadStatus,
    to_json,
)
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.workload_metrics import MOST_WORKLOADS, share_seen
from tests.support.steered_workload import SteeredWorkload

DEFECTS = Verdict(
    "defects",
    "fail",
    0.12,
    0.05,
    "share",
    400,
    1.2,
    action="hold",
    missing=None,
    evidence_to_pass=0.0,
    evidence_to_fail=1.2,
    low=0.08,
    high=0.17,
)
STATUS = WorkloadStatus(
    workload="chat",
    phase=Phase.BAKING.value,
    percent=25.0,
    step=2,
    steps=(5.0, 10.0, 25.0),
    since_ms=60_000,
    updated_at_ms=90_000,
    confirmed=2,
    envoys=3,
    verdicts=(DEFECTS,),
    baseline=SideStatus(requests=600, errors=3, p50_ms=800.0, p95_ms=2000.0, ttft_p50_ms=120.0),
    candidate=SideStatus(requests=200, errors=1, p50_ms=400.0),
    agreement=0.91,
    instruments={"evaluator judged": 7, "verifier timeout": 2},
    feedback={"candidate": 3},
    live_answers={"baseline requests": 900, "candidate requests": 210},
    local_replies={"client rate_limited": 4},
    refusals=(SideRefusal("candidate", "path_not_found", "", ""),),
)


class Page:
    """The metrics page of a scorer that leads the workload ``chat``."""

    def __init__(self, valid_yaml: str) -> None:
        self.registry, self.chat = CollectorRegistry(), SteeredWorkload(parse_config(valid_yaml))
        self.metrics = SteerMetrics(self.registry)

    def show(self, status: WorkloadStatus) -> None:
        state = replace(self.chat.state, spec=replace(self.chat.state.spec, name=status.workload))
        self.metrics.show(state, to_json(status))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"glidepath_{name}", {"workload": "chat", **labels})


def test_what_a_tick_stores_is_shown(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    done = page.chat.tick(2000)
    page.metrics.show(done.state, done.record.status)
    assert page.value("workload_percent") == 0
    assert page.value("gate_verdict", gate="sameness") == 0
    assert page.value("phase", phase="shadow") == 1
    assert page.value("phase", phase="baking") == 0


def test_a_tick_that_stores_no_status_leaves_the_page_as_it_is(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    page.metrics.show(page.chat.state, None)
    assert page.value("agreement_ratio") == 0.91


def test_the_share_is_shown_as_asked_and_as_seen(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    assert page.value("share_asked_ratio") == 0.25
    assert page.value("share_seen_ratio") == 0.25
    page.show(replace(STATUS, share_known=False))
    assert math.isnan(page.value("share_asked_ratio") or 0)


def test_no_share_is_seen_while_copies_are_counted_for_a_side() -> None:
    assert share_seen(replace(STATUS, percent=0.0)) is None
    assert share_seen(replace(STATUS, percent=100.0)) is None
    assert share_seen(replace(STATUS, baseline=SideStatus(), candidate=SideStatus())) is None


def test_a_gate_is_shown_with_its_estimate_bounds_and_evidence(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    shown = {
        name: page.value(f"gate_{name}", gate="defects", unit="share") for name in ("value", "limit", "low", "high")
    }
    assert shown == {"value": 0.12, "limit": 0.05, "low": 0.08, "high": 0.17}
    assert page.value("gate_verdict", gate="defects") == -1
    assert page.value("gate_evidence_to_fail_ratio", gate="defects") == 1.2
    assert page.value("gate_missing_samples", gate="defects") is None
    assert page.value("gate_effect", gate="defects", action="hold") == 1
    assert page.value("gate_effect", gate="defects", action="rollback") == 0


def test_times_are_in_seconds(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    baseline = {"side": "baseline", "origin": "live"}
    assert page.value("step_latency_seconds", quantile="0.95", **baseline) == 2.0
    assert page.value("step_first_byte_seconds", quantile="0.5", **baseline) == 0.12
    assert page.value("step_latency_seconds", quantile="0.99", **baseline) is None
    assert page.value("step_start_timestamp_seconds") == 60


def test_at_0_percent_the_candidates_counts_are_those_of_copies(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(replace(STATUS, percent=0.0, phase=Phase.SHADOW.value))
    assert page.value("step_requests", side="candidate", origin="shadow") == 200
    assert page.value("step_requests", side="candidate", origin="live") is None


def test_instruments_feedback_replies_and_refusals_are_shown(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    assert page.value("instrument_pairs_total", instrument="evaluator", outcome="judged") == 7
    assert page.value("feedback_total", match="candidate") == 3
    assert page.value("local_replies", at_fault="client", kind="rate_limited") == 4
    assert page.value("live_requests_total", side="candidate") == 210
    assert page.value("side_refuses", side="candidate", cause="path_not_found") == 1


def test_a_rollback_is_shown_by_its_phase(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    assert page.value("rolled_back") == 0
    page.show(replace(STATUS, phase=Phase.COOLING_DOWN.value))
    assert page.value("rolled_back") == 1


def test_a_scorer_that_does_not_lead_shows_no_workload(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    page.metrics.blind.labels("chat").set(1)
    page.metrics.end_term()
    assert page.value("share_asked_ratio") is None
    assert page.value("blind") == 1  # it still sees that; see RetreatWatch
    page.metrics.stand_by()
    assert page.value("blind") is None
    assert page.registry.get_sample_value("glidepath_scorer_leader") == 0


def test_a_workload_of_another_group_is_shown_no_longer(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    page.metrics.drop("chat")
    assert page.value("share_asked_ratio") is None


def test_the_number_of_workloads_on_a_page_is_bounded(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    for number in range(MOST_WORKLOADS + 3):
        page.show(replace(STATUS, workload=f"w{number:04}", verdicts=()))
    shown = [s for f in page.registry.collect() if f.name == "glidepath_autopilot" for s in f.samples]
    assert len(shown) == MOST_WORKLOADS
    assert page.registry.get_sample_value("glidepath_workloads_not_shown") == 3


def test_only_decisions_that_open_an_incident_are_counted_as_incidents(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    decision = Decision(1, "chat", "rollback", 25, 5, "rolling_back", "", trigger="errors_fast")
    for one in (decision, replace(decision, trigger="command:rollback"), replace(decision, event="promote")):
        page.metrics.count(one)
    assert page.value("incidents_total") == 1
    assert page.value("decisions_total", event="rollback") == 2


def test_counters_begin_at_0_so_that_prometheus_sees_the_first_event(valid_yaml: str) -> None:
    page = Page(valid_yaml)
    page.show(STATUS)
    for event in ("promote", "rollback", "abort"):
        assert page.value("decisions_total", event=event) == 0
    for name in ("incidents", "steer_errors", "retreats"):
        assert page.value(f"{name}_total") == 0
