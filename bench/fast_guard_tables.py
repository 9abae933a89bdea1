"""The tables of the fast guards: how many answers fail before a rollback, and false alarms in outages of both sides."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench import error_cases, simulated_runs
from bench.false_decision_tables import outage
from bench.simulated_runs import Case, Row, upper_limit


def every_request_fails(runs: int) -> list[Case]:
    """Return the cases in which every answer is bad. They measure how many answers it takes until the guard fires."""
    return [
        partial(_bad_answers, runs, share, healthy, base)
        for share in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
        for healthy in (0, 1000)
        for base in (0.0, 0.01)
    ] + [partial(_bad_answers, runs, share, 1000, 0.01, fallback=True) for share in (0.25, 0.5, 0.75, 0.9, 0.95, 1.0)]


def _bad_answers(runs: int, share: float, healthy: int, base: float, *, fallback: bool = False) -> list[Row]:
    needed = error_cases.bad_answers(runs, 60, share, healthy=healthy, baseline_rate=base, fallback=fallback)
    name = f"share {share:.0%}, after {healthy} good, baseline at {base:.0%}" + ", with fallback" * fallback
    p95 = float(np.quantile(needed, 0.95))
    return [{"case": name, "runs": runs, "median": float(np.median(needed)), "p95": p95, "ok": p95 <= 10}]


FAILED_ANSWERS = {0.02: 20, 0.1: 10, 0.5: 7}  # part of the answers that fail → failed answers at a new step


def some_answers_fail(runs: int) -> list[Case]:
    """Return the cases that measure the number of failed answers until the default gates roll back a candidate."""
    return [
        partial(_failed_answers, runs, share, failing, healthy)
        for share in (0.05, 0.25, 0.5)
        for failing in FAILED_ANSWERS
        for healthy in (0, 1000)
    ]


def _failed_answers(runs: int, share: float, failing: float, healthy: int) -> list[Row]:
    needed = error_cases.failed_answers(runs, 61, share, failing, healthy=healthy)
    name = f"share {share:.0%}, {failing:.0%} fail, after {healthy} good"
    median, reference = float(np.median(needed)), None if healthy else FAILED_ANSWERS[failing]
    p95 = float(np.quantile(needed, 0.95))
    ok = reference is None or median <= 1.3 * reference
    return [{"case": name, "runs": runs, "median": median, "p95": p95, "reference": reference, "ok": ok}]


def outages(runs: int) -> list[Case]:
    """Return the cases that measure the share of runs in which the candidate goes to 0 % when both sides fail alike.

    The outage lasts 300 requests. The fast guard has the alpha of the default configuration.
    """
    return [partial(_outage, runs, share, depth) for depth in (1.0, 0.6) for share in (0.25, 0.5, 0.75, 0.9, 0.95, 1.0)]


def _outage(runs: int, share: float, depth: float) -> list[Row]:
    fired, rescued = (
        error_cases.fast_false_alarms(
            runs, 70, outage(share, depth), n=1400, alpha=simulated_runs.DEFAULT_FAST_ALPHA, fallback=fallback
        )
        for fallback in (False, True)
    )
    silent = share**10  # probability that the baseline gets none of the ten requests for which the guard waits
    name = f"share {share:.0%}, {depth:.0%} of both sides' requests fail"
    ok = (share > 0.5 or fired <= upper_limit(runs)) and (depth < 1 or rescued <= upper_limit(runs))
    return [{"case": name, "runs": runs, "share": fired, "with fallback": rescued, "silent": silent, "ok": ok}]
