"""The requests that count as evidence: by their side, their origin and their ending."""

from __future__ import annotations

import pytest

from glidepath.sides import Origin, Side
from tests.support.evidence_builders import flush, fresh_evidence, side, with_healthy_flushes

B, C = Side.BASELINE, Side.CANDIDATE


@pytest.mark.parametrize(
    ("percent", "candidate", "baseline"),
    [(0, Origin.SHADOW, Origin.LIVE), (25, Origin.LIVE, Origin.LIVE), (100, Origin.LIVE, Origin.SHADOW)],
)
def test_the_origin_that_counts_depends_on_the_share(percent: float, candidate: Origin, baseline: Origin) -> None:
    evidence = fresh_evidence(percent)
    for seq, (which, origin) in enumerate((s, o) for s in (B, C) for o in Origin):
        evidence = evidence.fold_outcomes(flush(seq, side(which, 1 + seq, origin=origin)))
    base, own = evidence.sides()
    expected = {(s, o): 1 + i for i, (s, o) in enumerate((s, o) for s in (B, C) for o in Origin)}
    assert base.requests == expected[(B, baseline)]
    assert own.requests == expected[(C, candidate)]


def test_requests_that_the_client_aborted_are_not_errors() -> None:
    evidence = fresh_evidence()
    for k in range(50):
        evidence = evidence.fold_outcomes(flush(k, side(B, 30), side(C, 10, aborts=10)))
    assert {v.outcome for v in evidence.verdicts(1) if v.fast} == {"pass"}
    assert evidence.sides()[1] == evidence.sides()[1].__class__(requests=500)


def test_rescues_count_as_requests_and_errors_of_the_candidate() -> None:
    evidence = with_healthy_flushes(fresh_evidence(), 4)
    before, _ = evidence.sides()
    evidence = evidence.fold_outcomes(flush(4, side(C, 9, 6, kind="failover", rescued=3, rescues_failed=2)))
    baseline, candidate = evidence.sides()
    assert baseline == before
    assert (candidate.requests, candidate.errors) == (49, 6)
    assert (candidate.rescued, candidate.rescues_failed, baseline.rescued) == (3, 2, 0)
