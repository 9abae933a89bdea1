"""Evidence as the steer loop uses it: verdicts and their messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.histogram import Histogram
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
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
        "clients_leave",
        "envoy_failures",
        "latency_p95",
        "ttft_p50",
        "per_token_p50",
        "signal_numbers",
        "signal_names",
        "signal_negation",
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
    decided = {name: v.outcome for name, v in verdicts.items() if v.action != "inform"}
    assert decided == dict.fromkeys(decided, "pass")
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
    for i in range(199):
        evidence = evidence.fold_scored(pair(0.787 + 0.15 * (i % 2), 2000 + i))
    verdict = by_gate(evidence, now_ms=31_000)["sameness"]
    assert (verdict.outcome, verdict.missing) == ("inconclusive", None)  # too few samples for an estimate
    verdict = by_gate(evidence.fold_scored(pair(0.937, 3000)), now_ms=31_000)["sameness"]
    assert (verdict.outcome, verdict.n) == ("inconclusive", 200)
    assert verdict.missing is not None
    assert verdict.eta_s == pytest.approx(verdict.missing / (200 / 30))
    assert "more samples" in verdict.message


def test_a_verdict_has_its_confidence_sequence_and_the_evidence_in_both_directions() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 40)
    for i in range(100):
        evidence = evidence.fold_scored(pair(0.9, 2000 + i))
    found = by_gate(evidence)
    for name in ("sameness", "errors", "latency_p95", "split"):
        verdict = found[name]
        assert verdict.value is not None
        assert verdict.low is None or verdict.low <= verdict.value
        assert verdict.high is None or verdict.high >= verdict.value
        assert (verdict.low, verdict.high) != (None, None)
        if verdict.outcome == "inconclusive":
            assert verdict.evidence == max(verdict.evidence_to_pass, verdict.evidence_to_fail)
    assert found["errors_fast"].low is None  # of a ratio of error rates


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


def test_flushes_and_pairs_from_before_the_step_do_not_count() -> None:
    evidence = fresh_evidence().fold_outcomes(flush(0, side(C, 5), start_ms=999)).fold_scored(pair(0.1, 999))
    assert evidence.sides()[1].requests == 0
    assert evidence.agreement() is None


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


def test_an_informational_gate_fails_without_gating() -> None:
    text = "    gates: {errors: {max_rate: 1%, action: inform}, sameness: null}\n"
    evidence = fresh_evidence(gates=text)
    for k in range(50):
        evidence = evidence.fold_outcomes(flush(k, side(B, 30, 5), side(C, 10, 3)))
    verdict = by_gate(evidence)["errors"]
    assert (verdict.outcome, verdict.gating) == ("fail", False)


def test_a_wrong_split_fails_and_with_sticky_users_or_conversations_the_guard_is_informational() -> None:
    assigned = (("{random: true}", True), ("{header: x-user}", False), ("null", False))  # null: by conversation
    for sticky, gating in assigned:
        extra = f"    sticky: {sticky}\n"
        evidence = fresh_evidence(10, extra)
        for k in range(60):
            evidence = evidence.fold_outcomes(flush(k, side(B, 20), side(C, 20)))
        verdict = by_gate(evidence)["split"]
        assert (verdict.outcome, verdict.gating) == ("fail", gating)
        assert "10 % is set" in verdict.message


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


def test_verdicts_are_computed_again_only_after_new_data() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 20)
    first = evidence.verdicts(1)
    assert evidence.verdicts(5_000) is first
    evidence.fold_outcomes(flush(20, side(B, 30), side(C, 10)))
    second = evidence.verdicts(5_000)
    assert second is not first
    evidence.fold_scored(pair(0.9, 3000))
    assert evidence.verdicts(5_000) is not second


TOKENS = """\
    ramp: {min_samples: 20}
    gates: {sameness: null, latency: [{quantile: p95, signal: ttft}, {quantile: p95, signal: per_token}]}
