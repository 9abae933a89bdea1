"""What a gate has come to keep since a state was stored begins with what the step has counted, not with nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glidepath.domain import Side
from glidepath.records import Verdict
from scorer.steering.evidence import Evidence
from tests.support.evidence import flush, side, workload_of

GATES = "    gates: {errors: {max_increase: 1%}, quality: null, latency: []}\n"


def step(own: int, own_errors: int, flushes: int = 100) -> Evidence:
    evidence = Evidence.fresh(workload_of(GATES), 10, 1000)
    for seq in range(flushes):
        candidate = side(Side.CANDIDATE, own, own_errors if seq % 10 == 0 else 0)
        evidence.fold_outcomes(flush(seq, candidate, side(Side.BASELINE, 36)))
    evidence.verdicts(1000 + flushes * 250)
    return evidence


def without(evidence: Evidence, gate: str, parts: int) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(json.dumps(evidence.to_json()))
    raw["engine"]["gates"][gate] = raw["engine"]["gates"][gate][:-parts]
    return raw


def verdict(evidence: Evidence, gate: str) -> Verdict:
    return next(v for v in evidence.verdicts(30_000) if v.gate == gate)


def test_the_increase_of_errors_goes_on_from_the_whole_step() -> None:
    before = step(4, 4)
    after = Evidence.from_json(workload_of(GATES), without(before, "errors", 1))
    assert verdict(after, "errors").value == pytest.approx(0.1, rel=0.1)
    for seq in range(100, 110):  # 1 s: a block without errors
        after.fold_outcomes(flush(seq, side(Side.CANDIDATE, 4), side(Side.BASELINE, 36)))
    after.verdicts(30_000)
    assert verdict(after, "errors").value == pytest.approx(0.09, rel=0.1)


def test_a_split_that_failed_still_shows_what_it_has_seen() -> None:
    before = step(18, 0)
    after = Evidence.from_json(workload_of(GATES), without(before, "split", 2))
    shown = verdict(after, "split")
    assert shown.outcome == "fail"
    assert shown.n == verdict(before, "split").n > 5000
    assert shown.value == pytest.approx(1 / 3, rel=0.01)


@pytest.mark.parametrize("flushes", [0, 1, 100])
def test_a_state_of_today_is_taken_as_it_is(flushes: int) -> None:
    before = step(4, 1, flushes)
    after = Evidence.from_json(workload_of(GATES), json.loads(json.dumps(before.to_json())))
    assert after.to_json() == before.to_json()
