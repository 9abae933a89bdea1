"""Simulations of the sameness gates, and of a naive test with as many looks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.simulated_runs import AT, Runs, chat_workload, decided
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.status_and_decisions import GateOutcome
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.betting import MeanTest, score_of_difference


def quality(runs: int, seed: int, mean: float, *, sd: float = 0.15, delta: float = 0.03, n: int = 3000) -> Runs:
    """Test the mean of random differences against the limit -``delta``.

    The differences have a normal distribution with ``mean`` and ``sd``, and are clipped to [-1, 1].
    """
    rng = np.random.default_rng(seed)
    fails, passes = [], []
    for _ in range(runs):
        test = MeanTest(score_of_difference(delta))
        fail = passed = math.inf
        for x in ((np.clip(rng.normal(mean, sd, n), -1, 1) + 1) / 2).tolist():
            test.update(x)
            if fail == math.inf and test.log_fail >= AT:
                fail = test.n
            if passed == math.inf and test.log_pass >= AT:
                passed = test.n
        fails.append(fail)
        passes.append(passed)
    return Runs(np.array(fails), np.array(passes))


@dataclass(frozen=True, slots=True)
class Crowd:
    """The requests of one heavy user and of a hundred other users.

    ``heavy_share`` is the heavy user's share of the requests. ``heavy`` and ``others`` are the baseline's agreement
    with itself: for the heavy user, and for the other users.
    """

    heavy_share: float
    heavy: float
    others: float


MARGIN = (
    "sticky: {header: x-user}, shadow: {same_side: 30}, "
    "gates: {sameness: {margin: 0.05, min_samples: 20}, errors: null, latency: []}"
)


def margin(runs: int, seed: int, crowd: Crowd, worse: float, *, n: int = 4000) -> Runs:
    """Test the margin of 0.05 on pairs of several users. The candidate's agreement is lower by ``worse``.

    Repeated pairs of one user are discounted as in production. The result is a number of noise pairs.
    """
    rng = np.random.default_rng(seed)
    workload = chat_workload(MARGIN)
    fails, passes = [], []
    for _ in range(runs):
        evidence, at = (
            Evidence.fresh(workload, 10, 0),
            {GateOutcome.FAIL.value: math.inf, GateOutcome.PASS.value: math.inf},
        )
        heavy, who = rng.random(n) < crowd.heavy_share, rng.integers(0, 100, n)
        again, noises = rng.random(n) < 0.3, np.clip(rng.normal(0, 0.05, (2, n)), -0.15, 0.15)
        for i in range(n):
            base, user = (crowd.heavy, "loud") if heavy[i] else (crowd.others, f"user-{who[i]}")
            scores = [(PairKind.CROSS, base - worse + noises[0, i])]
            scores += [(PairKind.NOISE, base + noises[1, i])] * bool(again[i])
            for kind, score in scores:
                evidence.fold_scored(_pair(i, kind, float(np.clip(score, 0, 1)), user))
            if i % 25 == 24 and (found := decided(evidence, "sameness_margin")) is not None:
                at[found.outcome] = found.n
                break
        fails.append(at[GateOutcome.FAIL.value])
        passes.append(at[GateOutcome.PASS.value])
    return Runs(np.array(fails), np.array(passes))


def _pair(number: int, kind: PairKind, agreement: float, user: str) -> ScoredPair:
    at_ms = 100 * number + 1
    return ScoredPair(str(number), "chat", kind, at_ms, at_ms, scored=True, agreement=agreement, sticky=user)


def naive(runs: int, seed: int, *, looks: int = 200, sd: float = 0.15, n: int = 3000) -> float:
    """Return the share of runs in which a plain one-sided 5 % test, repeated at every look, rejects a true null."""
    rng = np.random.default_rng(seed)
    at = np.linspace(n / looks, n, looks).astype(int)
    sums = np.cumsum(rng.normal(0, sd, (runs, n)), axis=1)[:, at - 1]
    return float((sums / (sd * np.sqrt(at)) > 1.645).any(axis=1).mean())
