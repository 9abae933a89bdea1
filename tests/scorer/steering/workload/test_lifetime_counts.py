"""Counts over all steps of a workload."""

from __future__ import annotations

from glidepath.pairs_and_outcomes import Origin, Outcomes, Side, SideOutcomes
from scorer.steering.workload.lifetime_counts import Totals


def flush(*sides: SideOutcomes) -> Outcomes:
    return Outcomes("chat", "x", 1, 1_000, 2_000, sides)


def test_the_kinds_of_errors_add_up_by_side_and_origin() -> None:
    live = SideOutcomes(Side.CANDIDATE, Origin.LIVE, 9, 3, {"error_event": 2, "http_503": 1})
    copies = SideOutcomes(Side.CANDIDATE, Origin.SHADOW, 9, 1, {"error_event": 1})
    good = SideOutcomes(Side.BASELINE, Origin.LIVE, 9)
    totals = Totals().with_flush(flush(live, good), 0, 0).with_flush(flush(live, copies), 0, 0)
    assert totals.error_kinds == {
        "candidate live error_event": 4,
        "candidate live http_503": 2,
        "candidate shadow error_event": 1,
    }
    assert Totals.from_json(totals.to_json()) == totals


def test_a_flush_without_errors_changes_nothing() -> None:
    totals = Totals()
    assert totals.with_flush(flush(SideOutcomes(Side.BASELINE, Origin.LIVE, 9)), 0, 0) is totals
