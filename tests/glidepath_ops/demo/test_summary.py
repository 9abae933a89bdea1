from __future__ import annotations

import json
from dataclasses import replace

from glidepath.status_and_decisions import Decision, WorkloadStatus
from glidepath_ops.demo.client_load import ClientStats
from glidepath_ops.demo.demo_state import DemoState
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.summary import DemoSummary, Rollback, Step, failures, lost_and_waiting, promotions, text

STEPS = (Step(50, 3.0, "all gates pass"), Step(100, 6.5, "all gates pass"))
BACK = Rollback("errors_fast", 100, 0, 0.4, "9 of 9 failed")


def decision(event: str, before: float, after: float, at_ms: int) -> Decision:
    return Decision(at_ms, "chat", event, before, after, "baking", "why", trigger="errors_fast")


def status(paired: int, scored: int, lost: int = 0) -> WorkloadStatus:
    return WorkloadStatus(
        workload="chat",
        phase="baking",
        percent=100,
        step=0,
        steps=(100,),
        since_ms=0,
        updated_at_ms=0,
        pairs_scored=scored,
        pairs_unscored={"refused": 2},
        coverage={"paired": paired, "lost_buffer": lost, "sampled_out": 7},
    )


def test_steps_are_the_logs_promotions_with_seconds_from_the_start() -> None:
    log = [decision("promote", 0, 50, 3000), decision("hold", 50, 50, 4000), decision("rollback", 50, 0, 5000)]
    assert promotions(log, 1000) == (Step(50, 2.0, "why"),)


def test_lost_pairs_are_those_counted_as_lost_or_missing_without_a_result() -> None:
    assert lost_and_waiting(DemoState(status(paired=10, scored=8)), 0) == (0, 0)
    assert lost_and_waiting(DemoState(status(paired=10, scored=5, lost=4)), 0) == (7, 0)
    assert lost_and_waiting(DemoState(), 0) == (0, 0)


def test_pairs_that_wait_in_redis_are_not_lost() -> None:
    assert lost_and_waiting(DemoState(status(paired=10, scored=5, lost=4)), 2) == (5, 2)
    assert lost_and_waiting(DemoState(status(paired=10, scored=5)), 900) == (0, 3)
    assert lost_and_waiting(DemoState(status(paired=10, scored=5)), None) == (0, 3)


def test_a_result_of_the_noise_floor_does_not_hide_a_lost_pair() -> None:
    seen = status(paired=10, scored=8)
    with_noise = replace(seen, coverage={**seen.coverage, "noise_paired": 3, "noise_lost_shutdown": 1})
    assert lost_and_waiting(DemoState(with_noise), 0) == (4, 0)


def clients(errors: int = 0) -> ClientStats:
    stats = ClientStats(requests=10, answered=10, errors=errors, errors_before_fault=0)
    stats.error_kinds["status 503"] = errors
    return stats


def test_promotion_and_rollback_without_client_errors_is_a_success() -> None:
    assert failures(InjectedFault.ERRORS, 100, clients(), STEPS, BACK) == []
    assert failures(InjectedFault.NONE, 100, clients(), STEPS, None) == []


def test_every_failure_is_named() -> None:
    assert failures(InjectedFault.ERRORS, 100, clients(2), STEPS, None) == [
        "the fault (errors) did not cause a rollback",
        "2 of 10 client requests failed: status 503 × 2",
    ]
    assert failures(InjectedFault.NONE, 100, ClientStats(), STEPS, None) == ["no client request was answered"]


def test_a_fault_that_was_not_injected_is_not_blamed() -> None:
    without = replace(clients(), errors_before_fault=None)
    problem = "the ramp did not reach 100 %, only 50 %"
    assert failures(InjectedFault.ERRORS, 100, without, STEPS[:1], None) == [problem]
    problem = "the fault (body) was not injected: the demo ended before"
    assert failures(InjectedFault.BODY, 100, without, STEPS, None) == [problem]
    assert failures(InjectedFault.NONE, 100, without, STEPS, None) == []


def test_with_a_fault_in_bodies_only_errors_before_the_fault_are_failures() -> None:
    seen = clients(5)
    assert failures(InjectedFault.BODY, 100, seen, STEPS, BACK) == []
    assert failures(InjectedFault.ERRORS, 100, seen, STEPS, BACK) != []
    before = replace(seen, errors_before_fault=2)
    assert failures(InjectedFault.BODY, 100, before, STEPS, BACK) == ["2 of 10 client requests failed: status 503 × 5"]
    assert failures(InjectedFault.BODY, 100, seen, STEPS, None) == ["the fault (body) did not cause a rollback"]


def summary(problems: tuple[str, ...] = ()) -> DemoSummary:
    return DemoSummary("chat", "errors", 812, 1000, 0, 0, 0, STEPS, BACK, 0.0, 0.93, 41.2, {}, problems)


def test_the_json_has_the_fields_that_scripts_need() -> None:
    data = json.loads(json.dumps(summary().to_json()))
    wanted = {
        "workload",
        "pairs_scored",
        "client_requests",
        "client_errors",
        "pairs_lost",
        "pairs_waiting",
        "steps",
        "rollback",
    }
    assert wanted | {"final_percent"} <= set(data)
    assert data["steps"][1] == {"percent": 100, "at_s": 6.5, "reason": "all gates pass"}
    assert {"trigger", "from_percent", "to_percent", "fault_to_weights_s"} <= set(data["rollback"])
    assert data["ok"] is True


def test_the_text_shows_success_and_failure() -> None:
    assert "0.40 s from the first bad answer" in text(summary())
    assert "success: the demo ran as expected" in text(summary())
    assert "FAILED: because" in text(summary(("because",)))
