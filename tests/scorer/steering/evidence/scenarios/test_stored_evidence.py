"""Stored evidence: restored unchanged, adapted to a changed configuration, refused if it does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath.pairs_and_outcomes import PairKind, Side
from scorer.steering.evidence import Evidence
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
    assert len(json.dumps(evidence.to_json())) < 64 * 1024


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
        (lambda raw: raw["state"].pop(), "EvidenceState: must be a list of 9 values"),
        (lambda raw: raw["state"].__setitem__(1, "today"), "EvidenceState.started_ms: must be a whole number"),
        (lambda raw: raw["state"].__setitem__(0, float("nan")), "EvidenceState.percent: must be a finite number"),
        (lambda raw: raw["state"][-1][-1]["errors"].__setitem__(0, "X"), "gates.gates.errors: must be a list that beg"),
        (lambda raw: raw["state"][-1][-2]["ttft"][0][0].__setitem__(1, [-1]), "a count of -1"),
        (lambda raw: raw["state"][-1][-1]["errors"][3][2][2][0][0].pop(), "7 stakes for a grid of 8 alternatives"),
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