"""


def unstreamed(evidence: Evidence, flushes: int) -> Evidence:
    for k in range(flushes):
        sides = (replace(side(which, 20, ms=(100.0,) * 20), ttft_ms=Histogram()) for which in Side)
        evidence = evidence.fold_outcomes(flush(k, *sides))
    return evidence


def test_without_streamed_answers_the_first_token_need_not_pass_and_the_gate_says_why() -> None:
    evidence = unstreamed(fresh_evidence(gates=TOKENS), 2)
    assert not by_gate(evidence)["ttft_p95"].guard
    evidence = unstreamed(evidence, 3)
    verdict = by_gate(evidence)["ttft_p95"]
    assert (verdict.outcome, verdict.guard) == ("inconclusive", True)
    assert "none of 100 answers was streamed" in verdict.message
    assert not by_gate(unstreamed(fresh_evidence(gates=GATES), 5))["latency_p95"].guard


def test_one_streamed_answer_makes_the_gate_on_the_first_token_necessary_again() -> None:
    evidence = unstreamed(fresh_evidence(gates=TOKENS), 5)
    evidence = evidence.fold_outcomes(flush(9, side(Side.CANDIDATE, 1, ms=(100.0,))))
    assert not by_gate(evidence)["ttft_p95"].guard


def test_a_gate_per_token_says_that_answers_lack_a_token_count() -> None:
    evidence = fresh_evidence(gates=TOKENS)
    for i in range(30):
        facts = AnswerFacts(total_ms=100 + i, text_chars=400)
        evidence = evidence.fold_scored(replace(pair(0.9, 2000 + i), baseline=facts, candidate=facts))
    assert "25 of 25 answers have no token count" in by_gate(evidence)["per_token_p95"].message
    without = fresh_evidence(gates=TOKENS)
    for i in range(30):
        without = without.fold_scored(pair(0.9, 2000 + i))
    assert "none of 30 pairs has tokens or text" in by_gate(without)["per_token_p95"].message


WARM = "    ramp: {warm_up: 30}\n    gates: {sameness: null, latency: {quantile: p95}}\n"


def test_the_first_answers_of_a_step_are_left_out_of_latency_and_the_gate_says_so() -> None:
    evidence = with_healthy_flushes(fresh_evidence(gates=WARM), 2, slower=9)  # ten answers of the candidate each
    verdict = by_gate(evidence)["latency_p95"]
    assert verdict.n == 0
    assert verdict.message == "the first 30 answers of the step are left out as a warm-up (20 so far)"
    evidence = with_healthy_flushes(evidence, 1, first=2, slower=9)
    verdict = by_gate(with_healthy_flushes(evidence, 20, first=3))["latency_p95"]
    assert (verdict.outcome, verdict.n) == ("inconclusive", 200)
    assert verdict.value == pytest.approx(1, abs=0.2)
    assert "; the first 30 answers of the step are left out as a warm-up" in verdict.message


def test_errors_and_requests_of_the_warm_up_count() -> None:
    evidence = fresh_evidence(gates=WARM).fold_outcomes(flush(0, side(Side.CANDIDATE, 10, 10, kind="connect")))
    assert evidence.requests() == 10
    assert by_gate(evidence)["candidate_down"].n == 10


def test_the_warm_up_of_pairs_is_counted_by_pairs() -> None:
    gates = WARM.replace("quantile: p95", "quantile: p95, signal: per_token")
    evidence = fresh_evidence(gates=gates)
    facts = AnswerFacts(total_ms=100.0, output_tokens=10)
    for i in range(40):
        evidence = evidence.fold_scored(replace(pair(0.9, 2000 + i), baseline=facts, candidate=facts))
    assert by_gate(evidence)["per_token_p95"].n == 10


def test_the_warm_up_continues_from_stored_evidence() -> None:
    evidence = with_healthy_flushes(fresh_evidence(gates=WARM), 2, slower=9)
    again = Evidence.from_json(workload_of(WARM), evidence.to_json())
    assert by_gate(with_healthy_flushes(again, 2, first=2))["latency_p95"].n == 10


@pytest.mark.parametrize(
    ("text", "percent", "left_out"),
    [
        ("", 10, 50),
        ("    ramp: {min_samples: 20}\n", 10, 5),
        ("    ramp: {min_samples: 20, at: {50: {min_samples: 4000}}}\n", 50, 50),
        ("    ramp: {warm_up: 0}\n", 0, 0),
        ("    ramp: {warm_up: 300}\n", 0, 300),
    ],
)
def test_the_warm_up_is_a_quarter_of_the_least_samples_unless_it_is_set(
    text: str, percent: float, left_out: int
) -> None:
    assert workload_of(text).ramp.warm_up_at(percent) == left_out


AN_HOUR = 4 * 3600  # flushes


def latency_n(evidence: Evidence) -> int:
    return by_gate(evidence)["latency_p95"].n


def test_the_first_answers_after_an_idle_time_are_left_out_of_latency_and_the_gate_says_so() -> None:
    evidence = with_healthy_flushes(fresh_evidence(gates=WARM), 23)
    assert latency_n(evidence) == 200
    evidence = with_healthy_flushes(evidence, 3, first=23 + AN_HOUR, slower=9)
    assert latency_n(evidence) == 200
    verdict = by_gate(with_healthy_flushes(evidence, 2, first=26 + AN_HOUR))["latency_p95"]
    assert verdict.n == 220
    assert verdict.value == pytest.approx(1, abs=0.2)
    assert "the first answers of the step and after idle times are left out as a warm-up (60)" in verdict.message


def test_copies_keep_the_candidate_warm_and_a_shorter_pause_does_not_cool_it() -> None:
    evidence = with_healthy_flushes(fresh_evidence(gates=WARM), 23)
    copies = side(C, 1, origin=Origin.SHADOW)
    evidence = evidence.fold_outcomes(flush(23 + AN_HOUR // 2, copies))
    evidence = with_healthy_flushes(evidence, 3, first=23 + AN_HOUR)
    assert latency_n(evidence) == 230
    never = with_healthy_flushes(fresh_evidence(gates=WARM.replace("30}", "30, idle_after: 0}")), 23)
    assert latency_n(with_healthy_flushes(never, 3, first=23 + AN_HOUR)) == 230


def test_a_candidate_that_is_idle_before_each_request_is_still_judged() -> None:
    evidence = with_healthy_flushes(fresh_evidence(gates=WARM), 23)
    for hour in range(1, 101):
        evidence = with_healthy_flushes(evidence, 1, first=23 + hour * AN_HOUR)
    assert latency_n(evidence) >= (230 + 1000) // 2


def test_an_idle_time_survives_a_change_of_the_leader() -> None:
    evidence = with_healthy_flushes(fresh_evidence(gates=WARM), 23)
    restored = Evidence.from_json(workload_of(WARM), evidence.to_json())
    assert latency_n(with_healthy_flushes(restored, 3, first=23 + AN_HOUR)) == 200


def test_the_estimated_time_grows_while_there_is_no_traffic() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 30)
    last_ms = 1000 + 30 * 250
    before = {v.gate: v for v in evidence.verdicts(last_ms) if v.eta_s}
    assert before
    assert evidence.verdicts(last_ms + 1000) is evidence.verdicts(last_ms)
    later = {v.gate: v for v in evidence.verdicts(1000 + 10 * (last_ms - 1000))}
    for gate, verdict in before.items():
        assert later[gate].missing == verdict.missing
        assert later[gate].eta_s == pytest.approx(10 * verdict.eta_s)
    assert all(later[gate].message != verdict.message for gate, verdict in before.items())
