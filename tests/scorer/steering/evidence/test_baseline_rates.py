"""With which results of the baseline the candidate is compared, and the bounds of that decision."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scorer.steering.evidence.baseline_rates import HALF_LIFE, BaselineRates, FadingCount
from scorer.steering.evidence.gate_observations import NO_COPIES, BaselineCopies, ByCopies, RequestCounts, RequestsEnded


def rates(
    copies: tuple[int, int],
    clients: tuple[int, int] = (10_000, 20),
    own: tuple[int, int] = (1000, 2),
    candidate_n: float = 1000,
) -> BaselineRates:
    """Return the rates of copies of the candidate's requests, of clients and of own copies: numbers, and failures."""
    return BaselineRates(FadingCount(*clients), FadingCount(*copies), FadingCount(*own), candidate_n)


counts = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(counts, counts, counts)
@example((19, 19), (1, 1), (10, 0))
def test_copies_are_used_only_if_they_fail_more_often_than_all_that_explains_it(
    copies: tuple[int, int], clients: tuple[int, int], own: tuple[int, int]
) -> None:
    found = rates(copies, clients, own).by_copies
    if found is not None:
        assert copies[1] > 2
        assert found.rate == copies[1] / copies[0]
        assert all(found.rate > failed / n for n, failed in (clients, own) if n)
        assert 0 < found.share < 1


@given(counts)
def test_the_lower_bound_is_not_above_the_rate(count: tuple[int, int]) -> None:
    fading = FadingCount(*count)
    assert 0 <= fading.least <= fading.rate + 1e-12


@pytest.mark.parametrize(("n", "failed"), [(50, 3), (500, 10), (1000, 100), (10, 9)])
def test_the_lower_bound_is_at_most_the_exact_one_and_near_it(n: int, failed: int) -> None:
    """The exact bound is Clopper and Pearson's at the level 5 %, by bisection."""
    low, high = 0.0, failed / n
    for _ in range(60):
        p = (low + high) / 2
        tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(failed, n + 1))
        low, high = (p, high) if tail < 0.05 else (low, p)
    assert 0.7 * low <= FadingCount(n, failed).least <= low


def test_two_failed_copies_change_nothing_and_three_do() -> None:
    assert rates((100, 2)).by_copies is None
    assert rates((100, 3)).by_copies is not None


def test_copies_that_fail_as_often_as_the_baselines_own_change_nothing() -> None:
    assert rates((1000, 20), own=(1000, 20)).by_copies is None
    assert rates((1000, 20), own=(1000, 2)).by_copies is not None
    assert rates((1000, 20), clients=(1000, 20)).by_copies is None


def test_without_the_baselines_own_copies_failed_copies_change_nothing() -> None:
    """They may fail because they are copies."""
    assert rates((1000, 200), own=(0, 0)).by_copies is None
    assert rates((1000, 200), own=(9, 0)).by_copies is None
    assert rates((1000, 200), own=(10, 0)).by_copies is not None


def test_the_share_is_the_candidates_among_its_requests_and_their_copies() -> None:
    assert rates((100, 20), candidate_n=300).by_copies == ByCopies(0.75, 0.2)


def test_all_rates_lose_half_of_their_weight_in_the_same_time() -> None:
    after = rates((400, 40), (8000, 80), (100, 4)).after(RequestCounts(c_n=HALF_LIFE), NO_COPIES)
    assert after == rates((200, 20), (4000, 40), (50, 2), 500 + HALF_LIFE)


def test_copies_are_added_with_the_requests_of_their_time() -> None:
    after = BaselineRates().after(RequestCounts(0, 0, 0, 50, 2), BaselineCopies(20, 3, 5, 1))
    assert after == rates((20, 3), (50, 2), (5, 1), 0)


@pytest.mark.parametrize(
    ("counted", "in_bursts", "own"),
    [
        (RequestCounts(c_n=10, c_errors=4), RequestCounts(), 4),
        (RequestCounts(c_n=10, c_errors=4, rescued=1, rescues_failed=3, failed_at_both=3), RequestCounts(), 1),
        (RequestCounts(c_n=10, c_errors=4, rescues_failed=4, failed_at_both=4), RequestCounts(), 0),
        (RequestCounts(c_n=7, c_errors=1, rescues_failed=2, failed_at_both=2), RequestCounts(c_n=3, c_errors=3), 0.5),
        (RequestCounts(c_n=10, c_errors=4, rescues_failed=4, failed_at_both=1), RequestCounts(), 3),
        # errors that were held back count now
        (RequestCounts(c_n=10, c_errors=6, rescues_failed=1, failed_at_both=1), RequestCounts(c_n=-4, c_errors=-4), 3),
        (RequestCounts(c_n=10, c_errors=0, rescues_failed=1, failed_at_both=1), RequestCounts(c_n=1, c_errors=1), 0),
    ],
)
def test_errors_that_failed_at_the_baseline_too_are_not_the_candidates_own(
    counted: RequestCounts, in_bursts: RequestCounts, own: float
) -> None:
    assert RequestsEnded(counted, in_bursts).own_errors == own
