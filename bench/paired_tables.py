"""The tables of ``make bench-evidence`` on copies of one request, and on sticky users whose latencies differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np

from bench import paired_cases as cases
from bench.evidence_fixed_tests import fixed_test
from bench.paired_cases import Failures, PrefixCache, Requests
from bench.ramp_traffic import Traffic
from bench.simulated_runs import ALPHA, Case, Row, Runs, upper_limit


def _swing(part: float) -> float:
    """Return the rate of failures that both copies share: a slow wave, and an outage of half of all requests."""
    return 0.5 if 0.4 < part < 0.45 else 0.02 * (1 + math.sin(20 * part))


AT_LIMIT = Requests(cases.LIMIT)
JUMP = Requests(cases.LIMIT, drift=lambda part: 3.0 if part > 0.5 else 1.0)
SLOWLY = Requests(cases.LIMIT, drift=lambda part: 3.0**part)
COPIES_SLOWER = Requests(cases.LIMIT, copies_slower=1.2)
# As the share grows, a user who waits four times as long moves to the candidate. Then none of the requests of this user
# has two copies.
USERS_MOVE = Requests(cases.LIMIT, heavy=lambda part: 0.3 if part < 0.5 else 0.0)


def guarantees(runs: int) -> list[Case]:
    """Return the cases that measure the share of wrong decisions of a test on copies at the boundary of its null."""
    found: list[tuple[str, Callable[[], Runs]]] = [
        ("latency p95 at 1.2 ×", lambda: cases.latency(runs, 80, 0.95, AT_LIMIT, n=400)),
        ("latency p50 at 1.2 ×", lambda: cases.latency(runs, 81, 0.5, AT_LIMIT, n=300)),
        ("latency p99 at 1.2 ×", lambda: cases.latency(runs, 82, 0.99, AT_LIMIT, n=1000)),
        ("latency p95 at 1.2 ×, nothing shared", lambda: cases.latency(runs, 83, 0.95, Requests(1.2, shared=0), n=400)),
        ("latency p95 at 1.2 ×, both 3 × slower at once", lambda: cases.latency(runs, 84, 0.95, JUMP, n=400)),
        ("latency p95 at 1.2 ×, both 3 × slower, slowly", lambda: cases.latency(runs, 85, 0.95, SLOWLY, n=400)),
        ("latency p95 at 1.2 ×, copies 20 % slower", lambda: cases.latency(runs, 86, 0.95, COPIES_SLOWER, n=400)),
        ("latency p95 at 1.2 ×, a slow user leaves", lambda: cases.latency(runs, 87, 0.95, USERS_MOVE, n=400)),
        ("errors: 1.5 % and 1 %, limit 0.5 %", lambda: _errors(runs, 88, Failures(lambda _: 0.015, lambda _: 0.01))),
        ("errors: 0.5 % and 0 %, limit 0.5 %", lambda: _errors(runs, 89, Failures(lambda _: 0.005, lambda _: 0.0))),
        (
            "errors: at the limit, common drift and outage",
            lambda: _errors(runs, 90, Failures(lambda _: 0.015, lambda _: 0.01, _swing)),
        ),
    ]
    warm = [
        ("ttft p95 at 1.2 ×, a prompt's second request 3 × faster", PrefixCache(cases.LIMIT)),
        ("ttft p95 at 1.2 ×, the same, copies 10 % slower", PrefixCache(cases.LIMIT / 1.1, copies_slower=1.1)),
        ("ttft p95 at 1.2 ×, no prefix cache", PrefixCache(cases.LIMIT, faster=1.0)),
    ]
    found += [(name, partial(cases.first_token, runs, 93, cache, n=600)) for name, cache in warm]
    return [
        *(partial(_both, name, runs, run) for name, run in found),
        *(partial(_equal_with_cache, max(20, runs // 5), asked) for asked in (False, True)),
    ]


def _equal_with_cache(runs: int, asked: bool) -> list[Row]:
    name = f"ttft p95, equal sides, the same, {'with' if asked else 'without'} the clients' first tokens"
    found, limit = cases.first_token(runs, 94, PrefixCache(1.0, asked=asked), n=2500), upper_limit(runs, ALPHA)
    rows = (("false rollback", found.fail_rate), ("promotion, which is right", found.pass_rate))
    return [
        {
            "case": f"{name}: {what}",
            "runs": runs,
            "share": share,
            "limit": limit,
            "ok": share <= limit if judged else None,
        }
        for (what, share), judged in zip(rows, (asked, False), strict=True)
    ]


def _errors(runs: int, seed: int, failures: Failures) -> Runs:
    return cases.increase(runs, seed, failures, limit=0.005, n=1000)


def _both(name: str, runs: int, run: Callable[[], Runs]) -> list[Row]:
    result, limit = run(), upper_limit(runs, ALPHA)
    return [
        {"case": f"{name}: {what}", "runs": runs, "share": share, "limit": limit, "ok": share <= limit}
        for what, share in (("false rollback", result.fail_rate), ("false promotion", result.pass_rate))
    ]


def foresight(runs: int) -> list[Case]:
    """Return the cases that compare the numbers of pairs that a gate and a fixed paired test need for a decision."""
    latency = [
        ("p95, equal, promote", 0.95, 1.0, 0.5, 3000),
        ("p95, equal, σ 0.25 as per token, promote", 0.95, 1.0, 0.25, 1500),
        ("p95, 1.5 ×, roll back", 0.95, 1.5, 0.5, 2500),
        ("p95, 2 ×, roll back", 0.95, 2.0, 0.5, 1000),
        ("p50, equal, promote", 0.5, 1.0, 0.5, 1200),
        ("p99, equal, promote", 0.99, 1.0, 0.5, 8000),
    ]
    errors = [
        ("errors, both 0.1 %, promote", 0.001, 0.001, 4000),
        ("errors, 3 % and 0.5 %, roll back", 0.03, 0.005, 2000),
        ("errors, 10 % and 0.5 %, roll back", 0.10, 0.005, 500),
    ]
    return [
        partial(_slower_first_token, runs),
        *(partial(_latency_against_fixed, runs, *row) for row in latency),
        *(partial(_errors_against_fixed, runs, *row) for row in errors),
    ]


def _slower_first_token(runs: int) -> list[Row]:
    """Return the number of pairs until a rollback if the baseline caches prefixes of prompts.

    There is no fixed test to compare with.
    """
    found = cases.first_token(runs, 95, PrefixCache(1.5), n=4000)
    name = "ttft p95, 1.5 ×, a prompt's second request 3 × faster, roll back"
    return [
        {
            "case": name,
            "runs": runs,
            "median": float(np.median(found.fail)),
            "fixed test": None,
            "ratio": None,
            "ok": None,
        }
    ]


def _latency_against_fixed(runs: int, name: str, q: float, true: float, sigma: float, n: int) -> list[Row]:
    found = cases.latency(runs, 91, q, Requests(true, sigma), n=n)
    fixed = fixed_test(cases.quantile_statistic(true, q, sigma, 0.6), guess=200)
    return [_against_fixed(f"latency {name}", runs, found.passed if true < cases.LIMIT else found.fail, fixed.n)]


def _errors_against_fixed(runs: int, name: str, candidate: float, baseline: float, n: int) -> list[Row]:
    limit = 0.005
    failures = Failures(lambda _: candidate, lambda _: baseline)
    found = cases.increase(runs, 92, failures, limit=limit, n=n)
    fixed = fixed_test(cases.difference_statistic(limit, candidate, baseline), guess=500)
    return [_against_fixed(name, runs, found.passed if candidate - baseline < limit else found.fail, fixed.n)]


def _against_fixed(name: str, runs: int, found: np.ndarray, fixed: int) -> Row:
    median = float(np.median(found))
    return {"case": name, "runs": runs, "median": median, "fixed test": fixed, "ratio": median / fixed, "ok": None}


EQUAL = Traffic(1000, 0.5, users=1000, user_sd=0.3)
HEAVY = Traffic(1000, 0.5, users=1000, user_sd=0.3, heavy=0.3, heavy_factor=2.0)
COPIED = Traffic(1000, 0.5, users=1000, user_sd=0.3, copies_slower=1.2)


def user_ramps(runs: int) -> list[Case]:
    """Return the cases of whole ramps with sticky users whose latencies differ.

    Each traffic with equal sides is simulated without copies, and with copies of 5 % and 10 % at both sides.
    """
    harmful = [
        ("candidate 1.5 × slower", Traffic(1000, 0.5, users=1000, user_sd=0.3, slower=1.5)),
        ("candidate 1.5 × slower, the heavy user", Traffic(1000, 0.5, users=1000, heavy=0.3, slower=1.5)),
        ("candidate fails 3 % instead of 0.2 %", Traffic(1000, 0.5, users=1000, errors=(0.03, 0.002))),
    ]
    sound = [
        ("equal sides", EQUAL),
        ("equal sides, one user sends 30 % and waits 2 × as long", HEAVY),
        ("equal sides, copies 20 % slower", COPIED),
    ]
    return [
        *(
            partial(_ramps, f"{name}, {_COPIES[same_side]}", max(20, runs // 2), same_side, traffic, harmful=False)
            for name, traffic in sound
            for same_side in _COPIES
        ),
        *(
            partial(_ramps, f"{name}, {_COPIES[10]}", runs * 5 // 2, 10, traffic, harmful=True)
            for name, traffic in harmful
        ),
    ]


_COPIES = {0: "live requests only", 5: "copies of 5 % at both sides", 10: "copies of 10 % at both sides"}


def _ramps(name: str, runs: int, same_side: float, traffic: Traffic, *, harmful: bool) -> list[Row]:
    ramps = [cases.ramp(same_side, traffic, seed) for seed in range(runs)]
    ends = Counter(ramp.ended for ramp in ramps)
    days = [ramp.days if ramp.ended == "done" else math.inf for ramp in ramps]
    done = ends["done"] / runs
    ok = None if not same_side else done == 0 if harmful else done >= 0.95
    return [
        {
            "case": name,
            "runs": runs,
            "done": done,
            "rolled back": (ends["rolled back"] + ends["held"]) / runs,
            "stuck": ends["stuck"] / runs,
            "median days": float(np.quantile(days, 0.5, method="inverted_cdf")),
            "ok": ok,
        }
    ]
