"""The share of a workload's requests that can move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.movable_share import COPIES, FEWEST, REFUSED, movable_share


def test_the_share_is_unknown_before_enough_copies() -> None:
    assert movable_share({}, {}, {COPIES: FEWEST - 1}) is None
    assert movable_share({"needs_state": 1}, {}, {COPIES: FEWEST - 1}) is not None


def test_what_the_candidate_refuses_or_declares_or_lacks_the_state_for_cannot_move() -> None:
    coverage = {"captured": 1300, "paired": 1000, "ineligible_context": 60, "ineligible_tools": 20, "needs_state": 20}
    found = movable_share(coverage, {REFUSED: 100, "candidate live http_500": 9}, {COPIES: 900, "baseline requests": 5})
    assert found is not None
    assert found.share == pytest.approx(0.8)
    assert str(found) == (
        "movable share: 80.0%; of 1000 copied requests: 100 that the candidate refused, "
        "60 longer than its context, 20 with tools, 20 that need the baseline's state"
    )


def test_without_a_refusal_everything_can_move() -> None:
    assert (
        str(movable_share({"captured": 50}, {}, {COPIES: 50}))
        == "movable share: 100.0%; of 50 copied requests: all can move"
    )


def test_what_envoy_keeps_at_the_baseline_counts_in_full_although_copies_are_a_sample() -> None:
    coverage = {"pinned_ineligible_context": 300, "pinned_previous_response_id": 100, "captured": 60}
    found = movable_share(coverage, {REFUSED: 6}, {COPIES: 60, "baseline requests": 500, "candidate requests": 100})
    assert found is not None
    assert found.share == pytest.approx(0.9 * 600 / 1000)
    assert "of all 1000, Envoy keeps at the baseline: 300 longer than its context, 100 by previous_response_id" in str(
        found
    )


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.integers(0, 500))
def test_the_share_is_between_0_and_1(copies: int, refused: int, kept: int) -> None:
    found = movable_share({"ineligible_context": kept}, {REFUSED: min(refused, copies)}, {COPIES: copies})
    assert found is None or 0 <= found.share <= 1
