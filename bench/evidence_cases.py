"""Simulations of the gates, each with many runs on random traffic. ``make bench-evidence`` runs all, tests run a few.

Every simulation takes the number of runs and a seed. It feeds random events to the production classes, and looks at the
evidence after every event (for latency: at times of its own). Each run records its first decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glidepath.config import parse_config
from glidepath.histogram import MIN_INDEX, Histogram
from glidepath.pairs_and_outcomes import Origin, Outcome, Outcomes, PairKind, ScoredPair, Side, SideOutcomes
from glidepath.status_and_decisions import GateAction, Verdict
from scorer.steering.evidence import Evidence
from scorer.steering.evidence.betting import MeanTest, score_of_difference
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest
from scorer.steering.evidence.fast_guards import FastGate
from scorer.steering.evidence.gate_base import StepRequests
from scorer.steering.evidence.gate_observations import LatencyHistograms, LookDue, RequestCounts, RequestsEnded
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.latency_ratio_test import LatencyTest
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.recent_rates import CandidateShare
from scorer.steering.evidence.split_gate import SplitTest

ALPHA = 0.05
AT = math.log(1 / ALPHA)
DEFAULT_FAST_ALPHA = 0.05 / 14  # what errors_fast gets of alpha 0.05 in the default configuration


@dataclass(frozen=True, slots=True)
class Runs:
    """For each run, the number of the candidate's samples at the first failure and the first pass; inf if none."""

    fail: np.ndarray
    passed: np.ndarray

    @property
    def fail_rate(self) -> float:
        return float(np.isfinite(self.fail).mean())

    @property
    def pass_rate(self) -> float:
        return float(np.isfinite(self.passed).mean())


def upper_limit(runs: int, alpha: float = ALPHA) -> float:
    """Return the largest share of false decisions that is compatible with alpha, at a confidence of 99 %.

    It is alpha plus 2.33 standard deviations of the share in ``runs`` runs.
    """
    return alpha + 2.33 * math.sqrt(alpha * (1 - alpha) / runs)


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


MARGIN = """
backends: {cloud: {url: "http://127.0.0.1:9001"}, onprem: {url: "http://127.0.0.1:9002"}}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprem
    sticky: {header: x-user}
    shadow: {same_side: 30}
    gates: {sameness: {margin: 0.05, min_samples: 20}, errors: null, latency: []}
"""


def margin(runs: int, seed: int, crowd: Crowd, worse: float, *, n: int = 4000) -> Runs:
    """Test the margin of 0.05 on pairs of several users, whose candidate agrees less by ``worse``.

    Repeated pairs of one user are discounted as in production. The result counts noise pairs.
    """
    rng = np.random.default_rng(seed)
    workload = parse_config(MARGIN).workload("chat")
    fails, passes = [], []
    for _ in range(runs):
        evidence, at = Evidence.fresh(workload, 10, 0), {Outcome.FAIL.value: math.inf, Outcome.PASS.value: math.inf}
        heavy, who = rng.random(n) < crowd.heavy_share, rng.integers(0, 100, n)
        again, noises = rng.random(n) < 0.3, np.clip(rng.normal(0, 0.05, (2, n)), -0.15, 0.15)
        for i in range(n):
            base, user = (crowd.heavy, "loud") if heavy[i] else (crowd.others, f"user-{who[i]}")
            scores = [(PairKind.CROSS, base - worse + noises[0, i])]
            scores += [(PairKind.NOISE, base + noises[1, i])] * bool(again[i])
            for kind, score in scores:
                evidence.fold_scored(_pair(i, kind, float(np.clip(score, 0, 1)), user))
            if i % 25 == 24 and (found := _decided(evidence, "sameness_margin")) is not None:
                at[found.outcome] = found.n
                break
        fails.append(at[Outcome.FAIL.value])
        passes.append(at[Outcome.PASS.value])
    return Runs(np.array(fails), np.array(passes))


def _pair(number: int, kind: PairKind, agreement: float, user: str) -> ScoredPair:
    at_ms = 100 * number + 1
    return ScoredPair(str(number), "chat", kind, at_ms, at_ms, scored=True, agreement=agreement, sticky=user)


