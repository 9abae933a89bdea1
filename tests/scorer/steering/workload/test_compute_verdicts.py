"""The moments at which verdicts are rebuilt: for each status, and as soon as a gate decides otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.config import parse_config
from glidepath.outcome_summaries import Outcomes
from glidepath.sides import Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.leader.wiring import evidence_kind
from scorer.steering.workload.compute_verdicts import JUDGE_MS, judge
from scorer.steering.workload.steady_time import SteadyTime
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import STATUS_MS, WorkloadState, new_state
from tests.support.evidence_builders import side

B, C = Side.BASELINE, Side.CANDIDATE


@pytest.fixture
def state(valid_yaml: str) -> WorkloadState:
    spec = WorkloadSpec.of("chat", parse_config(valid_yaml), evidence_kind())
    return new_state(spec, SteadyTime(1000), percent=50)


def flush(number: int, at_ms: int, errors: int = 0) -> Outcomes:
    return Outcomes("chat", "pod", number, at_ms - 10, at_ms, (side(B, 20), side(C, 20, errors)))


def ticks(state: WorkloadState, until_ms: int, errors_at_ms: int = 0) -> list[WorkloadState]:
    """Return the state after each tick, one every 250 ms. ``errors_at_ms``: the time of a tick with failures."""
    found, at_ms = [], 1000
    while at_ms < until_ms:
        last_ms, at_ms = at_ms, at_ms + 250
        failed = at_ms == errors_at_ms
        state.evidence.fold_outcomes(flush(at_ms, at_ms, errors=20 * failed))
        state = replace(state, recent=replace(state.recent, candidate_failed=failed))
        state = judge(state, last_ms, at_ms)
        found.append(state)
    return found


def test_verdicts_are_built_once_a_second_while_no_gate_decides_otherwise(state: WorkloadState) -> None:
    states = ticks(state, 11_000)
    assert states[0].judged.verdicts
    built = {one.judged.at_ms for one in states if one.judged.at_ms > 3000}
    assert len(built) == 8000 // STATUS_MS
    assert JUDGE_MS < STATUS_MS


@pytest.mark.parametrize("late_ms", [0, 250, 500, 750])
def test_a_candidate_that_fails_is_judged_in_the_same_tick(state: WorkloadState, late_ms: int) -> None:
    states = ticks(state, 6000 + late_ms, errors_at_ms=6000 + late_ms)
    assert "errors_fast" in [v.gate for v in states[-1].judged.verdicts if v.outcome == "fail"]
    assert not [v for v in states[-2].judged.verdicts if v.outcome == "fail"]


def test_the_gates_still_decide_as_in_their_verdicts_if_and_only_if_new_ones_say_so(state: WorkloadState) -> None:
    evidence, before, kept, changed = state.evidence, state.evidence.verdicts(1000), 0, 0
    assert isinstance(evidence, Evidence)
    for number in range(60):
        evidence.fold_outcomes(flush(number, 1250 + 250 * number, errors=3 * (number > 40)))
        says, now = evidence.still_decides(before), evidence.verdicts(1250 + 250 * number)
        differ = _decisions(now) != _decisions(before)
        assert says is not differ
        before, kept, changed = now, kept + says, changed + differ
    assert kept > 30
    assert changed >= 2


def _decisions(verdicts: tuple[Verdict, ...]) -> list[tuple[str, bool, bool]]:
    return [(v.outcome, v.blocks_step, v.guard) for v in verdicts]
