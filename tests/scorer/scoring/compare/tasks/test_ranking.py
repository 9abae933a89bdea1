from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.tasks.ranking import compare_rankings, rank_biased_overlap

ORDER = st.permutations(range(8))


@given(ORDER, ORDER)
def test_rank_overlap_is_symmetric_bounded_and_one_only_for_the_same_order(a: list[int], b: list[int]) -> None:
    overlap = rank_biased_overlap(a, b)
    assert overlap == pytest.approx(rank_biased_overlap(b, a))
    assert 0.0 <= overlap <= 1.0
    assert (overlap == pytest.approx(1.0)) == (a == b)


def test_the_top_of_a_ranking_counts_most() -> None:
    base = [(d, 0.0) for d in range(10)]
    top = compare_rankings(base, [base[1], base[0], *base[2:]], 10)
    bottom = compare_rankings(base, [*base[:8], base[9], base[8]], 10)
    assert top.flags == ("top_document",)
    assert bottom.flags == ()
    assert top.agreement < bottom.agreement < 1.0


def test_only_the_first_k_are_compared() -> None:
    base = [(d, 0.0) for d in range(10)]
    assert compare_rankings(base, [*base[:5], *reversed(base[5:])], 5).agreement == 1.0
    assert compare_rankings(base, [(d + 100, 0.0) for d in range(10)], 5).flags == ("top_document", "documents")