def _decided(evidence: Evidence, gate: str) -> Verdict | None:
    verdict = next(v for v in evidence.verdicts(0) if v.gate == gate)
    return None if verdict.outcome == Outcome.INCONCLUSIVE.value else verdict


def naive(runs: int, seed: int, *, looks: int = 200, sd: float = 0.15, n: int = 3000) -> float:
    """Return how often a plain one-sided 5 % test, repeated at every look, rejects a true null hypothesis."""
    rng = np.random.default_rng(seed)
    at = np.linspace(n / looks, n, looks).astype(int)
    sums = np.cumsum(rng.normal(0, sd, (runs, n)), axis=1)[:, at - 1]
    return float((sums / (sd * np.sqrt(at)) > 1.645).any(axis=1).mean())


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
    """Return for each run how many bad answers of the candidate the fast guard needs.

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


DEFAULTS = """
backends: {cloud: {url: "http://127.0.0.1:9001"}, onprem: {url: "http://127.0.0.1:9002"}}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}
"""


def failed_answers(runs: int, seed: int, share: float, failing: float, *, healthy: int = 0) -> np.ndarray:
    """Return for each run how many failed answers of the candidate the default gates need until a rollback.

    A failed answer is an error of its side, whatever its status: an error event, a web page, a cut stream. After
    ``healthy`` requests of both sides without an error, the part ``failing`` of the candidate's answers fails. Each
    request is one observation: no flush delays the gates. ``share``: the candidate's share of the requests.
    """
    rng = np.random.default_rng(seed)
    workload, needed = parse_config(DEFAULTS).workload("chat"), []
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


COLD = """
backends: {cloud: {url: "http://127.0.0.1:9001"}, onprem: {url: "http://127.0.0.1:9002"}}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprem
    shadow: {same_side: 0}
    gates: {errors: null, latency: {quantile: p95}}
"""


def cold_start(runs: int, seed: int, *, cold: int = 50, factor: float = 5.0, warm_up: int | None = None) -> float:
    """Return how often an equal candidate fails at 0 % if its first ``cold`` answers take ``factor`` times as long.

    Every request is copied, and five requests end with each flush. ``warm_up``: the ramp's setting; None: its default.
    """
    rng, workload, failed = np.random.default_rng(seed), parse_config(COLD).workload("chat"), 0
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
    found = _decided(evidence, gate)
    return found is not None and found.outcome == Outcome.FAIL.value


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
    """The candidate's share, and a factor of both sides' latencies, as functions of the elapsed part of a run."""

    share: Callable[[float], float]
    slow: Callable[[float], float]


def latency_drift(runs: int, seed: int, ratio: float, q: float, drift: Drift, *, n: int = 6000) -> Runs:
    """Test quantile ``q`` as ``latency`` does, but with a drift, and in flushes of ten requests of the two sides."""
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
    it. A flush has the requests of two minutes, of ``an_hour`` requests an hour.
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


BURSTS = """
backends: {cloud: {url: "http://127.0.0.1:9001"}, onprem: {url: "http://127.0.0.1:9002"}}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprem
    sticky: {random: true}
    shadow: {same_side: 0}
    gates: {errors: {max_increase: 0.5%}, sameness: null, latency: []}
"""


def bursts(
    runs: int,
    seed: int,
    share: float,
    parts: tuple[float, float] = (0.005, 0.005),
    *,
    per_second: float = 20.0,
    seconds: int = 1800,
) -> Runs:
    """Return after how many requests of the candidate a step is rolled back, and after how many ``errors`` passes.

    ``parts``: the shares of the candidate's and of the baseline's requests that fail in bursts, three to five together
    within half a second. 0.1 % more fail one by one.
    """
    rng, workload = np.random.default_rng(seed), parse_config(BURSTS).workload("chat")
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
    """Return after how many clients that count ``clients_leave`` fails, for clients that leave for their own reasons.

    Each client leaves after a random time, 12 s in the mean, if it has no answer until then. The baseline answers after
    about 1.5 s (lognormal, σ 0.5), the candidate after ``slower`` times as long. The part ``hung`` of its requests is
    never answered. 20 requests arrive in a second. ``passed`` is always infinite.
    """
    rng, workload, fails = np.random.default_rng(seed), parse_config(BURSTS).workload("chat"), []
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
            if verdict.outcome == Outcome.FAIL.value:
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
