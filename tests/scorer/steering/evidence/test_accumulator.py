"""Evidence as the steer loop uses it: which requests and pairs count, verdicts and their messages."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from glidepath.pairs_and_outcomes import AnswerFacts, Origin, Outcomes, PairKind, ScoredPair, Side
from scorer.steering.evidence.accumulator import Evidence
from tests.support.evidence_builders import (
    GATES,
    by_gate,
    flush,
    fresh_evidence,
    pair,
    side,
    with_healthy_flushes,
    workload_of,
)

B, C = Side.BASELINE, Side.CANDIDATE


def test_without_data_every_gate_is_inconclusive_with_the_message_no_data_yet() -> None:
    verdicts = fresh_evidence().verdicts(5000)
    assert {v.outcome for v in verdicts} == {"inconclusive"}
    assert {v.message for v in verdicts} == {"no data yet"}
    assert [v.gate for v in verdicts] == [
        "sameness",
        "sameness_margin",
        "defects",
        "errors",
        "errors_rate",
        "errors_fast",
        "candidate_down",
        "envoy_failures",
        "latency_p95",
        "ttft_p50",
        "per_token_p50",
        "split",
    ]


def test_a_healthy_candidate_passes_every_gate() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 200)
    facts = AnswerFacts(status=200, total_ms=900.0, output_tokens=100)
    for i in range(400):
        cross = pair(0.95 if i % 2 else 0.93, 2000 + i)
        evidence = evidence.fold_scored(
            ScoredPair(
                **{f: getattr(cross, f) for f in ScoredPair.__slots__ if f not in ("baseline", "candidate")},
                baseline=facts,
                candidate=facts,
            )
        )
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, kind=PairKind.NOISE))
    verdicts = by_gate(evidence)
    assert {name: v.outcome for name, v in verdicts.items()} == dict.fromkeys(verdicts, "pass")
    assert verdicts["sameness"].value == pytest.approx(0.94)
    assert evidence.agreement() == pytest.approx(0.94)
    assert evidence.noise() == pytest.approx(0.95)


def test_a_slow_candidate_fails_with_a_message_that_shows_ratio_and_limit() -> None:
    verdict = by_gate(with_healthy_flushes(fresh_evidence(), 300, slower=1.8))["latency_p95"]
    assert verdict.outcome == "fail"
    assert verdict.evidence >= 1
    assert verdict.value == pytest.approx(1.8, rel=0.15)
    assert verdict.message.startswith("p95 ")
    assert "× the baseline's" in verdict.message
    assert "limit 1.20" in verdict.message


def test_an_undecided_gate_shows_the_missing_samples_and_the_time_until_then() -> None:
    evidence = fresh_evidence()
    for i in range(15):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i))
    verdict = by_gate(evidence, now_ms=31_000)["sameness"]
    assert verdict.outcome == "inconclusive"
    assert verdict.n == 15
    assert verdict.missing is not None
    assert verdict.missing >= 5
    assert verdict.eta_s == pytest.approx(verdict.missing / (15 / 30))
    assert "more samples" in verdict.message


def test_a_gate_with_its_proof_does_not_pass_before_the_least_number_of_samples() -> None:
    evidence = fresh_evidence(gates="    gates: {sameness: {min_agreement: 0.5, min_samples: 60}}\n")
    for i in range(59):
        evidence = evidence.fold_scored(pair(1.0, 2000 + i))
    assert by_gate(evidence)["sameness"].outcome == "inconclusive"
    assert by_gate(evidence.fold_scored(pair(1.0, 3000)))["sameness"].outcome == "pass"


def test_a_proven_gate_does_not_pass_while_its_value_is_beyond_the_limit() -> None:
    evidence = fresh_evidence(gates="    ramp: {min_samples: 20}\n    gates: {sameness: {min_agreement: 0.8}}\n")
    for i in range(60):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i))
    assert by_gate(evidence)["sameness"].outcome == "pass"
    for i in range(40):
        evidence = evidence.fold_scored(pair(0.55, 3000 + i))
    assert by_gate(evidence)["sameness"].outcome in ("inconclusive", "fail")


@pytest.mark.parametrize(
    ("percent", "candidate", "baseline"),
    [(0, Origin.SHADOW, Origin.LIVE), (25, Origin.LIVE, Origin.LIVE), (100, Origin.LIVE, Origin.SHADOW)],
)
def test_the_origin_that_counts_depends_on_the_share(percent: float, candidate: Origin, baseline: Origin) -> None:
    evidence = fresh_evidence(percent)
    for seq, (which, origin) in enumerate((s, o) for s in (B, C) for o in Origin):
        evidence = evidence.fold_outcomes(flush(seq, side(which, 1 + seq, origin=origin)))
    base, own = evidence.sides()
    expected = {(s, o): 1 + i for i, (s, o) in enumerate((s, o) for s in (B, C) for o in Origin)}
    assert base.requests == expected[(B, baseline)]
    assert own.requests == expected[(C, candidate)]


@pytest.mark.parametrize(("n", "shown"), [(1, 0), (2, 1), (19, 1), (20, 2), (99, 2), (100, 3)])
def test_a_quantile_is_shown_only_if_a_request_can_be_above_it(n: int, shown: int) -> None:
    _, own = fresh_evidence(25).fold_outcomes(flush(0, side(C, n, ms=(10.0,) * n))).sides()
    quantiles = (own.p50_ms, own.p95_ms, own.p99_ms)
    assert [value is not None for value in quantiles] == [True] * shown + [False] * (3 - shown)
    assert (own.ttft_p50_ms is not None) is (n >= 2)


def test_flushes_and_pairs_from_before_the_step_do_not_count() -> None:
    evidence = fresh_evidence().fold_outcomes(flush(0, side(C, 5), start_ms=999)).fold_scored(pair(0.1, 999))
    assert evidence.sides()[1].requests == 0
    assert evidence.agreement() is None


def test_an_unscored_pair_is_not_counted() -> None:
    evidence = fresh_evidence().fold_scored(pair(0.0, scored=False))
    assert by_gate(evidence)["sameness"].n == 0


def test_when_every_request_fails_the_fast_guard_fails_within_one_flush() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 40)
    evidence = evidence.fold_outcomes(flush(40, side(B, 36), side(C, 12, 12)))
    verdict = by_gate(evidence)["errors_fast"]
    assert (verdict.outcome, verdict.fast, verdict.gating) == ("fail", True, True)
    assert verdict.message.startswith("12 of the candidate's last 12 requests failed")
    assert "(12 of 412 in this step)" in verdict.message
    assert by_gate(evidence)["candidate_down"].outcome == "pass"


def test_failures_to_connect_fail_the_gate_candidate_down() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 40).fold_outcomes(
        flush(40, side(B, 36), side(C, 12, 12, kind="connect"))
    )
    assert by_gate(evidence)["candidate_down"].outcome == "fail"


def test_at_a_hundred_percent_without_any_baseline_the_fast_guard_still_fires() -> None:
    evidence = fresh_evidence(100)
    for k in range(100):
        evidence = evidence.fold_outcomes(flush(k, side(C, 12)))
    evidence = evidence.fold_outcomes(flush(100, side(C, 12, 12)))
    verdicts = by_gate(evidence)
    assert verdicts["errors_fast"].outcome == "fail"
    assert verdicts["errors"].outcome == "inconclusive"
    assert "split" not in verdicts


def test_requests_that_the_client_aborted_are_not_errors() -> None:
    evidence = fresh_evidence()
    for k in range(50):
        evidence = evidence.fold_outcomes(flush(k, side(B, 30), side(C, 10, aborts=10)))
    assert {v.outcome for v in evidence.verdicts(1) if v.fast} == {"pass"}
    assert evidence.sides()[1] == evidence.sides()[1].__class__(requests=500)


def test_an_informational_gate_fails_without_gating() -> None:
    text = "    gates: {errors: {max_rate: 1%, action: inform}, sameness: null}\n"
    evidence = fresh_evidence(gates=text)
    for k in range(50):
        evidence = evidence.fold_outcomes(flush(k, side(B, 30, 5), side(C, 10, 3)))
    verdict = by_gate(evidence)["errors"]
    assert (verdict.outcome, verdict.gating) == ("fail", False)


def test_a_wrong_split_fails_and_with_sticky_users_the_guard_is_informational() -> None:
    for extra, gating in (("", True), ("    sticky: {header: x-user}\n", False)):
        evidence = fresh_evidence(10, extra)
        for k in range(60):
            evidence = evidence.fold_outcomes(flush(k, side(B, 20), side(C, 20)))
        verdict = by_gate(evidence)["split"]
        assert (verdict.outcome, verdict.gating) == ("fail", gating)
        assert "10 % is set" in verdict.message


def test_a_burst_of_one_user_among_many_is_capped() -> None:
    evidence = fresh_evidence()
    for i in range(200):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, sticky=f"user-{i % 100}"))
    before = by_gate(evidence)["sameness"].n
    for i in range(60):
        evidence = evidence.fold_scored(pair(0.0, 3000 + i, sticky="loud"))
    sameness = by_gate(evidence)["sameness"]
    assert before > 150
    assert sameness.n <= before + 3
    assert sameness.outcome != "fail"


def test_the_pairs_of_the_only_user_all_count() -> None:
    evidence = fresh_evidence()
    for i in range(100):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, sticky="only"))
    assert by_gate(evidence)["sameness"].n == 100


def test_latency_per_token_passes_a_model_with_longer_answers() -> None:
    text = "    gates: {latency: [{quantile: p50, signal: per_token}], sameness: null, errors: null}\n"
    evidence = fresh_evidence(gates=text)
    rng = np.random.default_rng(1)
    for i in range(300):
        cross = pair(0.9, 2000 + i)
        tokens = int(rng.integers(50, 150))
        evidence = evidence.fold_scored(
            ScoredPair(
                **{f: getattr(cross, f) for f in ScoredPair.__slots__ if f not in ("baseline", "candidate")},
                baseline=AnswerFacts(total_ms=tokens * float(rng.normal(10, 1)), output_tokens=tokens),
                candidate=AnswerFacts(total_ms=3 * tokens * float(rng.normal(10, 1)), output_tokens=3 * tokens),
            )
        )
    verdict = by_gate(evidence)["per_token_p50"]
    assert verdict.outcome == "pass"
    assert verdict.value == pytest.approx(1.0, abs=0.05)


def test_rescues_count_as_requests_and_errors_of_the_candidate() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 4)
    before, _ = evidence.sides()
    evidence = evidence.fold_outcomes(flush(4, side(C, 9, 6, kind="failover", rescued=3, rescues_failed=2)))
    baseline, candidate = evidence.sides()
    assert baseline == before
    assert (candidate.requests, candidate.errors) == (49, 6)
    assert (candidate.rescued, candidate.rescues_failed, baseline.rescued) == (3, 2, 0)


@pytest.mark.parametrize("answered", [True, False])
def test_at_a_large_share_rescues_distinguish_a_broken_candidate_from_a_shared_outage(answered: bool) -> None:
    evidence = fresh_evidence(95)
    for k in range(40):
        evidence = evidence.fold_outcomes(flush(k, side(B, 1), side(C, 19)))
    for k in range(40, 48):
        rescues = {"rescued": 3} if answered else {"rescues_failed": 3}
        evidence = evidence.fold_outcomes(flush(k, side(C, 3, 3, kind="failover", **rescues)))
    assert (by_gate(evidence)["errors_fast"].outcome == "fail") is answered
    assert by_gate(evidence)["candidate_down"].outcome != "fail"


@pytest.mark.slow
def test_verdicts_cost_little_and_nearly_nothing_without_new_data() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 200)
    evidence.verdicts(1)
    flushes: list[Outcomes] = []
    rng = np.random.default_rng(3)
    for k in range(200, 400):
        ms = tuple(100 * rng.lognormal(0, 0.4, 10))
        flushes.append(flush(k, side(B, 30, ms=ms), side(C, 10, ms=ms)))
    began = time.process_time()
    for outcomes in flushes:
        evidence.fold_outcomes(outcomes).verdicts(1)
    busy = (time.process_time() - began) / len(flushes)
    began = time.process_time()
    for _ in range(1000):
        evidence.verdicts(1)
    idle = (time.process_time() - began) / 1000
    assert busy < 0.004  # 0.3 ms on an idle machine
    assert idle < 0.00005


def test_pairs_with_tool_calls_are_counted_and_kept() -> None:
    evidence = fresh_evidence()
    assert evidence.tool_calls() == (0, 0)
    for i, exact in enumerate((1.0, 1.0, 0.0)):
        evidence = evidence.fold_scored(replace(pair(0.9, 2000 + i), signals={"exact_call": exact}))
    evidence = evidence.fold_scored(pair(0.9, 2010))
    assert evidence.tool_calls() == (3, 2)
    assert Evidence.from_json(workload_of(GATES), evidence.to_json()).tool_calls() == (3, 2)
