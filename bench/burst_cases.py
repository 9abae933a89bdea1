"""Simulations of live requests whose errors come in bursts, and of clients that disconnect before an answer."""

from __future__ import annotations

import math

import numpy as np

from bench.simulated_runs import Runs, chat_workload
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import GateOutcome
from scorer.steering.evidence.accumulator import Evidence

BURSTS = (
    "sticky: {random: true}, shadow: {same_side: 0}, gates: {errors: {max_increase: 0.5%}, sameness: null, latency: []}"
)


def bursts(
    runs: int,
    seed: int,
    share: float,
    parts: tuple[float, float] = (0.005, 0.005),
    *,
    per_second: float = 20.0,
    seconds: int = 1800,
) -> Runs:
    """Return the numbers of the candidate's requests until a step is rolled back, and until ``errors`` passes.

    ``parts``: the shares of the candidate's and of the baseline's requests that fail in bursts, three to five together
    within half a second. Another 0.1 % fail one by one.
    """
    rng, workload = np.random.default_rng(seed), chat_workload(BURSTS)
    fails, passes = [], []
    for _ in range(runs):
        evidence, fail, passed = Evidence.fresh(workload, 100 * share, 0), math.inf, math.inf
        for k in range(2 * seconds):
            evidence.fold_outcomes(_bursty(rng, k, share, per_second / 2, parts))
            if k % 4:
                continue
            verdicts = evidence.verdicts(500 * k)
            if passed == math.inf and any(v.gate == "errors" and v.outcome == "pass" for v in verdicts):
                passed = evidence.requests()
            if any(v.outcome == "fail" and v.rolls_back for v in verdicts):
                fail = evidence.requests()
                break
        fails.append(fail)
        passes.append(passed)
    return Runs(np.array(fails), np.array(passes))


def _bursty(rng: np.random.Generator, k: int, share: float, mean: float, parts: tuple[float, float]) -> Outcomes:
    n = int(rng.poisson(mean))
    own = int(rng.binomial(n, share))
    requests = [own, n - own]
    errors = [int(rng.binomial(m, 0.001)) for m in requests]
    for i, expected in enumerate((mean * share * parts[0], mean * (1 - share) * parts[1])):
        burst = int(rng.integers(3, 6)) if rng.random() < expected / 4 else 0
        errors[i] += burst
        requests[i] += burst
    sides = (
        SideOutcomes(side, Origin.LIVE, requests[i], errors[i], {"reset": errors[i]} if errors[i] else {})
        for i, side in enumerate((Side.CANDIDATE, Side.BASELINE))
    )
    return Outcomes("chat", "simulated", k, 500 * k, 500 * k + 500, tuple(sides))


def leaving_clients(runs: int, seed: int, share: float, *, slower: float = 1.0, hung: float = 0.0) -> Runs:
    """Return the number of clients that are counted until ``clients_leave`` fails.

    A client without an answer disconnects after a random time, 12 s on average. The baseline answers after about 1.5 s
    (lognormal, σ 0.5), the candidate after ``slower`` times as long. The candidate never answers the part ``hung`` of
    its requests. 20 requests arrive each second. ``passed`` is always infinite.
    """
    rng, workload, fails = np.random.default_rng(seed), chat_workload(BURSTS), []
    for _ in range(runs):
        evidence, fail = Evidence.fresh(workload, 100 * share, 0), math.inf
        for k in range(600):
            own = int(rng.binomial(10, share))
            sides = (
                _leaving(rng, Side.CANDIDATE, own, slower, hung),
                _leaving(rng, Side.BASELINE, 10 - own, 1.0, 0.0),
            )
            evidence.fold_outcomes(Outcomes("chat", "simulated", k, 500 * k, 500 * k + 500, sides))
            verdict = next(v for v in evidence.verdicts(500 * k) if v.gate == "clients_leave")
            if verdict.outcome == GateOutcome.FAIL.value:
                fail = verdict.n
                break
        fails.append(fail)
    return Runs(np.array(fails), np.full(runs, math.inf))


def _leaving(rng: np.random.Generator, side: Side, n: int, slower: float, hung: float) -> SideOutcomes:
    answer, patience = 1500 * slower * rng.lognormal(0, 0.5, n), rng.exponential(12_000, n)
    answer[rng.random(n) < hung] = math.inf
    left = patience < answer
    times, waits = Histogram.of(answer[~left]), Histogram.of(patience[left])
    return SideOutcomes(
        side, Origin.LIVE, len(answer) - int(left.sum()), client_aborts=int(left.sum()), latency_ms=times,
        aborted_ms=waits,
    )  # fmt: skip
