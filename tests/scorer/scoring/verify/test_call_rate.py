"""The rate of calls to a verifier stays below its limit, whenever the calls come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.verify.call_rate import CallRate


@given(
    st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_period_has_more_calls_than_the_rate_allows(per_second: float, gaps: list[float]) -> None:
    rate, now, taken = CallRate(per_second), 100.0, []
    for gap in gaps:
        now += gap
        if rate.take(now):
            taken.append(now)
    burst = max(1.0, per_second)
    for i, begin in enumerate(taken):
        for j in range(i, len(taken)):
            assert j - i + 1 <= burst + (taken[j] - begin) * per_second + 1e-6


def test_a_call_at_the_rate_is_always_allowed() -> None:
    rate = CallRate(2)
    assert [rate.take(1000 + i / 2) for i in range(50)] == [True] * 50
    assert [rate.take(2000.0) for _ in range(3)] == [True, True, False]
