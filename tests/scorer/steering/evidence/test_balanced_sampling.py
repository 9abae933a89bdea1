"""Every moment has the same weight on both sides: common drift and a changing split cancel in latency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import false_decision_tables, latency_cases
from bench.simulated_runs import AT
from glidepath.histogram import Histogram
from scorer.steering.evidence.balanced_sampling import UNITS, SideBalance
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.gate_observations import LatencyHistograms, LookDue
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.latency_samples import LatencySignal
from tests.support.evidence_builders import through_json

SLOW = Histogram.of([10_000.0] * 25)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("q", "drift"),
    [
        (0.99, false_decision_tables.UP_AND_SLOWER),
        (0.95, false_decision_tables.UP_AND_SLOWER),
        (0.95, false_decision_tables.DOWN_AND_SLOWER),
        (0.5, false_decision_tables.UP_AND_FASTER),
        (0.95, false_decision_tables.SLOWLY),
    ],
    ids=["p99 up and slower", "p95 up and slower", "p95 down and slower", "p50 up and faster", "p95 slowly"],
)
def test_common_drift_and_a_changing_split_decide_nothing_in_ten_runs_at_the_boundary(
    q: float, drift: latency_cases.Drift
) -> None:
    """The share of false decisions itself is measured by ``make bench-evidence``, over a thousand runs."""
    runs = latency_cases.latency_drift(10, 1, 1.2, q, drift, n=4000)
    assert runs.fail_rate == 0
    assert runs.pass_rate == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "drift",
    [
        false_decision_tables.UP_AND_SLOWER,
        false_decision_tables.UP_AND_FASTER,
        false_decision_tables.SLOWLY,
        false_decision_tables.DOWN_AND_SLOWER,
    ],
)
def test_an_equal_candidate_never_fails_because_of_common_drift(drift: latency_cases.Drift) -> None:
    assert latency_cases.latency_drift(20, 2, 1.0, 0.95, drift, n=4000).fail_rate == 0


@pytest.mark.slow
@pytest.mark.parametrize("drift", [false_decision_tables.DOWN_AND_SLOWER, false_decision_tables.UP_AND_FASTER])
def test_a_slower_candidate_fails_despite_drift_in_its_favour(drift: latency_cases.Drift) -> None:
    runs = latency_cases.latency_drift(10, 3, 1.6, 0.95, drift, n=8000)
    assert runs.fail_rate > 0.8
    assert runs.pass_rate == 0


@pytest.mark.slow
def test_a_share_that_rises_and_falls_with_the_latency_of_both_sides_fails_nobody() -> None:
    """When left-out requests could return hours later, equal sides failed in 8 of 12 such runs."""
    assert latency_cases.latency_day(4, 1, 1.0, 0.5, 0.3).fail_rate == 0


def left_out(share: float, flushes: int, size: int, seed: int) -> float:
    """Return the part of the rarer side's weight that is left out at a constant split."""
    balance, rng = SideBalance(), np.random.default_rng(seed)
    lost = total = 0
    for own in rng.binomial(size, share, flushes).tolist():
        parts = balance.leave_out(own, size - own)
        rarer = 0 if share < 0.5 else 1
        lost += parts[rarer] * (own, size - own)[rarer]
        total += UNITS * (own, size - own)[rarer]
    return lost / total


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_constant_split_costs_little(share: float) -> None:
    assert np.mean([left_out(share, 2000, 20, seed) for seed in range(5)]) < 0.09


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=120))
def test_weighted_counts_stay_in_proportion_under_any_split(flushes: list[tuple[int, int]]) -> None:
    balance = SideBalance()
    for _ in range(200):
        balance.leave_out(1, 9)
    excess = 0.0
    for own, base in flushes:
        if min(balance.state[:2]) > 4000:
            break
        odds = balance.odds
        left_own, left_base = balance.leave_out(own, base)
        excess += own * (1 - left_own / UNITS) / max(1, odds) - base * (1 - left_base / UNITS) * min(1, odds)
        if balance.odds != odds:  # a better guess of the proportion
            excess = balance.excess
        assert abs(excess) <= 4.0 + 60 / UNITS


def gate() -> tuple[LatencyGate, LatencySignal]:
    signal = LatencySignal()
    return LatencyGate(GateSpec("latency_p99", GateKind.LATENCY, 1.2, "ratio", AT, AT), 0.99, signal), signal


def test_a_candidate_with_standstills_does_not_pass() -> None:
    latency, signal = gate()
    rng = np.random.default_rng(4)
    for k in range(1600):
        phase = k % 200  # 50 s: a standstill of 5 s, then the delayed requests end within a second
        still, burst = phase in range(100, 120), phase in range(120, 124)
        own = Histogram() if still else Histogram.of(100 * rng.lognormal(0, 0.5, 5))
        signal.add(
            LatencyHistograms("total", own + SLOW if burst else own, Histogram.of(100 * rng.lognormal(0, 0.5, 45)))
        )
        latency.look(LookDue())
    assert not latency.proven


def test_values_left_out_of_the_evidence_are_counted() -> None:
    _, signal = gate()
    for _ in range(50):
        signal.add(LatencyHistograms("total", Histogram.of([100.0]), Histogram.of([100.0] * 9)))
    for _ in range(50):
        signal.add(LatencyHistograms("total", Histogram.of([300.0] * 5), Histogram.of([300.0] * 5)))
    assert signal.candidate.total == 300
    assert signal.candidate.quantile(0.5) == pytest.approx(300, rel=0.01)
    assert signal.candidate.weighed[-1] == pytest.approx(50 + 250 / 9, rel=0.25)  # as well as the proportion is known
    assert signal.candidate.weighed_quantile(0.5) == pytest.approx(100, rel=0.01)


def test_a_histogram_with_and_without_something_left_out_can_be_restored_from_json() -> None:
    plain, uneven = DenseHistogram(), DenseHistogram()
    plain.add(Histogram.of([1.0, 50.0, 0.0]))
    uneven.add(Histogram.of([1.0, 50.0, 0.0]), 64)
    uneven.add(Histogram.of([70.0]), 128)
    for one in (plain, uneven):
        twin = DenseHistogram()
        twin.restore(through_json(one.state))
        assert twin.state == one.state
        assert twin.total == one.total
        assert twin.weighed.tolist() == one.weighed.tolist()
    assert uneven.weighed[-1] == 3 * 0.75 + 0.5
    assert uneven.copy().weighed.tolist() == uneven.weighed.tolist()
    assert uneven.less(plain).weighed[-1] == pytest.approx(uneven.weighed[-1] - plain.weighed[-1])
