"""Simulations of the gates on copies of one request, and of whole ramps with sticky users.

The latencies of users differ. As in ``simulated_runs.py``, each run feeds random events to the production classes and
records its first decisions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.evidence_fixed_tests import Statistic
from bench.ramp_traffic import Traffic
from bench.ramps import Ramp, run_ramp
from bench.simulated_runs import ALPHA, AT, Runs
from glidepath.config import Workload, parse_config
from glidepath.histogram import MAX_INDEX, MIN_INDEX
from scorer.steering.evidence.gate_observations import CopiesCompared, CopyAnswer
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.paired_evidence import PairedLatency
from scorer.steering.evidence.paired_increase_test import PairedIncreaseTest
from scorer.steering.evidence.paired_quantile_test import PairedQuantileTest

LIMIT = 1.2
Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Requests:
    """The latencies of requests, of which each side gets a copy.

    - ``candidate``: the candidate's latency as a multiple of the baseline's
    - ``sigma``: the standard deviation of the logarithm of a latency
    - ``shared``: the part of this variance that both copies of a request have in common, for example because of the
      user and the length
    - ``drift``: elapsed part of the run (0 to 1) → a factor of both sides' latencies
    - ``heavy``: elapsed part of the run → the share of all requests that come from one user, whose latencies are
      four times as long
    - ``copies_slower``: how many times as long an answer to a copy takes as an answer to a client
    """

    candidate: float
    sigma: float = 0.5
    shared: float = 0.6
    drift: Callable[[float], float] = lambda _: 1.0
    heavy: Callable[[float], float] = lambda _: 0.0
    copies_slower: float = 1.0

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        """Return ``n`` latencies of the candidate's copies and of the baseline's, in milliseconds."""
        part = np.arange(n) / n
        common = np.log([1000 * self.copies_slower * self.drift(at) for at in part])
        common += np.where(rng.random(n) < [self.heavy(at) for at in part], math.log(4), 0.0)
        common += rng.normal(0, self.sigma * math.sqrt(self.shared), n)
        own = rng.normal(0, self.sigma * math.sqrt(1 - self.shared), (2, n))
        return self.candidate * np.exp(common + own[0]), np.exp(common + own[1])


def latency(runs: int, seed: int, q: float, requests: Requests, *, n: int) -> Runs:
    """Test a quantile of the latency of copies against LIMIT, with a look whenever there are 6 % more pairs."""
    rng = np.random.default_rng(seed)
    fails, passes = [], []
    for _ in range(runs):
        test, at, due = PairedQuantileTest(q, LIMIT), {"fail": math.inf, "pass": math.inf}, 0.0
        candidate, baseline = (_slots(ms).tolist() for ms in requests.draw(rng, n))
        for i, (own, base) in enumerate(zip(candidate, baseline, strict=True), start=1):
            test.add(own, base)
            if i < due:
                continue
            due = 1.06 * i
            test.look()
            for name, log_e in (("fail", test.log_fail), ("pass", test.log_pass)):
                if at[name] == math.inf and log_e >= AT:
                    at[name] = i
        fails.append(at["fail"])
        passes.append(at["pass"])
    return Runs(np.array(fails), np.array(passes))


@dataclass(frozen=True, slots=True)
class PrefixCache:
    """The times to the first token at sides that cache the prefixes of prompts.

    - ``candidate``: the candidate's time as a multiple of the baseline's
    - ``faster``: by which factor the first token comes earlier if the side has seen the prompt before
    - ``copies_slower``: how many times as long an answer to a copy takes as an answer to a client
    - ``asked``: whether the client's own answer is used, as in production
    """

    candidate: float
    faster: float = 3.0
    copies_slower: float = 1.0
    asked: bool = True

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Return times of the candidate's copies, of the baseline's copies, and of the baseline's answers to clients.

        Shape: [3, n].
        """
        shared, own = rng.normal(0, 0.5 * math.sqrt(0.6), n), rng.normal(0, 0.5 * math.sqrt(0.4), (3, n))
        times: Floats = 400 * np.exp(shared + own)
        times[0] *= self.candidate * self.copies_slower
        times[1] *= self.copies_slower / self.faster
        return times


