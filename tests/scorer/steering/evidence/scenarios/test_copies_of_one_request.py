"""The guarantees of the gates on copies of one request, and ramps with users whose latencies differ, in few runs.

``make bench-evidence`` has the same cases with 1,000 runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench import paired_cases as cases
from bench import paired_tables as tables
from bench.paired_cases import Failures, Requests
from bench.simulated_runs import upper_limit

pytestmark = pytest.mark.slow
RUNS = 60


@pytest.mark.parametrize(
    "requests",
    [tables.AT_LIMIT, tables.JUMP, tables.COPIES_SLOWER, tables.USERS_MOVE],
    ids=["steady", "both slower at once", "copies slower", "a slow user leaves"],
)
def test_a_candidate_at_the_limit_of_latency_neither_fails_nor_passes(requests: Requests) -> None:
    result = cases.latency(RUNS, 1, 0.95, requests, n=250)
    assert result.fail_rate <= upper_limit(RUNS)
    assert result.pass_rate <= upper_limit(RUNS)


@pytest.mark.parametrize("both", [lambda _: 0.0, lambda part: 0.5 if part > 0.8 else 0.0], ids=["steady", "outage"])
def test_a_candidate_at_the_limit_of_errors_neither_fails_nor_passes(both: Callable[[float], float]) -> None:
    failures = Failures(lambda _: 0.03, lambda _: 0.02, both)
    result = cases.increase(RUNS, 2, failures, limit=0.01, n=600)
    assert result.fail_rate <= upper_limit(RUNS)
    assert result.pass_rate <= upper_limit(RUNS)


def test_the_users_part_of_a_latency_cancels() -> None:
    passed = [
        cases.latency(8, 3, 0.95, Requests(1.0, sigma=0.5, shared=shared), n=1500).passed for shared in (0.0, 0.9)
    ]
    assert np.median(passed[1]) < np.median(passed[0])


def test_a_ramp_of_equal_sides_with_a_heavy_user_ends_well_with_copies_at_both_sides_only() -> None:
    alone, copied = (cases.ramp(same_side, tables.HEAVY, 0) for same_side in (0, 10))
    assert alone.ended == "rolled back"
    assert copied.ended == "done"


def test_a_slower_candidate_is_stopped_at_0_percent() -> None:
    slow = cases.ramp(10, replace(tables.HEAVY, slower=1.5), 0)
    assert (slow.ended, slow.gate) == ("rolled back", "latency_p95 at 0 %")
    assert slow.days < math.inf
