from __future__ import annotations

import numpy as np
import pytest

from bench import error_cases
from bench.simulated_runs import AT, upper_limit
from glidepath.status_and_decisions import GateOutcome
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.split_gate import SplitGate, SplitTest
from scorer.steering.evidence.verdicts import outcome_of
from tests.support.evidence_builders import through_json


@pytest.mark.slow
def test_a_split_as_configured_does_not_fail() -> None:
    runs = 100
    assert error_cases.split(runs, 1, 0.1, 0.1, n=1500).fail_rate <= upper_limit(runs)


@pytest.mark.slow
def test_a_split_of_15_instead_of_10_percent_is_detected() -> None:
    assert np.median(error_cases.split(20, 2, 0.15, 0.1).fail) < 3000


def test_a_split_as_configured_passes_in_time() -> None:
    guard = SplitTest(0.1)
    for _ in range(400):
        guard.update(1, 9)
    assert guard.log_pass > AT


def gate() -> SplitGate:
    return SplitGate(GateSpec("split", GateKind.SPLIT, 0.1, "share", AT, AT, guard=True))


def feed(split: SplitGate, share: float, flushes: int, seed: int) -> None:
    for own in np.random.default_rng(seed).binomial(20, share, flushes).tolist():
        split.add(own, 20 - own)


def test_a_corrected_split_passes_again_however_long_it_was_wrong() -> None:
    split = gate()
    feed(split, 0.3, 2000, 1)
    assert outcome_of(split) is GateOutcome.FAIL
    feed(split, 0.1, 200, 2)
    assert outcome_of(split) is GateOutcome.PASS
    assert split.value == pytest.approx(0.1, abs=0.02)
    feed(split, 0.3, 200, 3)
    assert outcome_of(split) is GateOutcome.FAIL


@pytest.mark.slow
def test_a_split_that_stays_wrong_never_passes_again() -> None:
    for seed in range(40):
        split = gate()
        feed(split, 0.3, 20, seed)
        assert split.failed
        feed(split, 0.16, 500, 100 + seed)  # beyond the split that counts as correct
        assert split.failed


def test_the_recovery_after_an_alarm_can_be_restored_from_json() -> None:
    split, twin = gate(), gate()
    feed(split, 0.3, 50, 4)
    feed(split, 0.1, 20, 5)
    twin.restore(through_json(split.state))
    assert twin.state == split.state
    for one in (split, twin):
        feed(one, 0.1, 200, 6)
    assert twin.message() == split.message()
    assert outcome_of(twin) is outcome_of(split) is GateOutcome.PASS


@pytest.mark.parametrize("before", [0, 100, 20_000])
def test_a_candidate_that_gets_half_by_the_weights_and_nothing_in_fact_is_no_pass(before: int) -> None:
    split = SplitGate(GateSpec("split", GateKind.SPLIT, 0.5, "share", AT, AT, guard=True))
    split.add(before, before)
    missed = 0
    while outcome_of(split) is not GateOutcome.FAIL:
        missed += 1
        split.add(0, 1)
    assert missed <= 60
