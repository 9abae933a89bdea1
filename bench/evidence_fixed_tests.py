"""Fixed-sample tests with foresight. ``make bench-evidence`` compares the gates' numbers of samples with theirs.

A fixed test looks once, after a number of samples that was chosen in advance. With foresight, this number is the
smallest with which the test finds the true difference with a probability of POWER, and the critical value is exact: it
comes from simulations at the boundary of the null hypothesis. A test in practice knows neither number, so this is the
strictest comparison. A gate decides at any time without this knowledge. Its number of samples is the median of several
simulated runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bench.simulated_runs import ALPHA

POWER = 0.8
_RUNS = 2000
_CLOSE = 0.02  # a number of samples is found when the power differs from POWER by at most this
_STEPS = 12
_NORMAL = NormalDist()

# (random numbers, samples of the candidate, whether the truth is at the boundary, runs) → the statistic of each run, of
# which a large value speaks against the null hypothesis
Statistic = Callable[[np.random.Generator, int, bool, int], np.ndarray]


@dataclass(frozen=True, slots=True)
class FixedTest:
    """A test with a fixed number of the candidate's samples, and its simulated probability of a correct decision."""

    n: int
    power: float


def fixed_test(statistic: Statistic, guess: int, seed: int = 1) -> FixedTest:
    """Return the smallest fixed test with the power POWER, found by bisection from ``guess``."""
    low, high, n = 1, 0, guess
    found = FixedTest(n, _power(statistic, n, seed))
    for step in range(_STEPS):
        if abs(found.power - POWER) <= _CLOSE or (high and high - low <= max(1, low // 50)):
            break
        if found.power < POWER:
            low = n
        else:
            high = n
        n = (low + high) // 2 if high else 2 * n
        found = FixedTest(n, _power(statistic, n, seed + step + 1))
    return found


def _power(statistic: Statistic, n: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    critical = float(np.quantile(statistic(rng, n, True, _RUNS), 1 - ALPHA, method="higher"))
    return float((statistic(rng, n, False, _RUNS) > critical).mean())


def mean_statistic(boundary: float, true: float, sd: float) -> Statistic:
    """Return a statistic: the mean of normal scores, as its distance from the boundary in the direction of ``true``."""
    sign = math.copysign(1.0, true - boundary)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> np.ndarray:
        return sign * rng.normal(boundary if null else true, sd / math.sqrt(n), runs)

    return simulate


def rate_statistic(boundary: float, true: float) -> Statistic:
    """Return a statistic: the number of errors, plus a random number below 1, which breaks ties.

    With this random number, the test uses exactly alpha.
    """
    sign = math.copysign(1.0, true - boundary)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> np.ndarray:
        return sign * rng.binomial(n, boundary if null else true, runs) + rng.random(runs)

    return simulate


def increase_statistic(limit: float, candidate: float, baseline: float, sides: float) -> Statistic:
    """Return a statistic: the difference of both sides' error rates.

    ``sides``: the baseline's requests for each candidate request.
    """
    sign = math.copysign(1.0, candidate - baseline - limit)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> np.ndarray:
        own = rng.binomial(n, baseline + limit if null else candidate, runs) + rng.random(runs) - 0.5
        base = rng.binomial(round(n * sides), baseline, runs) / (n * sides)
        difference: np.ndarray = sign * (own / n - base)
        return difference

    return simulate


def exceedance_statistic(limit: float, true: float, q: float, sigma: float, sides: int) -> Statistic:
    """Return a statistic: the number of the candidate's latencies above ``limit`` times the baseline's sample quantile.

    At the boundary, its distribution is the same for every distribution of latencies. So the test assumes no shape, and
    neither does the gate. ``sides``: how many latencies of the baseline there are for each latency of the candidate.
    """
    sign = math.copysign(1.0, true - limit)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> np.ndarray:
        shift = 0.0 if null else math.log(limit / true) / sigma
        threshold = _normal_quantile(_sample_quantile(rng, n * sides, q, runs)) + shift
        above = 1 - np.array([_NORMAL.cdf(value) for value in threshold.tolist()])
        return sign * rng.binomial(n, above) + rng.random(runs)

    return simulate


def latency_statistic(limit: float, true: float, q: float, sigma: float, sides: int) -> Statistic:
    """Return a statistic: the logarithm of the ratio of both sides' q-quantiles of lognormal latencies.

    The critical value is exact for this distribution only. So this test can decide with fewer samples than a test that
    is valid for every distribution. For a p99, such a test needs more than 298 samples, because with a probability of
    5 %, none of 298 samples exceeds the p99.
    """
    sign = math.copysign(1.0, true - limit)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> np.ndarray:
        own, base = (_normal_quantile(_sample_quantile(rng, of, q, runs)) for of in (n, n * sides))
        ratio: np.ndarray = sign * (math.log(limit if null else true) + sigma * (own - base))
        return ratio

    return simulate


def _sample_quantile(rng: np.random.Generator, n: int, q: float, runs: int) -> np.ndarray:
    """Return the q-quantile of ``n`` uniform random numbers for each run, drawn as an order statistic."""
    rank = max(1, math.ceil(q * n))
    return rng.beta(rank, n + 1 - rank, runs)


def _normal_quantile(p: np.ndarray) -> np.ndarray:
    return np.array([_NORMAL.inv_cdf(min(max(value, 1e-12), 1 - 1e-12)) for value in p.tolist()])
