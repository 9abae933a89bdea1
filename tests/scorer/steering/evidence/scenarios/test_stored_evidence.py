"""Stored evidence: restored unchanged, adapted to a changed configuration, refused if it does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath.outcome_summaries import AtFault, LocalReplies
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
                side(B, base + errors, errors, ms=(float(ms),) * base, copies=(base, errors // 3)),
                replace(
                    side(C, own, min(own, errors), ms=(ms / 2,), rescued=min(own, errors) // 2),
                    rescues_failed=errors // 4,
                    failed_at_both=errors // 8,
                    baseline_copies=own,
                    baseline_copies_failed=min(own, errors),
                ),
            )
            return evidence.fold_outcomes(flush(number, *sides))
        case ("pair", float(score), bool(noise), str(sticky)):
            kind = PairKind.NOISE if noise else PairKind.CROSS
            return evidence.fold_scored(pair(score, 2000 + number, kind=kind, sticky=sticky))
        case _:
            evidence.verdicts(number)
            return evidence


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(0, 40), st.sampled_from([0.0, 10.0, 100.0]))
def test_a_restart_within_a_step_changes_nothing(steps: list[tuple[object, ...]], cut: int, percent: float) -> None:
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


def _random_stream(seed: int, percent: float) -> list[Callable[[Evidence], object]]:
    """Return random operations on evidence: flushes, pairs, feedback and reads of verdicts, in any order.

    The candidate's share jumps, the candidate stands still and recovers, and Envoy fails some requests. So every gate
    has evidence, and requests of both sides are left out.
    """
    rng = np.random.default_rng(seed)
    done: list[Callable[[Evidence], object]] = []
    share, still, at_ms = 0.1 + 0.4 * rng.random(), 0, 1000
    for number in range(int(rng.integers(40, 160))):
        share = 0.1 + 0.8 * rng.random() if rng.random() < 0.03 else share
        still = int(rng.integers(2, 12)) if rng.random() < 0.03 else max(0, still - 1)
        own, base = int(rng.binomial(40, share)), int(rng.binomial(40, 1 - share))
        own = 0 if still else own * 8 if rng.random() < 0.02 else own
        errors = int(rng.binomial(own, 0.02))
        at_ms += 250 if rng.random() < 0.98 else int(rng.integers(0, 400_000))
        sides = (
            side(B, base, int(rng.binomial(base, 0.02)), ms=tuple(100 * rng.lognormal(0, 0.5, base))),
            side(
                C,
                own,
                errors,
                ms=tuple(110 * rng.lognormal(0, 0.5, own)),
                rescued=errors // 2,
                copies=(own - errors, int(rng.binomial(own - errors, 0.05))),
            ),
        )
        replies = (LocalReplies(C, Origin.LIVE, AtFault.ENVOY, {"overload": 1}),) * (rng.random() < 0.05)
        flushed = replace(flush(0, *sides, start_ms=at_ms), seq=number, local_replies=replies)
        done.append(lambda evidence, flushed=flushed: evidence.fold_outcomes(flushed))
        user, score, kind = f"user-{rng.integers(0, 12)}", float(rng.random()), PairKind.CROSS
        for kind in (PairKind.CROSS, PairKind.NOISE)[: int(rng.integers(0, 3))]:
            scored = pair(score, at_ms + number, kind=kind, sticky=user if percent else "")
            done.append(lambda evidence, scored=scored: evidence.fold_scored(scored))
        if rng.random() < 0.5:
            done.append(lambda evidence, at_ms=at_ms: evidence.verdicts(at_ms))
    return done


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 10.0, 50.0, 100.0]), st.data())
def test_evidence_that_is_stored_and_restored_again_and_again_never_differs(
    seed: int, percent: float, data: st.DataObject
) -> None:
    """After every later event, restored evidence has the same stored state and verdicts as evidence that stayed in
    memory.
    """
    workload, stream = workload_of(GATES), _random_stream(seed, percent)
    straight, restarted = (Evidence.fresh(workload, percent, 1000) for _ in range(2))
    restarts = data.draw(st.sets(st.integers(0, len(stream) - 1), min_size=1, max_size=6))
    for number, do in enumerate(stream):
        do(straight)
        do(restarted)
        if number in restarts:
            restarted = Evidence.from_json(workload, json.loads(json.dumps(restarted.to_json(), allow_nan=False)))
        if number % 10 == 0 or number in restarts:
            assert restarted.to_json() == straight.to_json()
    assert restarted.to_json() == straight.to_json()
    assert [v.outcome for v in restarted.verdicts(10**9)] == [v.outcome for v in straight.verdicts(10**9)]
    assert restarted.sides() == straight.sides()


@pytest.mark.slow
def test_the_state_stays_small_under_varied_traffic() -> None:
    evidence = fresh_evidence()
    rng = np.random.default_rng(2)
    for k in range(300):
        ms = tuple(100 * rng.lognormal(0, 1.5, 60))
        evidence = evidence.fold_outcomes(
            flush(k, side(B, 60, ms=ms), side(C, 20, ms=ms[:20]), source=f"pod-{k % 100}")
        )
        evidence = evidence.fold_scored(pair(0.9, 2000 + k, sticky=f"user-{k}"))
        evidence.verdicts(k)
    assert len(json.dumps(evidence.to_json())) < 80 * 1024


@pytest.mark.parametrize("flushes", [0, 1, 100])
def test_stored_evidence_is_restored_unchanged(flushes: int) -> None:
    before = with_healthy_flushes(fresh_evidence(), flushes)
    before.verdicts(1000 + flushes * 250)
    after = Evidence.from_json(workload_of(GATES), json.loads(json.dumps(before.to_json(), allow_nan=False)))
    assert after.to_json() == before.to_json()


def test_evidence_for_another_limit_starts_afresh_and_the_rest_goes_on() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 100)
    for i in range(50):
        evidence = evidence.fold_scored(pair(0.95, 2000 + i))
    before = by_gate(evidence)
    changed = workload_of(GATES.replace("min_agreement: 0.85", "min_agreement: 0.9"))
    after = by_gate(Evidence.from_json(changed, evidence.to_json()))
    assert after["sameness"].n == 0
    assert after["latency_p95"] == before["latency_p95"]


def test_a_gate_that_the_configuration_adds_in_mid_step_starts_empty_and_the_rest_goes_on() -> None:
    without = "    gates: {sameness: null, errors: {max_rate: 5%}, latency: []}\n"
    evidence = with_healthy_flushes(fresh_evidence(gates=without), 100)
    before = by_gate(evidence)
    after = by_gate(Evidence.from_json(workload_of(GATES), evidence.to_json()))
    assert after["errors_fast"] == before["errors_fast"]
    assert after["sameness"].n == 0
    assert after["errors"].evidence == 0  # errors was a fixed rate before: another kind of gate
    assert {"errors_rate", "latency_p95", "split"} <= after.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(schema="another"), "must be of the schema"),
        (lambda raw: raw.pop("state"), "must be an object with the keys schema, state"),
        (lambda raw: raw["state"].pop(), "Evidence: must be a list of 10 values"),
        (lambda raw: raw["state"].__setitem__(1, "today"), "Evidence.started_ms: must be a whole number"),
        (lambda raw: raw["state"].__setitem__(0, float("nan")), "Evidence.percent: must be a finite number"),
        (lambda raw: raw["state"][-1][-1].__setitem__("errors", []), "gates.gates.errors: must be a list that begins"),
        (lambda raw: raw["state"][-1][-2]["ttft"][0][0].__setitem__(1, [-1]), "a count of -1"),
        (lambda raw: raw["state"][-1][-1]["errors"][8][7][0][0][0].pop(), "7 parts for a grid of 8 alternatives"),
    ],
)
def test_a_state_that_does_not_fit_raises_an_input_error_with_its_place(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    raw = json.loads(json.dumps(with_healthy_flushes(fresh_evidence(), 10).to_json()))
    change(raw)
    with pytest.raises(InputError) as raised:
        Evidence.from_json(workload_of(GATES), raw)
    assert message in str(raised.value)
