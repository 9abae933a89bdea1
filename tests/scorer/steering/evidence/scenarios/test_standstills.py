"""A candidate with standstills fails, although its delayed requests end all at once and then exceed its share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from bench.simulated_runs import AT
from glidepath.histogram import Histogram
from scorer.steering.evidence.balanced_sampling import UNITS, WINDOW_MS, SideBalance
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.gate_observations import LatencyHistograms, LookDue
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.latency_samples import LatencySignal
from tests.support.evidence_builders import through_json

EVERY_S, FROM_S = 300.0, 200.0
RPS = 60
Course = Callable[[np.ndarray], np.ndarray]


class Result(NamedTuple):
    gate: LatencyGate
    passed: bool  # at any time
    untrue: bool  # whether it passed while the clients' latencies were beyond the limit
    seconds: float  # until it failed, or until the end of the simulation


def gate_of(q: float) -> tuple[LatencyGate, LatencySignal]:
    signal = LatencySignal()
    return LatencyGate(GateSpec("latency_p99", GateKind.LATENCY, 1.2, "ratio", AT, AT), q, signal), signal


def delay(at: np.ndarray, seconds: float) -> np.ndarray:
    phase = (at - FROM_S) % EVERY_S
    return np.where((at >= FROM_S) & (phase < seconds), seconds - phase, 0.0)


def steps(*values: float) -> Course:
    """Return a function of time with three values: from the beginning, from 60 s and from 150 s on."""
    return lambda at: np.array(values)[np.searchsorted((60.0, 150.0), at)]


def simulated(
    share: Course | float,
    *,
    seconds: float = 600,
    still: float = 0.0,
    part: float = 1.0,
    base_still: float = 0.0,
    slow: Course | None = None,
    ratio: float = 1.0,
    q: float = 0.99,
    seed: int = 1,
) -> Result:
    """Simulate requests that end in flushes of 250 ms; the gate looks once a second.

    ``part``: the part of the candidate's requests that a standstill delays.
    """
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, seconds, int(RPS * seconds))
    own = rng.uniform(size=len(at)) < (share(at) if callable(share) else share)
    took = 0.2 * rng.lognormal(0, 0.4, len(at)) * np.where(own, ratio, 1.0) * (slow(at) if slow else 1.0)
    took += np.where(own, delay(at, still) * (rng.uniform(size=len(at)) < part), delay(at, base_still))
    gate, signal = gate_of(q)
    flushes = ((at + took) * 4).astype(int)
    order = np.argsort(flushes, kind="stable")
    passed = untrue = False
    for k, flush in enumerate(np.split(order, np.flatnonzero(np.diff(flushes[order])) + 1)):
        ours = own[flush]
        signal.add(
            LatencyHistograms(
                "total",
                Histogram.of(1000 * took[flush[ours]]),
                Histogram.of(1000 * took[flush[~ours]]),
                int(flushes[flush[0]]) * 250,
            )
        )
        if k % 4 == 0:
            gate.look(LookDue(everything=True))
            passing = gate.proven and gate.within
            passed = passed or passing
            untrue = untrue or (passing and plain_ratio(signal, q) > 1.2)
            if gate.failed:
                return Result(gate, passed, untrue, flushes[flush[0]] / 4)
    return Result(gate, passed, untrue, seconds)


def plain_ratio(signal: LatencySignal, q: float) -> float:
    own, base = signal.candidate.quantile(q), signal.baseline.quantile(q)
    return own / base if own is not None and base else 0.0


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("part", [1.0, 0.5], ids=["all", "half"])
def test_a_standstill_after_a_pass_fails_the_candidate(share: float, part: float) -> None:
    result = simulated(share, still=10, part=part)
    assert result.gate.failed
    assert result.seconds < FROM_S + 10 + 15
    assert not result.untrue


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_standstills_of_both_sides_do_not_fail_the_candidate(share: float) -> None:
    together = simulated(share, still=10, base_still=10)
    assert not together.gate.failed
    assert together.passed
    for own, base in ((10, 9.0), (9.0, 10)):
        assert not simulated(share, still=own, base_still=base).gate.failed


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_standstill_of_the_baseline_does_not_fail_the_candidate(share: float) -> None:
    result = simulated(share, base_still=10)
    assert not result.gate.failed
    assert result.passed


@pytest.mark.slow
@pytest.mark.parametrize("q", [0.95, 0.99])
@pytest.mark.parametrize("share", [(0.3, 0.1, 0.6), (0.5, 0.1, 0.8), (0.3, 0.02, 0.5)])
@pytest.mark.parametrize("slow", [(1, 1, 3), (1, 3, 1), (3, 1, 3)], ids=["at last", "meanwhile", "but meanwhile"])
def test_a_split_that_changes_and_returns_is_not_taken_for_a_standstill(
    q: float, share: tuple[float, float, float], slow: tuple[float, float, float]
) -> None:
    for seed in range(2):
        course = {"seconds": 300.0, "slow": steps(*slow), "q": q, "seed": seed}
        assert not simulated(steps(*share), **course).gate.failed
        assert not simulated(steps(*share), ratio=1.5, **course).passed


def test_a_standstill_at_the_very_beginning_does_not_determine_the_proportion() -> None:
    balance = SideBalance()
    for own, base in [(0, 1)] * 40 + [(20, 2), (160, 1), (160, 1)] + [(9, 1)] * 100:
        balance.leave_out(own, base)
    assert balance.odds == pytest.approx(9, rel=0.1)


def left_after(flushes: list[tuple[int, int]], pause: tuple[int, int] = (0, 0)) -> list[float]:
    """Return the share of the left-out requests that was never counted: the candidate's and the baseline's.

    ``pause``: the number of a flush, and the time that passes before it, in milliseconds.
    """
    balance = SideBalance()
    for _ in range(300):
        balance.leave_out(5, 5)
    left, may, ever = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for number, (own, base) in enumerate(flushes):
        at_ms = WINDOW_MS + pause[1] * (number >= pause[0])
        parts, returns = balance.leave_out(own, base, at_ms), balance.returns
        for k, (part, n, back) in enumerate(
            zip(parts, (own, base), (returns.candidate, returns.baseline), strict=True)
        ):
            may[k] *= returns.windows_ended < 2
            left[k] += part * n / UNITS - may[k] * back
            may[k] += part * n / UNITS - may[k] * back
            ever[k] += part * n / UNITS
    return [part / all_ if all_ else 0.0 for part, all_ in zip(left, ever, strict=True)]


def test_requests_left_out_during_a_standstill_count_once_the_split_is_restored() -> None:
    still = [(0, 5)] * 40 + [(205, 5)]
    assert min(left_after(still)) > 0.99  # the standstill may not be over
    assert max(left_after(still + [(5, 5)] * 60)) < 0.3


def test_requests_left_out_some_minutes_ago_stay_left_out() -> None:
    """Otherwise a share that rises and falls with the day would be taken for a standstill of hours."""
    still, then = [(0, 5)] * 40, [(205, 5)] + [(5, 5)] * 60
    assert max(left_after(still + then)) < 0.3
    assert min(left_after(still + then, pause=(40, 2 * WINDOW_MS))) > 0.9


def test_requests_left_out_stay_left_out_after_a_lasting_change_of_the_split() -> None:
    assert min(left_after([(1, 5)] * 50 + [(9, 5)] * 200)) > 0.9


def test_a_gate_shows_the_worse_of_the_weighted_ratio_and_the_ratio_of_all_requests() -> None:
    gate, signal = gate_of(0.5)
    for _ in range(50):
        signal.add(LatencyHistograms("total", Histogram.of([100.0]), Histogram.of([100.0] * 9)))
    for _ in range(50):
        signal.add(LatencyHistograms("total", Histogram.of([300.0] * 5), Histogram.of([300.0] * 5)))
    gate.look(LookDue())
    assert signal.candidate.weighed_quantile(0.5) == pytest.approx(100, rel=0.01)
    assert gate.value == pytest.approx(3, rel=0.02)
    assert not gate.within


def test_the_part_that_may_still_count_can_be_restored_from_json() -> None:
    signal, twin = LatencySignal(judged=True), LatencySignal(judged=True)
    for own, base in [(5, 5)] * 100 + [(0, 5)] * 40 + [(205, 5)]:
        signal.add(LatencyHistograms("total", Histogram.of([200.0] * own), Histogram.of([100.0] * base)))
    twin.restore(through_json(signal.state))
    for one in (signal, twin):
        for _ in range(60):
            one.add(LatencyHistograms("total", Histogram.of([100.0] * 5), Histogram.of([100.0] * 5)))
    for mine, its in ((signal.candidate, twin.candidate), (signal.baseline, twin.baseline)):
        assert its.state == mine.state
    assert DenseHistogram().weighed[-1] == 0
