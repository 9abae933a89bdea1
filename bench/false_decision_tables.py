"""The table of false decisions: how often the gates decide wrongly in the most difficult cases.

The simulated traffic is at the boundary of the test's null hypothesis. Each simulated test has the whole alpha of 0.05,
although the gates of a workload share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from bench import answer_gate_cases as answers
from bench import burst_cases, error_cases, latency_cases, sameness_cases, simulated_runs
from bench.error_cases import ErrorTraffic, steady
from bench.latency_cases import Drift
from bench.sameness_cases import Crowd
from bench.simulated_runs import ALPHA, Case, Row, upper_limit


def swing(k: int) -> float:
    """Return the error rate that both sides have in common in block ``k``: a slow wave, but 0.5 during an outage."""
    return 0.5 if 40 < k < 60 else 0.02 * (1 + math.sin(k / 20))


DRIFT = ErrorTraffic(lambda _: 0.25, lambda k: 0.015 + swing(k), lambda k: 0.01 + swing(k))
JUMPING = ErrorTraffic(
    lambda k: 0.05 if (k // 30) % 2 else 0.6,
    lambda k: 0.015 + (0.0 if (k // 30) % 2 else 0.1),
    lambda k: 0.01 + (0.0 if (k // 30) % 2 else 0.1),
)
FAST_JUMPING = ErrorTraffic(lambda i: 0.05 if (i // 1000) % 2 else 0.5, lambda _: 0.02, lambda _: 0.01)


def outage(share: float, depth: float) -> ErrorTraffic:
    """Return traffic in which both sides have the same error rate: 1 %, and ``depth`` from request 1000 to 1299."""

    def p(i: int) -> float:
        return depth if 1000 <= i < 1300 else 0.01

    return ErrorTraffic(lambda _: share, p, p)


def step(before: float, after: float) -> Callable[[float], float]:
    return lambda part: before if part < 0.5 else after


def slope(before: float, after: float) -> Callable[[float], float]:
    return lambda part: before + (after - before) * part


UP_AND_SLOWER = Drift(step(0.1, 0.5), step(1, 3))
DOWN_AND_SLOWER = Drift(step(0.5, 0.1), step(1, 3))
UP_AND_FASTER = Drift(step(0.1, 0.5), step(3, 1))
SLOWLY = Drift(slope(0.05, 0.6), slope(1, 3))
HEAVY_USER = Crowd(heavy_share=0.3, heavy=0.70, others=0.85)


def guarantees(runs: int) -> list[Case]:
    """Return the cases that measure how often a test decides wrongly at the boundary of its null hypothesis."""
    both: list[tuple[str, Callable[[], simulated_runs.Runs]]] = [
        ("sameness: mean at the margin", lambda: sameness_cases.quality(runs, 2, -0.03)),
        (
            "sameness_margin: at it, one user with 30 %",
            lambda: sameness_cases.margin(runs, 11, HEAVY_USER, 0.05, n=2000),
        ),
        ("preference: mean 0.45, no ties", lambda: answers.preference(runs, 60, 0.45, 0.0)),
        ("preference: mean 0.45, 40 % ties", lambda: answers.preference(runs, 61, 0.45, 0.4)),
        ("defects: 3 % and 1 %", lambda: answers.defects(runs, 62, 0.03, 0.01)),
        ("correctness: at the margin, 5 % discordant", lambda: answers.correctness(runs, 63, 0.0, 0.05)),
        ("correctness: at the margin, 45 % discordant", lambda: answers.correctness(runs, 64, 0.2, 0.25)),
        ("correctness, exact: 15 % and 10 % unequal", lambda: answers.exactness(runs, 65, 0.15, 0.10)),
        ("feedback: 75 % and 80 % thumbs up", lambda: answers.feedback(runs, 66, 0.75, 0.80)),
        ("feedback: the same, share 5 %", lambda: answers.feedback(runs, 67, 0.75, 0.80, share=0.05)),
        ("feedback: means 0.75 and 0.80 of five stars", lambda: answers.feedback(runs, 68, 0.75, 0.80, parts=4)),
        ("errors: rate at the limit 2 %", lambda: error_cases.rate(runs, 3, 0.02, n=1500)),
        (
            "errors: increase at the limit",
            lambda: error_cases.increase(runs, 4, steady(0.25, 0.015, 0.01), limit=0.005),
        ),
        ("errors: increase, 20 % and 25 %", lambda: error_cases.increase(runs, 5, steady(0.5, 0.25, 0.2), limit=0.05)),
        ("errors: increase, common drift and outage", lambda: error_cases.increase(runs, 6, DRIFT, limit=0.005)),
        ("errors: increase, split 5 % ↔ 60 % with drift", lambda: error_cases.increase(runs, 7, JUMPING, limit=0.005)),
        ("latency p50 at 1.2 ×, baseline 4 : 1", lambda: latency_cases.latency(runs, 8, 1.2, 0.5, n=600, baseline=4)),
        ("latency p95 at 1.2 ×, baseline 1 : 1", lambda: latency_cases.latency(runs, 9, 1.2, 0.95, n=800, baseline=1)),
        ("latency p99 at 1.2 ×, baseline 20 : 1", lambda: latency_cases.latency(runs, 10, 1.2, 0.99, n=1000)),
        ("latency p99 at 1.2 ×, split 10 → 50 %, both 3 × slower at once", _drifting(runs, 12, 0.99, UP_AND_SLOWER)),
        ("latency p95 at 1.2 ×, split 10 → 50 %, both 3 × slower at once", _drifting(runs, 13, 0.95, UP_AND_SLOWER)),
        ("latency p95 at 1.2 ×, split 50 → 10 %, both 3 × slower at once", _drifting(runs, 14, 0.95, DOWN_AND_SLOWER)),
        ("latency p50 at 1.2 ×, split 10 → 50 %, both 3 × faster at once", _drifting(runs, 15, 0.5, UP_AND_FASTER)),
        ("latency p95 at 1.2 ×, split 5 → 60 % and 3 × slower, slowly", _drifting(runs, 16, 0.95, SLOWLY)),
        ("latency p95, equal sides, slow when the share is high: 15 to 75 % a day", lambda: _day(runs, 17, 0.95, 0.45)),
        ("latency p50, equal sides, slow when the share is high: 10 to 50 % a day", lambda: _day(runs, 18, 0.5, 0.3)),
    ]
    alarms = [
        ("fast guard: ratio at its limit 2, share 25 %", steady(0.25, 0.02, 0.01)),
        ("fast guard: ratio at its limit 2, share 50 %", steady(0.5, 0.04, 0.02)),
        ("fast guard: ratio at its limit, split 5 % ↔ 50 %", FAST_JUMPING),
        ("fast guard: equal sides, half of all fail for a while", outage(0.25, 0.5)),
        ("fast guard: equal sides, all fail for a while, share 25 %", outage(0.25, 1.0)),
        ("fast guard: equal sides, all fail for a while, share 50 %", outage(0.5, 1.0)),
    ]
    return [
        lambda: [
            _row("naive fixed-sample test at 5 %, 200 looks: false rollback", runs, sameness_cases.naive(runs, 1), None)
        ],
        *(partial(_both, name, run) for name, run in both),
        *(partial(_alarm, name, runs, seed, traffic) for seed, (name, traffic) in enumerate(alarms, start=20)),
        lambda: _cold(max(20, runs // 10)),
        *(partial(_leaving, max(20, runs // 5), share, slower) for share in (0.1, 0.5) for slower in (1.0, 1.2)),
        *(partial(_bursts, max(20, runs // 10), share) for share in (0.1, 0.25, 0.5)),
        lambda: [
            _row(
                "split guard: split as set (10 %)", runs, error_cases.split(runs, 30, 0.1, 0.1, n=1500).fail_rate, ALPHA
            )
        ],
    ]


def _leaving(runs: int, share: float, slower: float) -> list[Row]:
    name = f"clients leave for their own reasons, candidate {slower:g} × as slow, share {share:.0%}: false rollback"
    return [_row(name, runs, burst_cases.leaving_clients(runs, 33, share, slower=slower).fail_rate, ALPHA)]


def _bursts(runs: int, share: float) -> list[Row]:
    name = f"errors in bursts of 3 to 5, share {share:.0%}, "
    equal, at_limit = burst_cases.bursts(runs, 32, share), burst_cases.bursts(runs, 34, share, (0.01, 0.005))
    return [
        _row(f"{name}equal sides: false rollback", runs, equal.fail_rate, ALPHA),
        _row(f"{name}candidate at the limit: false rollback", runs, at_limit.fail_rate, ALPHA),
        _row(f"{name}candidate at the limit: false promotion", runs, at_limit.pass_rate, ALPHA),
    ]


def _cold(runs: int) -> list[Row]:
    name = "cold start, 50 answers 5 × slower{}: false rollback"
    without, default = latency_cases.cold_start(runs, 31, warm_up=0), latency_cases.cold_start(runs, 31)
    return [_row(name.format(", no warm-up"), runs, without, None), _row(name.format(""), runs, default, ALPHA)]


def _drifting(runs: int, seed: int, q: float, drift: Drift) -> Callable[[], simulated_runs.Runs]:
    return lambda: latency_cases.latency_drift(runs, seed, 1.2, q, drift)


def _day(runs: int, seed: int, q: float, share: float) -> simulated_runs.Runs:
    """Return the false rollbacks of a candidate that equals the baseline. Promotions are right, so none is counted."""
    fail = latency_cases.latency_day(max(20, runs // 20), seed, 1.0, q, share).fail
    return simulated_runs.Runs(fail, np.full(len(fail), math.inf))


def _both(name: str, run: Callable[[], simulated_runs.Runs]) -> list[Row]:
    result = run()
    return [
        _row(f"{name}: false rollback", len(result.fail), result.fail_rate, ALPHA),
        _row(f"{name}: false promotion", len(result.fail), result.pass_rate, ALPHA),
    ]


def _alarm(name: str, runs: int, seed: int, traffic: ErrorTraffic) -> list[Row]:
    return [_row(name, runs, error_cases.fast_false_alarms(runs, seed, traffic, n=1400), ALPHA)]


def _row(name: str, runs: int, share: float, alpha: float | None) -> Row:
    limit = None if alpha is None else upper_limit(runs, alpha)
    return {"case": name, "runs": runs, "share": share, "limit": limit, "ok": None if limit is None else share <= limit}