def first_token(runs: int, seed: int, cache: PrefixCache, *, n: int) -> Runs:
    """Test the p95 of the time to the first token of copies. The baseline has seen the prompts of its copies before."""
    rng, spec = (
        np.random.default_rng(seed),
        GateSpec("ttft_p95", GateKind.LATENCY, LIMIT, "ratio", AT, AT, signal="ttft"),
    )
    fails, passes = [], []
    for _ in range(runs):
        pairs, at, due = PairedLatency(spec, 0.95, LatencySignal()), {"fail": math.inf, "pass": math.inf}, 0.0
        for i, (own, copy, client) in enumerate(cache.draw(rng, n).T.tolist(), start=1):
            answers = (CopyAnswer(False, False, {"ttft": ms}) for ms in (own, copy))
            pairs.add(CopiesCompared(*answers, as_first={"ttft": client} if cache.asked else {}))
            if i < due:
                continue
            due = 1.06 * i
            pairs.look(everything=False)
            for name, log_e in (("fail", pairs.log_fail), ("pass", pairs.log_pass)):
                if at[name] == math.inf and log_e >= AT:
                    at[name] = i
            if min(at.values()) < math.inf:
                break
        fails.append(at["fail"])
        passes.append(at["pass"])
    return Runs(np.array(fails), np.array(passes))


def _slots(ms: Floats) -> Floats:
    indices: Floats = np.clip(np.ceil(np.log2(ms) * 64).astype(np.int64) - 1, MIN_INDEX, MAX_INDEX)
    return indices - MIN_INDEX + 1


@dataclass(frozen=True, slots=True)
class Failures:
    """The shares of requests of which only the candidate's copy fails, only the baseline's, or both.

    Each is a function of the elapsed part of the run (0 to 1).
    """

    only_candidate: Callable[[float], float]
    only_baseline: Callable[[float], float]
    both: Callable[[float], float] = lambda _: 0.0


def increase(runs: int, seed: int, failures: Failures, *, limit: float, n: int) -> Runs:
    """Test how much more often the candidate's copy fails than the baseline's, with a look after every pair."""
    rng = np.random.default_rng(seed)
    part = np.arange(n) / n
    rates = [[rate(at) for at in part] for rate in (failures.only_candidate, failures.only_baseline, failures.both)]
    edges = np.cumsum(np.array(rates), axis=0)
    fails, passes = [], []
    for _ in range(runs):
        test, fail, passed = PairedIncreaseTest(limit), math.inf, math.inf
        kinds = (rng.random(n) >= edges).sum(axis=0).tolist()  # 0: only the candidate's fails, 1: the baseline's, …
        for i, kind in enumerate(kinds, start=1):
            test.update(candidate=kind in (0, 2), baseline=kind in (1, 2))
            if fail == math.inf and test.log_fail >= AT:
                fail = i
            if passed == math.inf and test.log_pass >= AT:
                passed = i
        fails.append(fail)
        passes.append(passed)
    return Runs(np.array(fails), np.array(passes))


def quantile_statistic(true: float, q: float, sigma: float, shared: float) -> Statistic:
    """Return a statistic: the logarithm of the ratio of both sides' sample quantiles of pairs, for the fixed test."""
    sign = math.copysign(1.0, true - LIMIT)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> Floats:
        found = []
        for _ in range(runs):
            own, base = Requests(LIMIT if null else true, sigma, shared).draw(rng, n)
            found.append(math.log(np.quantile(own, q) / np.quantile(base, q)))
        return sign * np.array(found)

    return simulate


def difference_statistic(limit: float, candidate: float, baseline: float) -> Statistic:
    """Return a statistic for the fixed test: the difference of both sides' failures for the same requests."""
    sign = math.copysign(1.0, candidate - baseline - limit)

    def simulate(rng: np.random.Generator, n: int, null: bool, runs: int) -> Floats:
        own = rng.binomial(n, baseline + limit if null else candidate, runs)
        return sign * (own - rng.binomial(n, baseline, runs)) + rng.random(runs)

    return simulate


USERS = """
backends: {{cloud: {{url: "http://127.0.0.1:9001"}}, onprem: {{url: "http://127.0.0.1:9002"}}}}
workloads:
  chat:
    match: {{path: /v1/chat/completions}}
    task: chat
    baseline: cloud
    candidate: onprem
    sticky: {{header: x-user-id}}
    shadow: {{same_side: {same_side}}}
    ramp: {{steps: [1, 5, 10, 25, 50, 75, 100], hold: 48h, min_samples: 200, unjudged_limit: 100}}
    gates:
      sameness: null
      defects: null
      latency: {{quantile: p95, max_ratio: 1.2}}
      errors: {{max_increase: 0.5 %}}
"""
TICK_MS = 2 * 3_600_000


def users_workload(same_side: float) -> Workload:
    """Return a workload with sticky users, gates on latency and errors only, and copies of ``same_side`` percent."""
    return parse_config(USERS.format(same_side=same_side)).workload("chat")


def ramp(same_side: float, traffic: Traffic, seed: int) -> Ramp:
    """Simulate one ramp with sticky users, with a tick of two hours. After 60 days, it counts as stuck."""
    return run_ramp(
        users_workload(same_side), traffic, seed, longest_days=60, tick_ms=TICK_MS, copies_only=True
    )  # fmt: skip


__all__ = ["ALPHA", "Failures", "Requests", "increase", "latency", "ramp"]
