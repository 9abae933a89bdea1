"""Envoys whose outcomes do not arrive are blind. Envoy's own counters then show whether the candidate fails."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from scorer.steering.envoy.actuator import CountersReading
from scorer.steering.leader.outcome_watch import PAUSED_S, OutcomeWatch, contains_outcomes
from scorer.steering.leader.received_log_entries import entries_by_node
from scorer.steering.workload.missing_outcomes import BLIND_S, MISSING_ENVOY_S, MISSING_S
from tests.support.chat_config import CHAT_CONFIG

CONFIG = parse_config(CHAT_CONFIG + "\nenvoy: {admin: http://127.0.0.1:1}\n")
POLL_S = 0.25
FLUSH = Outcomes("chat", "x", 1, 0, 1, (SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=1),))


class Fleet:
    """Envoys that count, and an outcome watch that looks at them four times a second."""

    def __init__(self, *nodes: str, config: str = "") -> None:
        self.outcome_watch = OutcomeWatch(parse_config(config) if config else CONFIG)
        self.outcome_watch.serve(["chat"])
        self.nodes = nodes or ("",)
        self.values = [dict.fromkeys(_names(), 0) for _ in self.nodes]
        self.now_s = 100.0
        self.look()

    def look(self) -> None:
        readings = {
            f"envoy-{i}": CountersReading(dict(values), self.now_s, node)
            for i, (values, node) in enumerate(zip(self.values, self.nodes, strict=True))
        }
        self.outcome_watch.look(readings, self.now_s)

    def serve(self, seconds: float, *, failing: bool = False, envoy: int = 0, arrived: bool = False) -> None:
        """Let an Envoy complete 100 requests/s, half of them at the candidate, for ``seconds``."""
        for _ in range(round(seconds / POLL_S)):
            self.now_s += POLL_S
            values = self.values[envoy]
            for name in ("cluster.onprem-or-cloud.upstream_rq_completed", "cluster.onprem.upstream_rq_total"):
                values[name] += 12
            for name in ("cluster.cloud.upstream_rq_completed", "cluster.cloud.upstream_rq_total"):
                values[name] += 12
            values["cluster.onprem-or-cloud.retry.upstream_rq_5xx"] += 12 if failing else 0
            values["access_logs.grpc_access_log.logs_written"] += 24
            if arrived:
                self.outcome_watch.record_flushes([FLUSH])
            self.look()

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / POLL_S)):
            self.now_s += POLL_S
            self.look()


def _names() -> list[str]:
    found = ["access_logs.grpc_access_log.logs_written"]
    for cluster in ("onprem", "onprem-or-cloud", "cloud"):
        found += [f"cluster.{cluster}.{name}" for name in ("upstream_rq_total", "upstream_rq_completed")]
    return [*found, "cluster.onprem-or-cloud.retry.upstream_rq_5xx"]


def test_while_outcomes_arrive_only_the_ordinary_guards_decide() -> None:
    fleet = Fleet()
    fleet.serve(10, failing=True, arrived=True)
    report = fleet.outcome_watch.report("chat")
    assert not report.failure
    assert not report.blindness


def test_a_failing_candidate_is_detected_soon_after_outcomes_cease_to_arrive() -> None:
    fleet = Fleet()
    fleet.serve(5, arrived=True)
    fleet.serve(MISSING_S, failing=True)
    assert not fleet.outcome_watch.report("chat").failure
    fleet.serve(2 * POLL_S, failing=True)
    report = fleet.outcome_watch.report("chat")
    assert "at the candidate failed by Envoy's own counters, and no outcome arrives" in report.failure
    assert report.failures == report.requests
    assert not report.blindness, "three seconds are not over"


def test_after_an_hour_of_blindness_a_failing_candidate_is_detected_as_soon() -> None:
    fleet = Fleet()
    fleet.serve(3600)
    assert fleet.outcome_watch.report("chat").blindness.envoys == ("envoy-0",)
    fleet.serve(2 * POLL_S, failing=True)
    assert fleet.outcome_watch.report("chat").failure


def test_with_rare_flushes_an_envoy_is_blind_later() -> None:
    fleet = Fleet(config=CHAT_CONFIG + "\nextproc: {flush: 10s}\nenvoy: {admin: http://127.0.0.1:1}\n")
    fleet.serve(20)
    assert not fleet.outcome_watch.report("chat").blindness
    fleet.serve(2)
    assert fleet.outcome_watch.report("chat").blindness


def test_a_healthy_candidate_does_not_fail_during_blindness() -> None:
    fleet = Fleet()
    fleet.serve(BLIND_S + 1)
    blindness = fleet.outcome_watch.report("chat").blindness
    assert "no outcome of 1 of 1 Envoy (envoy-0) arrives" in blindness.describe()
    assert "no failing candidate" in blindness.counters_show


def test_an_idle_envoy_is_not_blind() -> None:
    fleet = Fleet()
    fleet.serve(1, arrived=True)
    fleet.wait(60)
    assert not fleet.outcome_watch.report("chat").blindness


def test_outcomes_that_arrive_again_end_blindness_and_the_evidence() -> None:
    fleet = Fleet()
    fleet.serve(BLIND_S + 1, failing=True)
    assert fleet.outcome_watch.report("chat").blindness
    fleet.serve(POLL_S, arrived=True)
    report = fleet.outcome_watch.report("chat")
    assert not report.blindness
    assert not report.failure


def test_a_process_that_was_paused_forgets_what_it_saw() -> None:
    fleet = Fleet()
    fleet.serve(2, failing=True)
    fleet.now_s += PAUSED_S
    fleet.serve(POLL_S)
    assert not fleet.outcome_watch.report("chat").failure


def test_the_evidence_against_a_candidate_ends_with_its_share() -> None:
    fleet = Fleet()
    fleet.serve(2, failing=True)
    assert fleet.outcome_watch.report("chat").failure
    fleet.outcome_watch.serve([])
    fleet.outcome_watch.serve(["chat"])
    assert not fleet.outcome_watch.report("chat").failure


def test_one_of_two_envoys_is_blind_although_outcomes_of_the_other_arrive() -> None:
    fleet = Fleet("north", "south")
    fleet.outcome_watch.record_entries({"north": 0, "south": 0})
    for second in range(8):
        fleet.serve(0.5, envoy=0)
        fleet.outcome_watch.record_entries({"north": 24 * second, "south": 0})
        fleet.serve(0.5, envoy=1, failing=True, arrived=True)
    report = fleet.outcome_watch.report("chat")
    assert report.blindness.envoys == ("envoy-1",)
    assert "no outcome of envoy-1 arrives" in report.failure
    assert MISSING_ENVOY_S < BLIND_S


def test_envoys_that_share_a_node_id_are_not_blind_while_entries_of_one_arrive() -> None:
    fleet = Fleet("envoy", "envoy")
    fleet.outcome_watch.record_entries({"envoy": 0})
    for second in range(1, 6):
        fleet.serve(1, envoy=second % 2)
        fleet.outcome_watch.record_entries({"envoy": second})
    fleet.look()
    fleet.serve(POLL_S)
    assert not fleet.outcome_watch.report("chat").blindness


def test_an_envoy_is_not_blind_while_entries_of_other_routes_arrive() -> None:
    fleet = Fleet("envoy")
    for second in range(10):
        fleet.outcome_watch.record_entries({"envoy": second})
        fleet.serve(1)
    assert not fleet.outcome_watch.report("chat").blindness


@pytest.mark.parametrize(("admin", "why"), [("", "envoy.admin names no Envoy"), ("http://a", "cannot be read")])
def test_without_counters_the_report_says_why_there_is_no_counter_guard(admin: str, why: str) -> None:
    text = CHAT_CONFIG + (f"\nenvoy: {{admin: {admin}}}\n" if admin else "")
    outcome_watch = OutcomeWatch(parse_config(text))
    outcome_watch.look({}, 1.0)
    assert why in outcome_watch.report("chat").blindness.no_counters
    assert not outcome_watch.report("chat").blindness


def test_why_redis_does_not_answer_is_part_of_the_reason() -> None:
    fleet = Fleet()
    fleet.outcome_watch.redis_answers("Redis: connection refused")
    fleet.serve(BLIND_S + 1)
    assert "(Redis: connection refused)" in fleet.outcome_watch.report("chat").blindness.reason


def test_a_flush_of_captures_only_contains_no_outcomes() -> None:
    assert contains_outcomes(FLUSH)
    assert not contains_outcomes(Outcomes("chat", "x", 1, 0, 1, coverage={"paired": 3}))


def test_the_entries_of_all_extprocs_are_added_by_node() -> None:
    raw = {b"a-1 north": b"3", b"b-2 north": b"4", b"a-1 ": b"5", b"a-1 south pole": b"6", b"bad": b"x"}
    assert entries_by_node(raw) == {"north": 7, "": 5, "south pole": 6}
