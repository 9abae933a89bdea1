"""Clients that disconnect show that a candidate hangs. Clients that disconnect for their own reasons do not count."""

from __future__ import annotations

import numpy as np
import pytest

from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.clients_leave_gate import UsualWait
from tests.support.evidence_builders import by_gate, fresh_evidence, through_json, workload_of

RANDOM = "    sticky: {random: true}\n"
GATES = "    gates: {sameness: null, errors: {max_increase: 0.5%}, latency: {quantile: p95}}\n"


def waits(which: Side, answered: list[float], unanswered: list[float], *, streamed: bool = False) -> SideOutcomes:
    times = Histogram.of(answered)
    return SideOutcomes(
        which,
        Origin.LIVE,
        requests=len(answered),
        client_aborts=len(unanswered),
        latency_ms=times,
        ttft_ms=times if streamed else Histogram(),
        aborted_ms=Histogram.of(unanswered),
    )


def fold(evidence: Evidence, k: int, *sides: SideOutcomes) -> Evidence:
    return evidence.fold_outcomes(Outcomes("chat", "envoy", k, 1000 + 250 * k, 1250 + 250 * k, sides))


def busy(evidence: Evidence, flushes: int, unanswered: list[float], *, both: bool = False, ms: float = 800) -> Evidence:
    """Fold flushes in which the baseline answers six clients, and clients disconnect from the candidate.

    ``unanswered``: how long each of these clients waited without an answer, in ms. ``both``: whether as many clients
    disconnect from the baseline too.
    """
    for k in range(flushes):
        left = unanswered if both else []
        sides = (waits(Side.BASELINE, [ms] * 6, left), waits(Side.CANDIDATE, [], unanswered))
        evidence = fold(evidence, k, *sides)
    return evidence


def test_a_candidate_whose_clients_all_leave_is_rolled_back_at_once() -> None:
    verdict = by_gate(busy(fresh_evidence(50, GATES), 4, [6000.0] * 6))["clients_leave"]
    assert (verdict.outcome, verdict.fast) == ("fail", True)
    assert "clients left without an answer" in verdict.message
    assert "0 of the baseline's" in verdict.message


def test_clients_that_leave_both_sides_alike_cause_no_rollback() -> None:
    verdict = by_gate(busy(fresh_evidence(50, GATES), 40, [6000.0] * 6, both=True))["clients_leave"]
    assert verdict.outcome != "fail"


@pytest.mark.parametrize("wait", [5.0, 200.0, 700.0])
def test_a_client_that_leaves_sooner_than_the_baseline_answers_left_for_its_own_reason(wait: float) -> None:
    verdict = by_gate(busy(fresh_evidence(50, GATES), 40, [wait] * 6))["clients_leave"]
    assert verdict.outcome != "fail"
    assert verdict.n == 0


@pytest.mark.parametrize(
    ("sticky", "outcome"), [(RANDOM, "fail"), ("    sticky: {header: x-user}\n", "pass"), ("", "pass")]
)
def test_one_impatient_user_at_the_candidate_is_no_reason_to_go_back(sticky: str, outcome: str) -> None:
    evidence = fresh_evidence(50, sticky + GATES)
    for k in range(300):  # of the sides' users, only this one leaves after 2 s, at a quarter of its requests
        own = waits(Side.CANDIDATE, [800.0] * 4, [2000.0] if k % 2 else [])
        evidence = fold(evidence, k, waits(Side.BASELINE, [800.0] * 6, []), own)
    assert by_gate(evidence)["clients_leave"].outcome == outcome


@pytest.mark.parametrize("sticky", [RANDOM, "    sticky: {header: x-user}\n"])
def test_a_candidate_that_hangs_is_rolled_back_whoever_its_users_are(sticky: str) -> None:
    evidence = fresh_evidence(50, sticky + GATES)
    for k in range(8):  # most of its clients leave, one by one
        own = waits(Side.CANDIDATE, [800.0] if k % 4 == 0 else [], [6000.0])
        evidence = fold(evidence, k, waits(Side.BASELINE, [800.0] * 6, []), own)
    assert by_gate(evidence)["clients_leave"].outcome == "fail"


def test_before_the_baseline_has_answered_a_short_wait_does_not_count() -> None:
    evidence = fresh_evidence(50, GATES)
    for k in range(4):
        evidence = fold(evidence, k, waits(Side.CANDIDATE, [], [3000.0] * 6))
    assert by_gate(evidence)["clients_leave"].n == 0


def test_of_streamed_answers_the_wait_for_the_first_token_counts() -> None:
    evidence = fresh_evidence(50, GATES)
    for k in range(6):
        base = waits(Side.BASELINE, [400.0] * 6, [], streamed=True)
        evidence = fold(evidence, k, base, waits(Side.CANDIDATE, [], [1500.0] * 4))
    assert by_gate(evidence)["clients_leave"].outcome == "fail"


def test_a_wait_without_an_answer_counts_as_a_latency_of_that_length() -> None:
    rng = np.random.default_rng(3)
    evidence = fresh_evidence(50, GATES)
    for k in range(60):
        base = waits(Side.BASELINE, list(500 * rng.lognormal(0, 0.3, 10)), [])
        own = waits(Side.CANDIDATE, list(500 * rng.lognormal(0, 0.3, 8)), [6000.0, 6000.0])
        evidence = fold(evidence, k, base, own)
    verdict = by_gate(evidence)["latency_p95"]
    assert verdict.outcome == "fail"
    assert verdict.value == pytest.approx(6000 / (500 * np.exp(0.3 * 1.645)), rel=0.1)


def test_the_guard_is_there_while_clients_reach_the_candidate_and_can_be_switched_to_inform() -> None:
    assert "clients_leave" not in by_gate(fresh_evidence(0, GATES))
    informs = GATES.replace("0.5%}", "0.5%, fast: inform}")
    verdict = by_gate(busy(fresh_evidence(50, informs), 4, [6000.0] * 6))["clients_leave"]
    assert (verdict.outcome, verdict.action) == ("fail", "inform")


def test_restored_evidence_goes_on_as_if_it_had_not_been_stored() -> None:
    before = busy(fresh_evidence(50, GATES), 2, [6000.0] * 2)
    again = Evidence.from_json(workload_of(GATES), before.to_json())
    own = waits(Side.CANDIDATE, [], [6000.0] * 4)
    assert by_gate(fold(again, 9, own))["clients_leave"] == by_gate(fold(before, 9, own))["clients_leave"]


def test_the_usual_wait_is_the_geometric_mean_of_recent_answers() -> None:
    usual = UsualWait().after(Histogram.of([2000.0] * 3))
    assert usual.counts_from_ms == 5000
    usual = usual.after(Histogram.of([2000.0] * 3))
    assert usual.counts_from_ms == pytest.approx(2000, rel=0.01)
    for _ in range(200):
        usual = usual.after(Histogram.of([4000.0] * 10))
    assert usual.counts_from_ms == pytest.approx(4000, rel=0.01)
    assert UsualWait().after(Histogram.of([20.0] * 10)).counts_from_ms == 1000
    assert through_json(usual) == usual
