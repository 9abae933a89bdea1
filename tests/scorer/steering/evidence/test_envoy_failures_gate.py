"""Tests of the guard on requests that Envoy itself answered with an error: for which side they count, and rollbacks."""

from __future__ import annotations

import pytest

from glidepath.config import Workload
from glidepath.outcome_summaries import AtFault, LocalReplies, Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from tests.support.evidence_builders import by_gate, workload_of

STEP_MS = 100_000
PLAIN = "    gates: {errors: null, sameness: null, latency: []}\n"


def counted(
    at_ms: int, candidate: int, baseline: int, *failed: tuple[Side | None, int], fault: AtFault = AtFault.ENVOY
) -> Outcomes:
    """Return a flush with these numbers of good requests, and of requests that Envoy answered."""
    sides = tuple(
        SideOutcomes(side, Origin.LIVE, requests=n)
        for side, n in ((Side.CANDIDATE, candidate), (Side.BASELINE, baseline))
        if n
    )
    replies = tuple(LocalReplies(side, Origin.LIVE, fault, {"overload": n}) for side, n in failed if n)
    return Outcomes("chat", "x", at_ms, at_ms - 50, at_ms, sides, local_replies=replies)


def verdict(evidence: Evidence) -> Verdict:
    return by_gate(evidence)["envoy_failures"]


def in_shadow(failed: int = 0) -> Evidence:
    """Return the evidence of a step at 0 % with 1,000 requests in 100 s, of which Envoy failed ``failed`` %."""
    evidence = Evidence.fresh(workload(), 0, 0)
    for tenth in range(1, 101):
        bad = failed * 10 // 100
        evidence = evidence.fold_outcomes(counted(tenth * 1000 - 1, 0, 10 - bad, (Side.BASELINE, bad)))
    return evidence


def workload() -> Workload:
    return workload_of(PLAIN)


def step(before: Evidence, percent: float = 50) -> Evidence:
    return Evidence.fresh(workload(), percent, STEP_MS, before)


def test_failures_that_come_with_the_step_fail_the_guard_although_both_sides_get_them() -> None:
    evidence, bad = step(in_shadow()), 0
    while verdict(evidence).outcome != "fail":
        bad += 1
        at_ms = STEP_MS + 100 + bad * 100
        evidence = evidence.fold_outcomes(counted(at_ms, 1, 1, (Side.CANDIDATE, 1), (Side.BASELINE, 1)))
    assert bad <= 10
    found = verdict(evidence)
    assert found.fast
    assert found.gating
    assert found.message.startswith(f"Envoy itself failed {2 * bad} of the step's first {4 * bad} requests, 0 of 1000")


@pytest.mark.parametrize("percent", [1, 50, 100])
@pytest.mark.parametrize("rate", [10, 50, 100])
def test_failures_that_were_there_before_the_step_are_not_the_steps(percent: float, rate: int) -> None:
    evidence = step(in_shadow(rate), percent)
    for tick in range(200):
        bad = rate // 10
        own = round((10 - bad) * percent / 100)
        failed = ((Side.CANDIDATE, round(bad * percent / 100)), (Side.BASELINE, bad - round(bad * percent / 100)))
        evidence = evidence.fold_outcomes(counted(STEP_MS + 100 + tick * 100, own, 10 - bad - own, *failed))
        assert verdict(evidence).outcome != "fail"
    assert verdict(evidence).blocks_step == (rate >= 50)


def test_failures_that_begin_late_in_a_step_and_hit_both_sides_alike_have_another_cause() -> None:
    evidence = step(in_shadow())
    for tick in range(700):
        evidence = evidence.fold_outcomes(counted(STEP_MS + 100 + tick * 100, 5, 5))
    for tick in range(700, 900):
        failed = ((Side.CANDIDATE, 3), (Side.BASELINE, 3), (None, 2))
        evidence = evidence.fold_outcomes(counted(STEP_MS + 100 + tick * 100, 1, 1, *failed))
        assert verdict(evidence).outcome != "fail"
    assert verdict(evidence).blocks_step


def test_failures_of_the_candidates_requests_alone_fail_the_guard_at_any_time() -> None:
    evidence, bad = step(in_shadow()), 0
    for tick in range(700):
        evidence = evidence.fold_outcomes(counted(STEP_MS + 100 + tick * 100, 5, 5))
    while verdict(evidence).outcome != "fail":
        bad += 1
        evidence = evidence.fold_outcomes(counted(STEP_MS + 70_200 + bad * 100, 0, 1, (Side.CANDIDATE, 1)))
    assert bad <= 40
    assert "of the candidate's" in verdict(evidence).message


@pytest.mark.parametrize("fault", [AtFault.CLIENT, AtFault.NONE])
def test_refused_clients_and_answers_from_a_cache_are_no_failures(fault: AtFault) -> None:
    evidence = step(in_shadow())
    for tick in range(100):
        at_ms = STEP_MS + 100 + tick * 100
        evidence = evidence.fold_outcomes(counted(at_ms, 1, 1, (Side.CANDIDATE, 50), fault=fault))
    assert (verdict(evidence).outcome, verdict(evidence).value) == ("pass", 0.0)


def test_the_guard_is_not_there_while_the_candidate_gets_no_request_of_a_client() -> None:
    assert "envoy_failures" not in by_gate(in_shadow())


def test_the_stored_evidence_continues_with_the_failures_before_the_step() -> None:
    evidence = step(in_shadow())
    for tick in range(3):
        evidence = evidence.fold_outcomes(counted(STEP_MS + 100 + tick * 100, 1, 1, (None, 1)))
    again = Evidence.from_json(workload(), evidence.to_json())
    for tick in range(3, 20):
        flush = counted(STEP_MS + 100 + tick * 100, 1, 1, (None, 2))
        evidence, again = evidence.fold_outcomes(flush), again.fold_outcomes(flush)
        assert verdict(again) == verdict(evidence)
    assert verdict(again).outcome == "fail"
