"""Evidence as the steer loop uses it: origins, resets, duplicates, state, verdicts with words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.domain import AnswerFacts, Origin, Outcomes, PairKind, ScoredPair, Side
from glidepath.errors import InputError
from glidepath.records import Verdict
from scorer.steering.evidence import Evidence
from tests.support.evidence import flush, pair, side, workload_of

B, C = Side.BASELINE, Side.CANDIDATE
GATES = """\
    ramp: {min_samples: 20}
    gates:
      quality: {min_agreement: 0.85, margin: 0.05}
      errors: {max_increase: 1%, max_rate: 5%}
      latency: [{quantile: p95}, {quantile: p50, signal: ttft}, {quantile: p50, signal: per_token}]
"""


def by_gate(evidence: Evidence, now_ms: int = 100_000) -> dict[str, Verdict]:
    return {v.gate: v for v in evidence.verdicts(now_ms)}


def fresh(percent: float = 25, gates: str = GATES) -> Evidence:
    return Evidence.fresh(workload_of(gates), percent, 1000)


def healthy(evidence: Evidence, flushes: int, *, first: int = 0, seed: int = 1, slower: float = 1.0) -> Evidence:
    rng = np.random.default_rng(seed)
    for k in range(first, first + flushes):
        own, base = 10, 30
        evidence = evidence.fold_outcomes(
            flush(
                k,
                side(B, base, ms=tuple(100 * rng.lognormal(0, 0.4, base))),
                side(C, own, ms=tuple(100 * slower * rng.lognormal(0, 0.4, own))),
            )
        )
    return evidence


def test_without_data_every_gate_is_inconclusive_and_says_so() -> None:
    verdicts = fresh().verdicts(5000)
    assert {v.outcome for v in verdicts} == {"inconclusive"}
    assert {v.message for v in verdicts} == {"no data yet"}
    assert [v.gate for v in verdicts] == [
        "quality",
        "quality_margin",
        "errors",
        "errors_rate",
        "errors_fast",
        "candidate_down",
        "latency_p95",
        "ttft_p50",
        "per_token_p50",
        "split",
    ]


def test_a_healthy_candidate_passes_every_gate() -> None:
    evidence = healthy(fresh(), 200)
    facts = AnswerFacts(total_ms=900.0, output_tokens=100)
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
    assert verdicts["quality"].value == pytest.approx(0.94)
    assert evidence.agreement() == pytest.approx(0.94)
    assert evidence.noise() == pytest.approx(0.95)


def test_a_slow_candidate_fails_with_a_message_for_three_in_the_morning() -> None:
    verdict = by_gate(healthy(fresh(), 300, slower=1.8))["latency_p95"]
    assert verdict.outcome == "fail"
    assert verdict.evidence >= 1
    assert verdict.value == pytest.approx(1.8, rel=0.15)
    assert verdict.message.startswith("p95 ")
    assert "× the baseline's" in verdict.message
    assert "limit 1.20" in verdict.message


def test_an_undecided_gate_says_how_many_samples_are_missing_and_how_long_that_takes() -> None:
    evidence = fresh()
    for i in range(15):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i))
    verdict = by_gate(evidence, now_ms=31_000)["quality"]
    assert verdict.outcome == "inconclusive"
    assert verdict.n == 15
    assert verdict.missing is not None
    assert verdict.missing >= 5
    assert verdict.eta_s == pytest.approx(verdict.missing / (15 / 30))
    assert "more samples" in verdict.message


def test_proof_before_the_least_number_of_samples_does_not_pass() -> None:
    evidence = fresh(gates="    gates: {quality: {min_agreement: 0.5, min_samples: 60}}\n")
    for i in range(59):
        evidence = evidence.fold_scored(pair(1.0, 2000 + i))
    assert by_gate(evidence)["quality"].outcome == "inconclusive"
    assert by_gate(evidence.fold_scored(pair(1.0, 3000)))["quality"].outcome == "pass"


def test_a_proof_that_no_longer_looks_true_waits() -> None:
    evidence = fresh(gates="    ramp: {min_samples: 20}\n    gates: {quality: {min_agreement: 0.8}}\n")
    for i in range(60):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i))
    assert by_gate(evidence)["quality"].outcome == "pass"
    for i in range(40):
        evidence = evidence.fold_scored(pair(0.55, 3000 + i))
    assert by_gate(evidence)["quality"].outcome in ("inconclusive", "fail")


@pytest.mark.parametrize(
    ("percent", "candidate", "baseline"),
    [(0, Origin.SHADOW, Origin.LIVE), (25, Origin.LIVE, Origin.LIVE), (100, Origin.LIVE, Origin.SHADOW)],
)
def test_the_origin_that_counts_depends_on_the_share(percent: float, candidate: Origin, baseline: Origin) -> None:
    evidence = fresh(percent)
    for seq, (which, origin) in enumerate((s, o) for s in (B, C) for o in Origin):
        evidence = evidence.fold_outcomes(flush(seq, side(which, 1 + seq, origin=origin)))
    base, own = evidence.sides()
    expected = {(s, o): 1 + i for i, (s, o) in enumerate((s, o) for s in (B, C) for o in Origin)}
    assert base.requests == expected[(B, baseline)]
    assert own.requests == expected[(C, candidate)]


def test_flushes_and_pairs_from_before_the_step_do_not_count() -> None:
    evidence = fresh().fold_outcomes(flush(0, side(C, 5), start_ms=999)).fold_scored(pair(0.1, 999))
    assert evidence.sides()[1].requests == 0
    assert evidence.agreement() is None


def test_what_was_not_scored_is_no_evidence() -> None:
    evidence = fresh().fold_scored(pair(0.0, scored=False))
    assert by_gate(evidence)["quality"].n == 0


def test_when_every_request_fails_the_fast_guard_says_fail_within_a_flush() -> None:
    evidence = healthy(fresh(), 40)
    evidence = evidence.fold_outcomes(flush(40, side(B, 36), side(C, 12, 12)))
    verdict = by_gate(evidence)["errors_fast"]
    assert (verdict.outcome, verdict.fast, verdict.gating) == ("fail", True, True)
    assert verdict.message.startswith("12 of the candidate's last 12 requests failed")
    assert "(12 of 412 in this step)" in verdict.message
    assert by_gate(evidence)["candidate_down"].outcome == "pass"


def test_an_unreachable_candidate_is_seen_as_such() -> None:
    evidence = healthy(fresh(), 40).fold_outcomes(flush(40, side(B, 36), side(C, 12, 12, kind="connect")))
    assert by_gate(evidence)["candidate_down"].outcome == "fail"


def test_at_a_hundred_percent_without_any_baseline_the_fast_guard_still_fires() -> None:
    evidence = fresh(100)
    for k in range(100):
        evidence = evidence.fold_outcomes(flush(k, side(C, 12)))
    evidence = evidence.fold_outcomes(flush(100, side(C, 12, 12)))
    verdicts = by_gate(evidence)
    assert verdicts["errors_fast"].outcome == "fail"
    assert verdicts["errors"].outcome == "inconclusive"
    assert "split" not in verdicts


def test_clients_that_leave_are_nobodys_errors() -> None:
    evidence = fresh()
    for k in range(50):
        evidence = evidence.fold_outcomes(flush(k, side(B, 30), side(C, 10, aborts=10)))
    assert {v.outcome for v in evidence.verdicts(1) if v.fast} == {"pass"}
    assert evidence.sides()[1] == evidence.sides()[1].__class__(requests=500)


def test_an_informational_gate_fails_without_gating() -> None:
    text = "    gates: {errors: {max_rate: 1%, gating: false}, quality: null}\n"
    evidence = fresh(gates=text)
    for k in range(50):
        evidence = evidence.fold_outcomes(flush(k, side(B, 30, 5), side(C, 10, 3)))
    verdict = by_gate(evidence)["errors"]
    assert (verdict.outcome, verdict.gating) == ("fail", False)


def test_a_split_that_is_not_as_set_fails_and_with_sticky_users_only_informs() -> None:
    for extra, gating in (("", True), ("    sticky: {header: x-user}\n", False)):
        evidence = fresh(10, extra)
        for k in range(60):
            evidence = evidence.fold_outcomes(flush(k, side(B, 20), side(C, 20)))
        verdict = by_gate(evidence)["split"]
        assert (verdict.outcome, verdict.gating) == ("fail", gating)
        assert "10 % is set" in verdict.message


def test_a_burst_of_one_user_among_many_is_capped() -> None:
    evidence = fresh()
    for i in range(200):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, sticky=f"user-{i % 100}"))
    before = by_gate(evidence)["quality"].n
    for i in range(60):
        evidence = evidence.fold_scored(pair(0.0, 3000 + i, sticky="loud"))
    quality = by_gate(evidence)["quality"]
    assert before > 150
    assert quality.n <= before + 3
    assert quality.outcome != "fail"


def test_the_only_user_there_is_counts_in_full() -> None:
    evidence = fresh()
    for i in range(100):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i, sticky="only"))
    assert by_gate(evidence)["quality"].n == 100


def test_latency_per_token_does_not_call_a_chattier_model_slow() -> None:
    text = "    gates: {latency: [{quantile: p50, signal: per_token}], quality: null, errors: null}\n"
    evidence = fresh(gates=text)
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


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("flush"), st.integers(0, 40), st.integers(0, 40), st.integers(0, 5), st.integers(1, 4000)),
        st.tuples(st.just("pair"), st.floats(0, 1), st.booleans(), st.sampled_from(["", "a", "b"])),
        st.tuples(st.just("verdicts")),
    ),
    max_size=40,
)


def _apply(evidence: Evidence, number: int, step: tuple[object, ...]) -> Evidence:
    match step:
        case ("flush", int(own), int(base), int(errors), int(ms)):
            sides = (
                side(B, base + errors, errors, ms=(float(ms),) * base),
                side(C, own, min(own, errors), ms=(ms / 2,), rescued=min(own, errors) // 2, rescues_failed=errors // 4),
            )
            return evidence.fold_outcomes(flush(number, *sides))
        case ("pair", float(score), bool(noise), str(sticky)):
            kind = PairKind.NOISE if noise else PairKind.CROSS
            return evidence.fold_scored(pair(score, 2000 + number, kind=kind, sticky=sticky))
        case _:
            evidence.verdicts(number)
            return evidence


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(0, 40), st.sampled_from([0.0, 10.0, 100.0]))
def test_a_restart_in_between_changes_nothing(steps: list[tuple[object, ...]], cut: int, percent: float) -> None:
    workload = workload_of(GATES)
    straight = Evidence.fresh(workload, percent, 1000)
    restarted = Evidence.fresh(workload, percent, 1000)
    for number, step in enumerate(steps):
        straight = _apply(straight, number, step)
        restarted = _apply(restarted, number, step)
        if number == cut:
            restarted = Evidence.from_json(workload, json.loads(json.dumps(restarted.to_json(), allow_nan=False)))
    last = ("pair", 0.5, False, "")  # what was shown before it is not kept over a restart
    straight, restarted = (_apply(evidence, len(steps), last) for evidence in (straight, restarted))
    assert restarted.verdicts(9000) == straight.verdicts(9000)
    assert restarted.to_json() == straight.to_json()
    assert restarted.sides() == straight.sides()


def test_the_state_is_small_after_much_and_varied_traffic() -> None:
    evidence = fresh()
    rng = np.random.default_rng(2)
    for k in range(300):
        ms = tuple(100 * rng.lognormal(0, 1.5, 60))
        evidence = evidence.fold_outcomes(
            flush(k, side(B, 60, ms=ms), side(C, 20, ms=ms[:20]), source=f"pod-{k % 100}")
        )
        evidence = evidence.fold_scored(pair(0.9, 2000 + k, sticky=f"user-{k}"))
        evidence.verdicts(k)
    assert len(json.dumps(evidence.to_json())) < 64 * 1024


def test_evidence_for_another_limit_starts_afresh_and_the_rest_goes_on() -> None:
    evidence = healthy(fresh(), 100)
    for i in range(50):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i))
    before = by_gate(evidence)
    changed = workload_of(GATES.replace("min_agreement: 0.85", "min_agreement: 0.9"))
    after = by_gate(Evidence.from_json(changed, evidence.to_json()))
    assert after["quality"].n == 0
    assert after["latency_p95"] == before["latency_p95"]


def test_rescues_are_the_candidates_requests_and_shown_beside_its_errors() -> None:
    evidence = healthy(fresh(), 4)
    before, _ = evidence.sides()
    evidence = evidence.fold_outcomes(flush(4, side(C, 9, 6, kind="failover", rescued=3, rescues_failed=2)))
    baseline, candidate = evidence.sides()
    assert baseline == before
    assert (candidate.requests, candidate.errors) == (49, 6)
    assert (candidate.rescued, candidate.rescues_failed, baseline.rescued) == (3, 2, 0)


@pytest.mark.parametrize("answered", [True, False])
def test_at_a_large_share_rescues_tell_a_broken_candidate_from_an_outage_of_both(answered: bool) -> None:
    evidence = fresh(95)
    for k in range(40):
        evidence = evidence.fold_outcomes(flush(k, side(B, 1), side(C, 19)))
    for k in range(40, 48):
        told = {"rescued": 3} if answered else {"rescues_failed": 3}
        evidence = evidence.fold_outcomes(flush(k, side(C, 3, 3, kind="failover", **told)))
    assert (by_gate(evidence)["errors_fast"].outcome == "fail") is answered
    assert by_gate(evidence)["candidate_down"].outcome != "fail"


@pytest.mark.parametrize("flushes", [0, 1, 100])
def test_a_stored_state_comes_back_as_it_was(flushes: int) -> None:
    before = healthy(fresh(), flushes)
    before.verdicts(1000 + flushes * 250)
    after = Evidence.from_json(workload_of(GATES), json.loads(json.dumps(before.to_json(), allow_nan=False)))
    assert after.to_json() == before.to_json()


def test_a_gate_that_the_configuration_adds_in_mid_step_starts_empty_and_the_rest_goes_on() -> None:
    without = "    gates: {quality: null, errors: {max_rate: 5%}, latency: []}\n"
    evidence = healthy(fresh(gates=without), 100)
    before = by_gate(evidence)
    after = by_gate(Evidence.from_json(workload_of(GATES), evidence.to_json()))
    assert after["errors_fast"] == before["errors_fast"]
    assert after["quality"].n == 0
    assert after["errors"].evidence == 0  # errors was a fixed rate before: another kind of gate
    assert {"errors_rate", "latency_p95", "split"} <= after.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(schema="another"), "must be of the schema"),
        (lambda raw: raw.pop("state"), "must be an object with the keys schema, state"),
        (lambda raw: raw["state"].pop(), "EvidenceState: must be a list of 11 values"),
        (lambda raw: raw["state"].__setitem__(1, "today"), "EvidenceState.started_ms: must be a whole number"),
        (lambda raw: raw["state"].__setitem__(0, float("nan")), "EvidenceState.percent: must be a finite number"),
        (lambda raw: raw["state"][-1][-1]["errors"].__setitem__(0, "X"), "gates.gates.errors: must be a list that beg"),
        (lambda raw: raw["state"][-1][-2]["ttft"][0][0].__setitem__(1, [-1]), "a count of -1"),
        (lambda raw: raw["state"][-1][-1]["errors"][2][2][0].pop(), "7 stakes for a grid of 8 alternatives"),
    ],
)
def test_a_state_that_does_not_fit_raises_an_input_error_with_its_place(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    raw = json.loads(json.dumps(healthy(fresh(), 10).to_json()))
    change(raw)
    with pytest.raises(InputError) as raised:
        Evidence.from_json(workload_of(GATES), raw)
    assert message in str(raised.value)


def test_verdicts_cost_little_and_nothing_when_nothing_new_came() -> None:
    evidence = healthy(fresh(), 200)
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
