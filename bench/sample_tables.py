"""The tables of the samples that a decision needs: measured, compared with a fixed test, and estimated by the gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from bench import answer_gate_cases as answers
from bench import burst_cases, error_cases, latency_cases, sameness_cases, simulated_runs
from bench import evidence_estimates as estimates
from bench import evidence_fixed_tests as fixed
from bench.error_cases import steady
from bench.false_decision_tables import DOWN_AND_SLOWER, HEAVY_USER, UP_AND_FASTER
from bench.latency_cases import Drift
from bench.simulated_runs import Case, Row
from scorer.steering.evidence.gate_base import Gate


def _equally_right(runs: int) -> Callable[[], np.ndarray]:
    return lambda: answers.correctness(runs, 74, 0.05, 0.05).passed


def power(runs: int) -> list[Case]:
    """Return the cases that measure the number of samples for a decision.

    A row has the expected number if this is known.
    """
    rows: list[tuple[str, Callable[[], np.ndarray], float | None]] = [
        ("sameness: true 0, promote", lambda: sameness_cases.quality(runs, 40, 0.0, n=1500).passed, 245),
        ("sameness: true -0.06, roll back", lambda: sameness_cases.quality(runs, 41, -0.06, n=1500).fail, 254),
        ("sameness: true -0.10, roll back", lambda: sameness_cases.quality(runs, 42, -0.10, n=800).fail, 96),
        ("latency p99: 1.5 ×, roll back", lambda: latency_cases.latency(runs, 43, 1.5, 0.99, n=4000).fail, 850),
        ("latency p99: 2 ×, roll back", lambda: latency_cases.latency(runs, 44, 2.0, 0.99, n=1000).fail, 110),
        ("latency p99: equal, promote", lambda: latency_cases.latency(runs, 45, 1.0, 0.99, n=8000).passed, 3000),
        ("latency p95: 1.5 ×, roll back", lambda: latency_cases.latency(runs, 46, 1.5, 0.95, n=1500).fail, 240),
        ("latency p95: 2 ×, roll back", lambda: latency_cases.latency(runs, 47, 2.0, 0.95, n=500).fail, 50),
        ("latency p95: equal, promote", lambda: latency_cases.latency(runs, 48, 1.0, 0.95, n=3000).passed, 740),
        ("latency p95: 1.5 ×, roll back, split 5 % in flushes", lambda: _even(runs, 55, 1.5, 0.95).fail, 240),
        ("latency p95: equal, promote, split 5 % in flushes", lambda: _even(runs, 56, 1.0, 0.95).passed, 740),
        ("latency p99: 1.5 ×, roll back, split 5 % in flushes", lambda: _even(runs, 57, 1.5, 0.99).fail, 850),
        ("latency p95: 1.5 ×, split 50 → 10 %, both 3 × slower at once", lambda: _slow(runs, DOWN_AND_SLOWER), None),
        ("latency p95: 1.5 ×, split 10 → 50 %, both 3 × faster at once", lambda: _slow(runs, UP_AND_FASTER), None),
        ("preference: mean 0.26, roll back", lambda: answers.preference(runs, 70, 0.26, 0.1).fail, None),
        ("preference: equal, 40 % ties, promote", lambda: answers.preference(runs, 71, 0.5, 0.4).passed, None),
        ("correctness: 10 % less correct, roll back", lambda: answers.correctness(runs, 72, 0.05, 0.15).fail, None),
        ("correctness: 30 % less correct, roll back", lambda: answers.correctness(runs, 73, 0.05, 0.35).fail, None),
        ("correctness: equal, 10 % discordant, promote", _equally_right(runs), None),
        ("feedback: 60 % and 80 % thumbs up, roll back", lambda: answers.feedback(runs, 75, 0.6, 0.8).fail, None),
        ("feedback: 30 % and 80 % thumbs up, roll back", lambda: answers.feedback(runs, 76, 0.3, 0.8).fail, None),
        (
            "sameness_margin: 0.10 worse, a user with 30 %",
            lambda: sameness_cases.margin(runs, 52, HEAVY_USER, 0.10).fail,
            None,
        ),
        (
            "sameness_margin: equal, one user with 30 %",
            lambda: sameness_cases.margin(runs, 53, HEAVY_USER, 0.0).passed,
            None,
        ),
        ("errors: 3 % against 0.5 %, roll back", lambda: _increase(runs, 49, 0.03, 0.005).fail, None),
        ("errors: both 0.1 %, promote", lambda: _increase(runs, 50, 0.001, 0.001).passed, None),
        ("clients_leave: the candidate hangs", lambda: burst_cases.leaving_clients(runs, 58, 0.5, hung=1.0).fail, None),
        ("clients_leave: 30 % hang", lambda: burst_cases.leaving_clients(runs, 59, 0.5, hung=0.3).fail, None),
        ("errors in bursts: 5 % and 0, share 25 %, roll back", lambda: _bursty(runs, 0.05), None),
        ("errors in bursts: 2 % and 0, share 25 %, roll back", lambda: _bursty(runs, 0.02), None),
        ("split guard: 15 % instead of 10 %", lambda: error_cases.split(runs, 51, 0.15, 0.1).fail, None),
    ]
    return [partial(_median, name, runs, run, reference) for name, run, reference in rows]


def _increase(runs: int, seed: int, candidate: float, baseline: float) -> simulated_runs.Runs:
    return error_cases.increase(runs, seed, steady(0.1, candidate, baseline), limit=0.005, blocks=800)


def _bursty(runs: int, part: float) -> np.ndarray:
    return burst_cases.bursts(max(20, runs // 5), 35, 0.25, (part, 0.0)).fail


def _even(runs: int, seed: int, ratio: float, q: float) -> simulated_runs.Runs:
    """Test latencies that arrive in flushes, with 1 request of 21 at the candidate and no drift.

    As in production, the gate leaves out a part of the samples, so that both sides stay in proportion.
    """
    return latency_cases.latency_drift(runs, seed, ratio, q, Drift(lambda _: 1 / 21, lambda _: 1.0), n=100_000)


def _slow(runs: int, drift: Drift) -> np.ndarray:
    return latency_cases.latency_drift(runs, 54, 1.5, 0.95, drift).fail


def _median(name: str, runs: int, run: Callable[[], np.ndarray], reference: float | None) -> list[Row]:
    median = float(np.median(run()))
    ok = reference is None or median <= 1.3 * reference
    return [{"case": name, "runs": runs, "median": median, "reference": reference, "ok": ok}]


MEAN_LIMIT, QUANTILE_LIMIT = 1.3, 1.5  # the most samples (median), as a multiple of the fixed test's


def foresight(runs: int) -> list[Case]:
    """Return the cases that compare the number of samples of a gate with that of a fixed test with foresight."""
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

    def sameness(true: float) -> simulated_runs.Runs:
        return sameness_cases.quality(runs, 80, true, n=1500)

    def preference(true: float) -> simulated_runs.Runs:
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
    def increase(candidate: float, baseline: float) -> simulated_runs.Runs:
        return error_cases.increase(runs, 83, steady(0.1, candidate, baseline), limit=0.005, blocks=3000)

    return [
        _against_fixed(
            runs,
            "errors, limit 2 %: 0.5 %, promote",
            MEAN_LIMIT,
            lambda: error_cases.rate(runs, 82, 0.005).passed,
            (fixed.rate_statistic(0.02, 0.005), 400),
        ),
        _against_fixed(
            runs,
            "errors, limit 2 %: 4 %, roll back",
            MEAN_LIMIT,
            lambda: error_cases.rate(runs, 82, 0.04).fail,
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
        found = latency_cases.latency(runs, 84, ratio, q, n=12_000, baseline=sides, sigma=sigma)
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
    """Return the case that compares a gate with the fixed test ``test``.

    ``knowing``: a fixed test that also knows the shape of the distribution. Its result is shown, but has no limit.
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
