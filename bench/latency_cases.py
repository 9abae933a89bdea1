"""Simulations of the latency gate on live requests: steady, cold at first, with a drift, and over a day."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.simulated_runs import AT, Runs, chat_workload, decided
from glidepath.histogram import MIN_INDEX, Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import GateOutcome
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.gate_observations import LatencyHistograms, LookDue
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.latency_ratio_test import LatencyTest
from scorer.steering.evidence.latency_samples import LatencySignal

COLD = "shadow: {same_side: 0}, gates: {errors: null, latency: {quantile: p95}}"


def cold_start(runs: int, seed: int, *, cold: int = 50, factor: float = 5.0, warm_up: int | None = None) -> float:
    """Return the share of runs in which an equal candidate with a cold start fails at 0 %.

    Its first ``cold`` answers take ``factor`` times as long. Every request is copied, and five requests end with each
    flush. ``warm_up``: the ramp's setting; None: its default.
    """
    rng, workload, failed = np.random.default_rng(seed), chat_workload(COLD), 0
    ramp = workload.ramp.model_copy(update={"warm_up": warm_up})
    workload = workload.model_copy(update={"ramp": ramp})
    for _ in range(runs):
        evidence, own = Evidence.fresh(workload, 0, 0), 300 * rng.lognormal(0, 0.5, 2000)
        own[:cold] *= factor
        for at in range(0, len(own), 5):
            sides = (
                SideOutcomes(Side.CANDIDATE, Origin.SHADOW, 5, latency_ms=Histogram.of(own[at : at + 5])),
                SideOutcomes(Side.BASELINE, Origin.LIVE, 5, latency_ms=Histogram.of(300 * rng.lognormal(0, 0.5, 5))),
            )
            evidence.fold_outcomes(Outcomes("chat", "simulated", at, at * 1000, at * 1000 + 5000, sides))
            if at % 25 == 0 and _failed(evidence, "latency_p95"):
                break
        failed += _failed(evidence, "latency_p95")
    return failed / runs


def _failed(evidence: Evidence, gate: str) -> bool:
    found = decided(evidence, gate)
    return found is not None and found.outcome == GateOutcome.FAIL.value


def latency(
    runs: int,
    seed: int,
    ratio: float,
    q: float,
    *,
    n: int,
    baseline: int = 20,
    limit: float = 1.2,
    growth: float = 1.01,
    sigma: float = 0.5,
) -> Runs:
    """Test quantile ``q`` of lognormal latencies with ``sigma``. The candidate is ``ratio`` times as slow.

    ``baseline`` is the number of the baseline's requests for each request of the candidate. If ``ratio`` equals
    ``limit``, both failing and passing are false decisions.
    """
    rng = np.random.default_rng(seed)
    fails, passes = [], []
    for _ in range(runs):
        own, base = DenseHistogram(), DenseHistogram()
        c = _slots(300 * ratio * rng.lognormal(0, sigma, n))
        b = _slots(300 * rng.lognormal(0, sigma, n * baseline))
        test = LatencyTest(q, limit, 1 / (1 + baseline))
        fail = passed = math.inf
        at = 0
        while at < n and min(fail, passed) == math.inf:
            until = min(n, max(at + 1, math.ceil(at * growth)))
            own.add_slots(c[at:until])
            base.add_slots(b[at * baseline : until * baseline])
            at = until
            test.look(own, base)
            fail = at if test.log_fail >= AT else math.inf
            passed = at if test.log_pass >= AT else math.inf
        fails.append(fail)
        passes.append(passed)
    return Runs(np.array(fails), np.array(passes))


@dataclass(frozen=True, slots=True)
class Drift:
    """The candidate's share and a factor of both sides' latencies, as functions of the elapsed part of a run.

    The elapsed part is a number from 0 to 1.
    """

    share: Callable[[float], float]
    slow: Callable[[float], float]


def latency_drift(runs: int, seed: int, ratio: float, q: float, drift: Drift, *, n: int = 6000) -> Runs:
    """Test quantile ``q`` as ``latency`` does, but with a drift, and in flushes with ten requests in total."""
    rng = np.random.default_rng(seed)
    spec = GateSpec("latency_p99", GateKind.LATENCY, 1.2, "ratio", AT, AT)
    fails, passes = [], []
    for _ in range(runs):
        signal = LatencySignal()
        gate = LatencyGate(spec, q, signal)
        for part in np.arange(0, 1, 10 / n):
            own = int(rng.binomial(10, drift.share(part)))
            ms = 100 * drift.slow(part) * rng.lognormal(0, 0.5, 10)
            at_ms = round(part * n / 10) * 250
            signal.add(LatencyHistograms("total", Histogram.of(ms[:own] * ratio), Histogram.of(ms[own:]), at_ms))
            gate.look(LookDue())
            if gate.failed or gate.proven:
                break
        fails.append(gate.n if gate.failed else math.inf)
        passes.append(gate.n if gate.proven else math.inf)
    return Runs(np.array(fails), np.array(passes))


_HOUR_MS = 3_600_000


def latency_day(
    runs: int, seed: int, ratio: float, q: float, share: float, *, days: int = 2, an_hour: int = 3000
) -> Runs:
    """Test quantile ``q`` while the share and both sides' latencies rise and fall with the day, in phase.

    The share moves between a third of ``share`` and 5/3 of it, the latencies between half of their mean and 1.5 times
    it. ``an_hour``: the number of requests per hour. A flush contains the requests of two minutes.
    """
    rng = np.random.default_rng(seed)
    spec = GateSpec("latency_p99", GateKind.LATENCY, 1.2, "ratio", AT, AT)
    fails, passes = [], []
    for _ in range(runs):
        signal = LatencySignal()
        gate = LatencyGate(spec, q, signal, share)
        for number in range(days * 24 * 30):
            wave = math.sin(2 * math.pi * number / (24 * 30))
            n = int(rng.poisson(an_hour / 30))
            own = int(rng.binomial(n, share * (1 + wave / 1.5)))
            ms = 100 * (1 + 0.5 * wave) * rng.lognormal(0, 0.5, n)
            at_ms = number * _HOUR_MS // 30
            signal.add(LatencyHistograms("total", Histogram.of(ms[:own] * ratio), Histogram.of(ms[own:]), at_ms))
            gate.look(LookDue())
            if gate.failed:
                break
        fails.append(gate.n if gate.failed else math.inf)
        passes.append(gate.n if gate.proven else math.inf)
    return Runs(np.array(fails), np.array(passes))


def _slots(values: np.ndarray) -> np.ndarray:
    slots: np.ndarray = np.ceil(np.log2(values) * 64).astype(np.int64) - MIN_INDEX
    return slots
