"""Simulate how often the gates decide wrongly and how soon they decide, with the production code.

``make bench-evidence`` runs all simulations; ``ARGS="--runs 200"`` makes it quick. In the first table, the simulated
traffic is at the boundary of the test's null hypothesis, where false decisions are most frequent. Each simulated test
has the whole alpha of 0.05, although the gates of a workload share it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bench import answer_gate_cases as answers
from bench import evidence_cases as cases
from bench import evidence_estimates as estimates
from bench import evidence_fixed_tests as fixed
from bench import paired_tables
from bench.evidence_cases import ALPHA, Crowd, Drift, ErrorTraffic, steady, upper_limit
from scorer.steering.evidence.gate_base import Gate

Row = dict[str, Any]
Case = Callable[[], list[Row]]


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
    """Return traffic in which both sides fail alike: 1 % of the requests, and ``depth`` of requests 1000 to 1299."""

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
    both: list[tuple[str, Callable[[], cases.Runs]]] = [
        ("sameness: mean at the margin", lambda: cases.quality(runs, 2, -0.03)),
        (
            "sameness_margin: at it, one user with 30 %",
            lambda: cases.margin(runs, 11, HEAVY_USER, 0.05, n=2000),
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
        ("errors: rate at the limit 2 %", lambda: cases.rate(runs, 3, 0.02, n=1500)),
        ("errors: increase at the limit", lambda: cases.increase(runs, 4, steady(0.25, 0.015, 0.01), limit=0.005)),
        ("errors: increase, 20 % and 25 %", lambda: cases.increase(runs, 5, steady(0.5, 0.25, 0.2), limit=0.05)),
        ("errors: increase, common drift and outage", lambda: cases.increase(runs, 6, DRIFT, limit=0.005)),
        ("errors: increase, split 5 % ↔ 60 % with drift", lambda: cases.increase(runs, 7, JUMPING, limit=0.005)),
        ("latency p50 at 1.2 ×, baseline 4 : 1", lambda: cases.latency(runs, 8, 1.2, 0.5, n=600, baseline=4)),
        ("latency p95 at 1.2 ×, baseline 1 : 1", lambda: cases.latency(runs, 9, 1.2, 0.95, n=800, baseline=1)),
        ("latency p99 at 1.2 ×, baseline 20 : 1", lambda: cases.latency(runs, 10, 1.2, 0.99, n=1000)),
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
        lambda: [_row("naive fixed-sample test at 5 %, 200 looks: false rollback", runs, cases.naive(runs, 1), None)],
        *(partial(_both, name, run) for name, run in both),
        *(partial(_alarm, name, runs, seed, traffic) for seed, (name, traffic) in enumerate(alarms, start=20)),
        lambda: _cold(max(20, runs // 10)),
        *(partial(_leaving, max(20, runs // 5), share, slower) for share in (0.1, 0.5) for slower in (1.0, 1.2)),
        *(partial(_bursts, max(20, runs // 10), share) for share in (0.1, 0.25, 0.5)),
        lambda: [
            _row("split guard: split as set (10 %)", runs, cases.split(runs, 30, 0.1, 0.1, n=1500).fail_rate, ALPHA)
        ],
    ]


def _equally_right(runs: int) -> Callable[[], np.ndarray]:
    return lambda: answers.correctness(runs, 74, 0.05, 0.05).passed


def _leaving(runs: int, share: float, slower: float) -> list[Row]:
    name = f"clients leave for their own reasons, candidate {slower:g} × as slow, share {share:.0%}: false rollback"
    return [_row(name, runs, cases.leaving_clients(runs, 33, share, slower=slower).fail_rate, ALPHA)]


def _bursts(runs: int, share: float) -> list[Row]:
    name = f"errors in bursts of 3 to 5, share {share:.0%}, "
    equal, at_limit = cases.bursts(runs, 32, share), cases.bursts(runs, 34, share, (0.01, 0.005))
    return [
        _row(f"{name}equal sides: false rollback", runs, equal.fail_rate, ALPHA),
        _row(f"{name}candidate at the limit: false rollback", runs, at_limit.fail_rate, ALPHA),
        _row(f"{name}candidate at the limit: false promotion", runs, at_limit.pass_rate, ALPHA),
    ]


def _cold(runs: int) -> list[Row]:
    name = "cold start, 50 answers 5 × slower{}: false rollback"
    without, default = cases.cold_start(runs, 31, warm_up=0), cases.cold_start(runs, 31)
    return [_row(name.format(", no warm-up"), runs, without, None), _row(name.format(""), runs, default, ALPHA)]


def _drifting(runs: int, seed: int, q: float, drift: Drift) -> Callable[[], cases.Runs]:
    return lambda: cases.latency_drift(runs, seed, 1.2, q, drift)


def _day(runs: int, seed: int, q: float, share: float) -> cases.Runs:
    """Return the false rollbacks of equal sides; to promote them is right, so no promotion is counted."""
    fail = cases.latency_day(max(20, runs // 20), seed, 1.0, q, share).fail
    return cases.Runs(fail, np.full(len(fail), math.inf))


def _both(name: str, run: Callable[[], cases.Runs]) -> list[Row]:
    result = run()
    return [
        _row(f"{name}: false rollback", len(result.fail), result.fail_rate, ALPHA),
        _row(f"{name}: false promotion", len(result.fail), result.pass_rate, ALPHA),
    ]


def _alarm(name: str, runs: int, seed: int, traffic: ErrorTraffic) -> list[Row]:
    return [_row(name, runs, cases.fast_false_alarms(runs, seed, traffic, n=1400), ALPHA)]


def _row(name: str, runs: int, share: float, alpha: float | None) -> Row:
    limit = None if alpha is None else upper_limit(runs, alpha)
    return {"case": name, "runs": runs, "share": share, "limit": limit, "ok": None if limit is None else share <= limit}


def power(runs: int) -> list[Case]:
    """Return the cases that measure how many samples a decision needs. A row has the expected number if it is known."""
    rows: list[tuple[str, Callable[[], np.ndarray], float | None]] = [
        ("sameness: true 0, promote", lambda: cases.quality(runs, 40, 0.0, n=1500).passed, 245),
        ("sameness: true -0.06, roll back", lambda: cases.quality(runs, 41, -0.06, n=1500).fail, 254),
        ("sameness: true -0.10, roll back", lambda: cases.quality(runs, 42, -0.10, n=800).fail, 96),
        ("latency p99: 1.5 ×, roll back", lambda: cases.latency(runs, 43, 1.5, 0.99, n=4000).fail, 850),
        ("latency p99: 2 ×, roll back", lambda: cases.latency(runs, 44, 2.0, 0.99, n=1000).fail, 110),
        ("latency p99: equal, promote", lambda: cases.latency(runs, 45, 1.0, 0.99, n=8000).passed, 3000),
        ("latency p95: 1.5 ×, roll back", lambda: cases.latency(runs, 46, 1.5, 0.95, n=1500).fail, 240),
        ("latency p95: 2 ×, roll back", lambda: cases.latency(runs, 47, 2.0, 0.95, n=500).fail, 50),
        ("latency p95: equal, promote", lambda: cases.latency(runs, 48, 1.0, 0.95, n=3000).passed, 740),
        ("latency p95: 1.5 ×, roll back, split 5 % in flushes", lambda: _even(runs, 55, 1.5, 0.95).fail, 240),
        ("latency p95: equal, promote, split 5 % in flushes", lambda: _even(runs, 56, 1.0, 0.95).passed, 740),
        ("latency p99: 1.5 ×, roll back, split 5 % in flushes", lambda: _even(runs, 57, 1.5, 0.99).fail, 850),
        ("latency p95: 1.5 ×, split 50 → 10 %, both 3 × slower at once", lambda: _slow(runs, DOWN_AND_SLOWER), None),
        ("latency p95: 1.5 ×, split 10 → 50 %, both 3 × faster at once", lambda: _slow(runs, UP_AND_FASTER), None),
        ("preference: mean 0.26, roll back", lambda: answers.preference(runs, 70, 0.26, 0.1).fail, None),
        ("preference: equal, 40 % ties, promote", lambda: answers.preference(runs, 71, 0.5, 0.4).passed, None),
        ("correctness: 10 % less right, roll back", lambda: answers.correctness(runs, 72, 0.05, 0.15).fail, None),
        ("correctness: 30 % less right, roll back", lambda: answers.correctness(runs, 73, 0.05, 0.35).fail, None),
        ("correctness: equal, 10 % discordant, promote", _equally_right(runs), None),
        ("feedback: 60 % and 80 % thumbs up, roll back", lambda: answers.feedback(runs, 75, 0.6, 0.8).fail, None),
        ("feedback: 30 % and 80 % thumbs up, roll back", lambda: answers.feedback(runs, 76, 0.3, 0.8).fail, None),
        (
            "sameness_margin: 0.10 worse, a user with 30 %",
            lambda: cases.margin(runs, 52, HEAVY_USER, 0.10).fail,
            None,
        ),
        ("sameness_margin: equal, one user with 30 %", lambda: cases.margin(runs, 53, HEAVY_USER, 0.0).passed, None),
        ("errors: 3 % against 0.5 %, roll back", lambda: _increase(runs, 49, 0.03, 0.005).fail, None),
        ("errors: both 0.1 %, promote", lambda: _increase(runs, 50, 0.001, 0.001).passed, None),
        ("clients_leave: the candidate hangs", lambda: cases.leaving_clients(runs, 58, 0.5, hung=1.0).fail, None),
        ("clients_leave: 30 % hang", lambda: cases.leaving_clients(runs, 59, 0.5, hung=0.3).fail, None),
        ("errors in bursts: 5 % and 0, share 25 %, roll back", lambda: _bursty(runs, 0.05), None),
        ("errors in bursts: 2 % and 0, share 25 %, roll back", lambda: _bursty(runs, 0.02), None),
        ("split guard: 15 % instead of 10 %", lambda: cases.split(runs, 51, 0.15, 0.1).fail, None),
    ]
    return [partial(_median, name, runs, run, reference) for name, run, reference in rows]


def _increase(runs: int, seed: int, candidate: float, baseline: float) -> cases.Runs:
    return cases.increase(runs, seed, steady(0.1, candidate, baseline), limit=0.005, blocks=800)


def _bursty(runs: int, part: float) -> np.ndarray:
    return cases.bursts(max(20, runs // 5), 35, 0.25, (part, 0.0)).fail


def _even(runs: int, seed: int, ratio: float, q: float) -> cases.Runs:
    """Test latencies that arrive in flushes, with 1 request of 21 at the candidate and no drift.

    As in production, the gate leaves out a part of the samples, so that both sides stay in proportion.
    """
    return cases.latency_drift(runs, seed, ratio, q, Drift(lambda _: 1 / 21, lambda _: 1.0), n=100_000)


def _slow(runs: int, drift: Drift) -> np.ndarray:
    return cases.latency_drift(runs, 54, 1.5, 0.95, drift).fail


def _median(name: str, runs: int, run: Callable[[], np.ndarray], reference: float | None) -> list[Row]:
    median = float(np.median(run()))
    ok = reference is None or median <= 1.3 * reference
    return [{"case": name, "runs": runs, "median": median, "reference": reference, "ok": ok}]


MEAN_LIMIT, QUANTILE_LIMIT = 1.3, 1.5  # the most samples (median), as a multiple of the fixed test's


def foresight(runs: int) -> list[Case]:
    """Return the cases that compare the samples until a decision with those of a fixed test with foresight."""
    return [
        *_means_against_fixed(runs),
        *_errors_against_fixed(runs),
        _latency_against_fixed(runs, 0.99, 0.25, 1.0, 20, QUANTILE_LIMIT),
        _latency_against_fixed(runs, 0.99, 0.25, 1.5, 20, QUANTILE_LIMIT),
        _latency_against_fixed(runs, 0.99, 0.25, 1.0, 1, QUANTILE_LIMIT),
        _latency_against_fixed(runs, 0.99, 0.5, 1.0, 20, None),
        _latency_against_fixed(runs, 0.99, 0.5, 1.5, 20, None),
        _latency_against_fixed(runs, 0.99, 0.5, 1.0, 1, None),
        _latency_against_fixed(runs, 0.95, 0.5, 1.0, 20, None),
        _latency_against_fixed(runs, 0.95, 0.5, 1.5, 20, None),
        _latency_against_fixed(runs, 0.95, 0.25, 1.0, 20, None),
    ]


def _means_against_fixed(runs: int) -> list[Case]:
    noisy = math.sqrt(0.6 * 0.25)  # of scores 0, 1/2 and 1, of which 40 % are 1/2

    def sameness(true: float) -> cases.Runs:
        return cases.quality(runs, 80, true, n=1500)

    def preference(true: float) -> cases.Runs:
        return answers.preference(runs, 81, true, 0.4)

    return [
        _against_fixed(
            runs, "sameness: equal, promote", MEAN_LIMIT, lambda: sameness(0.0).passed, _mean(-0.03, 0.0, 0.15)
        ),
        _against_fixed(
            runs, "sameness: 0.06 worse, roll back", MEAN_LIMIT, lambda: sameness(-0.06).fail, _mean(-0.03, -0.06, 0.15)
        ),
        _against_fixed(
            runs, "sameness: 0.10 worse, roll back", None, lambda: sameness(-0.10).fail, _mean(-0.03, -0.10, 0.15)
        ),
        _against_fixed(
            runs, "preference: equal, promote", MEAN_LIMIT, lambda: preference(0.5).passed, _mean(0.45, 0.5, noisy)
        ),
        _against_fixed(
            runs,
            "preference: mean 0.40, roll back",
            MEAN_LIMIT,
            lambda: preference(0.40).fail,
            _mean(0.45, 0.40, noisy),
        ),
    ]


def _mean(boundary: float, true: float, sd: float) -> tuple[fixed.Statistic, int]:
    return fixed.mean_statistic(boundary, true, sd), round(6.2 * (sd / (true - boundary)) ** 2)


def _errors_against_fixed(runs: int) -> list[Case]:
    def increase(candidate: float, baseline: float) -> cases.Runs:
        return cases.increase(runs, 83, steady(0.1, candidate, baseline), limit=0.005, blocks=3000)

    return [
        _against_fixed(
            runs,
            "errors, limit 2 %: 0.5 %, promote",
            MEAN_LIMIT,
            lambda: cases.rate(runs, 82, 0.005).passed,
            (fixed.rate_statistic(0.02, 0.005), 400),
        ),
        _against_fixed(
            runs,
            "errors, limit 2 %: 4 %, roll back",
            MEAN_LIMIT,
            lambda: cases.rate(runs, 82, 0.04).fail,
            (fixed.rate_statistic(0.02, 0.04), 400),
        ),
        _against_fixed(
            runs,
            "errors, increase 0.5 %: both 0.1 %, promote",
            MEAN_LIMIT,
            lambda: increase(0.001, 0.001).passed,
            (fixed.increase_statistic(0.005, 0.001, 0.001, 9), 700),
        ),
        _against_fixed(
            runs,
            "errors, increase 0.5 %: both 1 %, promote",
            MEAN_LIMIT,
            lambda: increase(0.01, 0.01).passed,
            (fixed.increase_statistic(0.005, 0.01, 0.01, 9), 4000),
        ),
        _against_fixed(
            runs,
            "errors, increase 0.5 %: 3 % and 0.5 %, roll back",
            MEAN_LIMIT,
            lambda: increase(0.03, 0.005).fail,
            (fixed.increase_statistic(0.005, 0.03, 0.005, 9), 300),
        ),
    ]


def _latency_against_fixed(runs: int, q: float, sigma: float, ratio: float, sides: int, limit: float | None) -> Case:
    per_token, decision = " per token" if sigma < 0.5 else "", "promote" if ratio < 1.2 else "roll back"
    name = f"latency p{100 * q:.0f}{per_token}, σ {sigma}, baseline {sides} : 1: {ratio} ×, {decision}"

    def needed() -> np.ndarray:
        found = cases.latency(runs, 84, ratio, q, n=12_000, baseline=sides, sigma=sigma)
        return found.passed if ratio < 1.2 else found.fail

    counted = (fixed.exceedance_statistic(1.2, ratio, q, sigma, sides), 400)
    knowing = (fixed.latency_statistic(1.2, ratio, q, sigma, sides), 600)
    return _against_fixed(runs, name, limit, needed, counted, knowing)


def _against_fixed(
    runs: int,
    name: str,
    limit: float | None,
    run: Callable[[], np.ndarray],
    test: tuple[fixed.Statistic, int],
    knowing: tuple[fixed.Statistic, int] | None = None,
) -> Case:
    """Return the case that compares with ``test``.

    ``knowing``: a fixed test that also knows the shape of the distribution; it is shown, and has no limit.
    """

    def case() -> list[Row]:
        needed = run()
        one_look, median = fixed.fixed_test(*test), float(np.median(needed))
        times = median / one_look.n
        ok = None if limit is None else times <= limit
        return [
            {
                "case": name,
                "runs": runs,
                "decided": float(np.isfinite(needed).mean()),
                "median": median,
                "fixed n": one_look.n,
                "power": one_look.power,
                "times": times,
                "limit": limit,
                "fixed n, shape known": fixed.fixed_test(*knowing).n if knowing else None,
                "ok": ok,
            }
        ]

    return case


def estimated_samples(runs: int) -> list[Case]:
    """Return the cases that compare the estimated number of missing samples with the true one, from 200 samples on."""
    return [partial(_estimated, runs, name, build) for name, build in estimates.CASES.items()]


def _estimated(
    runs: int, name: str, build: Callable[[np.random.Generator], tuple[Gate, Iterable[Callable[[], None]]]]
) -> list[Row]:
    found = estimates.estimates(max(20, runs // 2), 90, build)
    return [
        {
            "case": name,
            "runs": max(20, runs // 2),
            "shown": found.shown,
            "median of estimated / true": found.median,
            "within a factor of 2": found.within_2,
            "ok": 0.5 <= found.median <= 2,
        }
    ]


def every_request_fails(runs: int) -> list[Case]:
    """Return the cases that measure after how many bad answers the fast guard fires if all candidate requests fail."""
    return [
        partial(_bad_answers, runs, share, healthy, base)
        for share in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
        for healthy in (0, 1000)
        for base in (0.0, 0.01)
    ] + [partial(_bad_answers, runs, share, 1000, 0.01, fallback=True) for share in (0.25, 0.5, 0.75, 0.9, 0.95, 1.0)]


def _bad_answers(runs: int, share: float, healthy: int, base: float, *, fallback: bool = False) -> list[Row]:
    needed = cases.bad_answers(runs, 60, share, healthy=healthy, baseline_rate=base, fallback=fallback)
    name = f"share {share:.0%}, after {healthy} good, baseline at {base:.0%}" + ", with fallback" * fallback
    p95 = float(np.quantile(needed, 0.95))
    return [{"case": name, "runs": runs, "median": float(np.median(needed)), "p95": p95, "ok": p95 <= 10}]


FAILED_ANSWERS = {0.02: 20, 0.1: 10, 0.5: 7}  # part of the answers that fail → failed answers at a new step


def some_answers_fail(runs: int) -> list[Case]:
    """Return the cases that measure after how many failed answers the default gates roll back a candidate."""
    return [
        partial(_failed_answers, runs, share, failing, healthy)
        for share in (0.05, 0.25, 0.5)
        for failing in FAILED_ANSWERS
        for healthy in (0, 1000)
    ]


def _failed_answers(runs: int, share: float, failing: float, healthy: int) -> list[Row]:
    needed = cases.failed_answers(runs, 61, share, failing, healthy=healthy)
    name = f"share {share:.0%}, {failing:.0%} fail, after {healthy} good"
    median, reference = float(np.median(needed)), None if healthy else FAILED_ANSWERS[failing]
    p95 = float(np.quantile(needed, 0.95))
    ok = reference is None or median <= 1.3 * reference
    return [{"case": name, "runs": runs, "median": median, "p95": p95, "reference": reference, "ok": ok}]


def outages(runs: int) -> list[Case]:
    """Return the cases that measure how often the candidate goes to 0 % when both sides fail alike for 300 requests.

    The fast guard has the alpha of the default configuration.
    """
    return [partial(_outage, runs, share, depth) for depth in (1.0, 0.6) for share in (0.25, 0.5, 0.75, 0.9, 0.95, 1.0)]


def _outage(runs: int, share: float, depth: float) -> list[Row]:
    fired, rescued = (
        cases.fast_false_alarms(
            runs, 70, outage(share, depth), n=1400, alpha=cases.DEFAULT_FAST_ALPHA, fallback=fallback
        )
        for fallback in (False, True)
    )
    silent = share**10  # probability that the baseline gets none of the ten requests for which the guard waits
    name = f"share {share:.0%}, {depth:.0%} of both sides' requests fail"
    ok = (share > 0.5 or fired <= upper_limit(runs)) and (depth < 1 or rescued <= upper_limit(runs))
    return [{"case": name, "runs": runs, "share": fired, "with fallback": rescued, "silent": silent, "ok": ok}]


TABLES: dict[str, Callable[[int], list[Case]]] = {
    "false decisions at the boundary": guarantees,
    "candidate samples until the decision (median)": power,
    "candidate samples until the decision, and those of a fixed test with foresight": foresight,
    "false decisions at the boundary, on the two copies of a request": paired_tables.guarantees,
    "pairs of copies until the decision, and those of a fixed paired test with foresight": paired_tables.foresight,
    "whole ramps with sticky users who differ, 1,000 requests an hour": paired_tables.user_ramps,
    "estimated number of missing samples, divided by the true one, from 200 samples on": estimated_samples,
    "every request fails: bad answers until the guard fires": every_request_fails,
    "some answers fail: failed answers until the rollback": some_answers_fail,
    "both sides fail: how often the candidate goes to 0": outages,
}


def run_case(title: str, number: int, runs: int) -> list[Row]:
    """Run case ``number`` of the table ``title``, and return its rows.

    The arguments name the case, because the case itself cannot be sent to a worker process: it contains functions.
    """
    rows = TABLES[title](runs)[number]()
    for row in rows:
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs",
        type=int,
        default=1000,
        help="simulations per case of the first table, five times those of the other tables",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of worker processes")
    parser.add_argument("--only", default="", help="run only the cases of tables whose title contains this text")
    options = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = {}
        for title, of in TABLES.items():
            if options.only not in title:
                continue
            runs = options.runs if of in (guarantees, paired_tables.guarantees) else max(20, options.runs // 5)
            waiting[title] = [pool.submit(run_case, title, i, runs) for i in range(len(of(runs)))]
        tables = {title: [row for future in futures for row in future.result()] for title, futures in waiting.items()}
    for title, rows in tables.items():
        print(f"\n### {title}\n")
        _print(rows)
    ok = all(row["ok"] is not False for rows in tables.values() for row in rows)
    result = "every case is within its limit" if ok else "A CASE IS BEYOND ITS LIMIT"
    print(f"\n{result}; {time.monotonic() - began:.0f} s\n")
    print(json.dumps({"bench": "evidence", "ok": ok, **{k.replace(" ", "_"): v for k, v in tables.items()}}))
    return 0 if ok else 1


def _print(rows: list[Row]) -> None:
    keys = list(rows[0])
    print("| " + " | ".join(keys) + " |")
    print("|" + "---|" * len(keys))
    for row in rows:
        print("| " + " | ".join(_cell(row[key]) for key in keys) + " |")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if value is None:
        return "–"
    return (
        f"{value:.3g}"
        if isinstance(value, float) and value < 10
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )


if __name__ == "__main__":
    sys.exit(main())
