"""The simulation of whole ramps: how a short ramp ends, and the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.ramp_traffic import Crowd, Traffic, outcomes, period, scored_pairs
from bench.ramps import Case, Ramp, readme_workload, report, run_ramp
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side

EASY = "{errors: {max_increase: 5%}, latency: []}"
SHORT = {"steps": [50, 100], "hold": "6h", "min_samples": 200}
TRAFFIC = Traffic(per_hour=500, sigma=0.5, users=50)
NOISE = {"same_side": 50}


def test_an_equal_candidate_reaches_the_last_step_when_its_holds_are_over() -> None:
    ended = run_ramp(readme_workload(EASY, ramp=SHORT, shadow=NOISE), TRAFFIC, seed=1, longest_days=3)
    assert ended == Ramp("done", 0.5)


def test_a_failing_candidate_is_rolled_back_by_the_gate_that_is_named() -> None:
    ended = run_ramp(readme_workload(EASY, ramp=SHORT), replace(TRAFFIC, errors=(0.3, 0.002)), seed=1, longest_days=3)
    assert ended.ended == "rolled back"
    assert ended.gate.startswith("errors")


def test_a_gate_that_never_passes_leaves_the_ramp_stuck_and_is_named() -> None:
    workload = readme_workload("{latency: [], errors: {max_increase: 5%, min_samples: 100000}}", ramp=SHORT)
    ended = run_ramp(workload, TRAFFIC, seed=1, longest_days=0.5)
    assert ended.ended == "stuck"
    assert "errors" in ended.gate
    assert ended.gate.endswith("at 0 %")


def test_each_request_is_answered_by_one_side_and_copied_to_the_other() -> None:
    rng = np.random.default_rng(2)
    requests = period(TRAFFIC, Crowd.of(TRAFFIC, rng), 20, 0, 3_600_000, rng)
    flush = outcomes(requests, 1, 0, 3_600_000)
    n = {(side.side, side.origin): side.requests for side in flush.sides}
    assert n[Side.CANDIDATE, Origin.LIVE] == n[Side.BASELINE, Origin.SHADOW] > 0
    assert n[Side.BASELINE, Origin.LIVE] == n[Side.CANDIDATE, Origin.SHADOW] > 0
    pairs = list(scored_pairs(requests, np.arange(len(requests.at_ms)), np.ones(len(requests.at_ms), bool)))
    noise = [pair for pair in pairs if pair.kind is PairKind.NOISE]
    assert all(pair.sticky.startswith("user-") for pair in pairs)
    assert all(pair.baseline.origin is Origin.LIVE for pair in noise)
    assert len(noise) <= n[Side.BASELINE, Origin.LIVE]


@pytest.mark.parametrize("fallback", [True, False])
def test_rescues_and_copies_at_the_baseline_are_counted_as_extproc_counts_them(fallback: bool) -> None:
    traffic = replace(TRAFFIC, heavy=0.3, heavy_errors=0.4)
    rng = np.random.default_rng(3)
    requests = period(traffic, Crowd.of(traffic, rng), 20, 0, 3_600_000, rng)
    own, base, live = requests.candidate.failed, requests.baseline.failed, requests.live
    noise = np.ones(len(live), bool)
    flush = outcomes(requests, 1, 0, 3_600_000, noise=noise, fallback=fallback)
    sides = {side.side: side for side in flush.sides if side.origin is Origin.LIVE}
    candidate, baseline = sides[Side.CANDIDATE], sides[Side.BASELINE]
    assert candidate.rescued + candidate.rescues_failed == (candidate.errors if fallback else 0)
    assert candidate.rescues_failed == ((live & own & base).sum() if fallback else 0)
    assert candidate.baseline_copies == candidate.requests - candidate.errors > 0
    assert candidate.baseline_copies_failed == (live & ~own & base).sum() > 0
    assert baseline.baseline_copies == baseline.requests - baseline.errors > 0
    assert candidate.errors > 10 * baseline.errors


def test_a_user_whose_requests_fail_at_both_sides_can_fail_the_same_ones() -> None:
    traffic = replace(TRAFFIC, errors=(0.0, 0.0), heavy=0.3, heavy_errors=0.4, alike=True)
    rng = np.random.default_rng(3)
    requests = period(traffic, Crowd.of(traffic, rng), 20, 0, 3_600_000, rng)
    assert requests.candidate.failed.any()
    assert (requests.candidate.failed == requests.baseline.failed).all()


@pytest.mark.parametrize(
    ("done", "ends", "ok"),
    [
        (0.9, ["done"] * 9 + ["held"], True),
        (0.9, ["done"] * 8 + ["held"] * 2, False),
        (0.0, ["rolled back"] * 10, True),
        (0.0, ["done"] + ["rolled back"] * 9, False),
    ],
)
def test_a_case_is_ok_if_as_many_ramps_as_expected_reach_the_last_step(done: float, ends: list[str], ok: bool) -> None:
    row = report(Case("x", TRAFFIC, done=done), [Ramp(end, 14.0) for end in ends])
    assert row["ok"] is ok


def test_a_ramp_that_does_not_end_counts_as_endless_in_the_quantiles() -> None:
    ramps = [Ramp("done", 14.0)] * 8 + [Ramp("stuck", 100.0)] * 2
    row = report(Case("x", TRAFFIC, most=(15, 18), done=0.5), ramps)
    assert (row["median days"], row["p90 days"], row["ok"]) == (14.0, float("inf"), False)
