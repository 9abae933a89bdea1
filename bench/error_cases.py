"""Simulations of the gates on errors, of the fast guard, and of the split guard."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.simulated_runs import ALPHA, AT, DEFAULT_FAST_ALPHA, Runs, chat_workload
from glidepath.status_and_decisions import GateAction
from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest
from scorer.steering.evidence.fast_guards import FastGate
from scorer.steering.evidence.gate_base import StepRequests
from scorer.steering.evidence.gate_observations import RequestCounts, RequestsEnded
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.recent_rates import CandidateShare
from scorer.steering.evidence.split_gate import SplitTest


def rate(runs: int, seed: int, p: float, *, limit: float = 0.02, n: int = 3000) -> Runs:
    """Test the error rate ``p`` against the fixed ``limit``, with a look after every request."""
    rng = np.random.default_rng(seed)
    fails, passes = [], []
    for _ in range(runs):
        test = RateTest(limit)
        fail = passed = math.inf
        for i, error in enumerate((rng.random(n) < p).tolist(), start=1):
            test.update(int(error), 1)
            if fail == math.inf and test.log_fail >= AT:
                fail = i
            if passed == math.inf and test.log_pass >= AT:
                passed = i
        fails.append(fail)
        passes.append(passed)
    return Runs(np.array(fails), np.array(passes))


@dataclass(frozen=True, slots=True)
class ErrorTraffic:
    """The candidate's share and the error rates of both sides, as functions of the number of the block or request."""

    share: Callable[[int], float]
    candidate: Callable[[int], float]
    baseline: Callable[[int], float]


def steady(share: float, candidate: float, baseline: float) -> ErrorTraffic:
    return ErrorTraffic(lambda _: share, lambda _: candidate, lambda _: baseline)


def increase(runs: int, seed: int, traffic: ErrorTraffic, *, limit: float, blocks: int = 160, size: int = 50) -> Runs:
    """Test the candidate's increase of errors over the baseline, with a look after every block of ``size`` requests."""
    rng = np.random.default_rng(seed)
    fails, passes = [], []
    for _ in range(runs):
        test = IncreaseTest(limit)
        fail = passed = math.inf
        seen = 0
        for k in range(blocks):
            c_n = int(rng.binomial(size, traffic.share(k)))
            b_n = size - c_n
            if not c_n or not b_n:
                continue
            seen += c_n
            test.update(
                int(rng.binomial(c_n, traffic.candidate(k))), c_n, int(rng.binomial(b_n, traffic.baseline(k))), b_n
            )
            if fail == math.inf and test.log_fail >= AT:
                fail = seen
            if passed == math.inf and test.log_pass >= AT:
                passed = seen
            if min(fail, passed) < math.inf:
                break
        fails.append(fail)
        passes.append(passed)
    return Runs(np.array(fails), np.array(passes))


class FastGuard:
    """The fast guard without the other gates, and the counts of the step's requests, which the guard reads."""

    def __init__(self, alpha: float, prior_share: float, weight: float = 200.0) -> None:
        self._step = StepRequests()
        fail_at = math.log(1 / alpha)
        spec = GateSpec("errors_fast", GateKind.ERRORS_FAST, 2.0, "ratio", fail_at, AT, fast=True, guard=True)
        self.gate = FastGate(spec, self._step, 0.05, CandidateShare.from_prior(prior_share, weight))

    @property
    def failed(self) -> bool:
        return self.gate.failed

    def add(self, counts: RequestCounts) -> None:
        """Add requests that ended at about the same time."""
        self._step.total += counts
        self.gate.fold_requests(RequestsEnded(counts))

    def add_one(self, own: bool, error: bool, rescue: bool | None = None) -> None:
        """Add one request of the candidate (``own``) or of the baseline.

        ``rescue`` is whether the baseline answers a request that failed at the candidate; None without fallback.
        """
        if own:
            tried = error and rescue is not None
            rescues = {"rescued": int(tried and bool(rescue)), "rescues_failed": int(tried and not rescue)}
            self.add(RequestCounts(c_n=1, c_errors=int(error), **rescues))
        else:
            self.add(RequestCounts(b_n=1, b_errors=int(error)))


