"""Sums of token counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage, counts_of, merged

COUNT = st.integers(0, 1000)
USAGES = st.builds(
    TokenUsage,
    *[COUNT] * 8,
    source=st.sampled_from(TokenSource),
    tier=st.sampled_from(ServiceTier),
    answers=st.integers(1, 9),
)


@pytest.mark.slow
@given(st.lists(USAGES, max_size=8), st.lists(USAGES, max_size=8))
def test_merging_loses_nothing_and_its_order_does_not_matter(some: list[TokenUsage], more: list[TokenUsage]) -> None:
    together = merged([*some, *more])
    assert together == merged([*merged(more), *merged(some)])
    assert len({usage.key for usage in together}) == len(together)
    for number in range(8):
        assert sum(counts_of(u)[number] for u in together) == sum(counts_of(u)[number] for u in (*some, *more))
    assert sum(u.answers for u in together) == sum(u.answers for u in (*some, *more))


def test_measured_and_estimated_tokens_have_no_sum() -> None:
    with pytest.raises(ValueError, match="two sources"):
        TokenUsage(1) + TokenUsage(1, source=TokenSource.ESTIMATED)
