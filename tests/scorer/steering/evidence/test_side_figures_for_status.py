"""The requests, errors and latencies of a side that the status shows."""

from __future__ import annotations

import pytest

from glidepath.sides import Side
from tests.support.evidence_builders import flush, fresh_evidence, side


@pytest.mark.parametrize(("n", "shown"), [(1, 0), (2, 1), (19, 1), (20, 2), (99, 2), (100, 3)])
def test_a_quantile_is_shown_only_if_a_request_can_be_above_it(n: int, shown: int) -> None:
    _, own = fresh_evidence(25).fold_outcomes(flush(0, side(Side.CANDIDATE, n, ms=(10.0,) * n))).sides()
    quantiles = (own.p50_ms, own.p95_ms, own.p99_ms)
    assert [value is not None for value in quantiles] == [True] * shown + [False] * (3 - shown)
    assert (own.ttft_p50_ms is not None) is (n >= 2)