def fast_false_alarms(
    runs: int, seed: int, traffic: ErrorTraffic, *, n: int = 3000, alpha: float = ALPHA, fallback: bool = False
) -> float:
    """Return the share of runs in which the fast guard fires, with a look after every request.

    With ``fallback``, a request that failed at the candidate is sent to the baseline, which fails at its own rate.
    """
    rng = np.random.default_rng(seed)
    fired = 0
    for _ in range(runs):
        guard = FastGuard(alpha, traffic.share(0))
        sides, errors = rng.random(n), rng.random(n)
        again = rng.random(n) if fallback else None
        for i in range(n):
            own = bool(sides[i] < traffic.share(i))
            p = traffic.candidate(i) if own else traffic.baseline(i)
            rescue = None if again is None else bool(again[i] >= traffic.baseline(i))
            guard.add_one(own, bool(errors[i] < p), rescue)
        fired += guard.failed
    return fired / runs


def bad_answers(
    runs: int, seed: int, share: float, *, healthy: int, baseline_rate: float, fallback: bool = False
) -> np.ndarray:
    """Return for each run the number of bad answers that the fast guard needs to fire.

    In the first ``healthy`` requests, which go to both sides, the candidate has no error. After them, every request at
    the candidate fails.
    """
    rng = np.random.default_rng(seed)
    needed = []
    for _ in range(runs):
        guard = FastGuard(DEFAULT_FAST_ALPHA, min(share, 0.99))
        for _ in range(healthy):
            own = bool(rng.random() < share)
            guard.add_one(own, bool(rng.random() < (0.0 if own else baseline_rate)))
        bad = 0
        while not guard.failed and bad < 100:
            own = bool(rng.random() < share)
            bad += own
            rescue = bool(rng.random() >= baseline_rate) if fallback else None
            guard.add_one(own, own or bool(rng.random() < baseline_rate), rescue)
        needed.append(bad)
    return np.array(needed)


def failed_answers(runs: int, seed: int, share: float, failing: float, *, healthy: int = 0) -> np.ndarray:
    """Return for each run how many failed answers of the candidate the default gates need until a rollback.

    A failed answer is an error of its side even with status 200: an error event, a web page, a cut stream. After
    ``healthy`` requests of both sides without an error, the part ``failing`` of the candidate's answers fails. Each
    request is one observation: no flush delays the gates. ``share``: the candidate's share of the requests.
    """
    rng = np.random.default_rng(seed)
    workload, needed = chat_workload(), []
    for _ in range(runs):
        gates, failed, number = GateSet(workload, 100 * share, share), 0, 0
        acting = [gate for gate in gates.gates.values() if gate.spec.action is GateAction.ROLLBACK]
        while not any(gate.failed for gate in acting) and failed < 100:
            own = bool(rng.random() < share)
            bad = own and number >= healthy and bool(rng.random() < failing)
            gates.observe(RequestsEnded(RequestCounts(c_n=own, c_errors=bad, b_n=not own)))
            gates.close_block()
            failed, number = failed + bad, number + 1
        needed.append(failed)
    return np.array(needed)


def split(runs: int, seed: int, true: float, configured: float, *, n: int = 4000) -> Runs:
    """Test the share ``true`` against the share ``configured``, with a look after every request.

    Unlike in the other simulations, ``fail`` counts the requests of both sides.
    """
    rng = np.random.default_rng(seed)
    fails = []
    for _ in range(runs):
        guard = SplitTest(configured)
        fail = math.inf
        for i, own in enumerate((rng.random(n) < true).tolist(), start=1):
            guard.update(int(own), int(not own))
            if guard.log_e >= AT:
                fail = i
                break
        fails.append(fail)
    return Runs(np.array(fails), np.full(runs, math.inf))
