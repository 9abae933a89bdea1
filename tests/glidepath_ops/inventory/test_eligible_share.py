"""The share of requests that a candidate could serve agrees with the decisions about individual requests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.backends import Backend
from glidepath.eligibility import OTHER_THAN_TEXT, RequestFacts, ineligible
from glidepath.inventory.tally import Tally, count_value, shape_name
from glidepath_ops.inventory.eligible_share import CandidateLimits, eligible_share

FACTS = st.builds(
    RequestFacts,
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.frozensets(st.sampled_from(OTHER_THAN_TEXT), max_size=2),
    st.booleans(),
)


def tally_of(*facts: RequestFacts, state: int = 0) -> Tally:
    tally = Tally(requests=len(facts), state=state)
    for one in facts:
        shape = tally.shape(shape_name(one.modalities, tools=one.tools))
        shape.requests += 1
        count_value(shape.tokens, one.tokens)
        count_value(shape.body, one.body_bytes)
    return tally


def test_nothing_is_said_without_bodies() -> None:
    assert eligible_share(Tally(requests=9), CandidateLimits("onprem")) is None


def test_each_reason_is_counted() -> None:
    tally = tally_of(
        RequestFacts(100, 9000),
        RequestFacts(9_000_000, 10),
        RequestFacts(100, 10, frozenset({"image"})),
        RequestFacts(100, 10, tools=True),
        RequestFacts(100, 10),
        *(RequestFacts(100, 10) for _ in range(5)),
        state=1,
    )
    limits = CandidateLimits("onprem", 8192, frozenset(), tools=False, max_body=2**20)
    found = eligible_share(tally, limits)
    assert found is not None
    assert found.reasons == {"context": 1, "max_body": 1, "modalities": 1, "tools": 1, "state": 1}
    assert found.share == pytest.approx(0.5)


@settings(max_examples=100)
@given(st.lists(FACTS, min_size=1, max_size=30), st.integers(1, 10**6), st.booleans(), st.booleans())
def test_a_share_with_one_limit_of_length_is_that_of_the_single_decisions(
    facts: list[RequestFacts], context: int, tools: bool, pictures: bool
) -> None:
    backend = Backend(url="http://h", context=context, tools=tools, modalities=("image",) if pictures else None)
    # A histogram does not tell values in the bucket of the limit from the limit.
    facts = [one for one in facts if not context < one.tokens <= context * 1.011] or [RequestFacts(1, 1)]
    found = eligible_share(tally_of(*facts), CandidateLimits.of("onprem", backend))
    assert found is not None
    can = sum(ineligible(backend, one) is None for one in facts)
    assert found.share == pytest.approx(can / len(facts), abs=1e-9)


def test_bodies_above_a_limit_of_many_megabytes_cannot_move() -> None:
    found = eligible_share(tally_of(RequestFacts(30 * 2**20, 10)), CandidateLimits("onprem", max_body=20 * 2**20))
    assert found is not None
    assert (found.share, found.reasons) == (0.0, {"max_body": 1})
