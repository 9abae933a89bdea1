from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import EmbeddingsSection
from scorer.scoring.compare.tasks.embedding_vectors import MIN_INPUTS, NotComparableError, compare_vectors
from scorer.scoring.compare.tasks.ranking import compare_rankings, rank_biased_overlap

AUTO = EmbeddingsSection()
RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(12, 16))


def test_the_same_vectors_agree_whatever_their_length() -> None:
    assert compare_vectors(ROWS.tolist(), (ROWS * 3).tolist(), True, AUTO).agreement == 1.0


def test_one_changed_vector_is_found_and_named() -> None:
    other = ROWS.copy()
    other[7] = -other[7]
    result = compare_vectors(ROWS.tolist(), other.tolist(), True, AUTO)
    assert result.flags == ("vectors",)
    assert "input 7" in result.details["vectors"]


def test_two_spaces_are_compared_by_their_neighbourhoods() -> None:
    turn, _ = np.linalg.qr(RNG.normal(size=(24, 24)))
    wider = np.hstack([ROWS, np.zeros((12, 8))]) @ turn  # another space, other dimensions, the same geometry
    same = compare_vectors(ROWS.tolist(), wider.tolist(), False, AUTO)
    assert same.agreement == pytest.approx(1.0)
    assert "cosine" not in same.signals
    unrelated = compare_vectors(ROWS.tolist(), RNG.normal(size=(12, 24)).tolist(), False, AUTO)
    assert unrelated.flags == ("neighbours",)
    assert unrelated.agreement < 0.5


def test_raw_vectors_of_two_models_are_refused_when_there_is_no_neighbourhood() -> None:
    with pytest.raises(NotComparableError, match="share no space"):
        compare_vectors([[1.0, 0.0]], [[1.0, 0.0]], False, AUTO)
    assert compare_vectors([[1.0, 0.0]], [[1.0, 0.0]], False, EmbeddingsSection(same_space=True)).agreement == 1.0


@pytest.mark.parametrize("inputs", [8, 12, 30])
def test_vectors_that_have_nothing_in_common_agree_by_chance_only(inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    results = [
        compare_vectors(rng.normal(size=(inputs, 32)).tolist(), rng.normal(size=(inputs, 48)).tolist(), False, AUTO)
        for _ in range(40)
    ]
    assert np.mean([r.agreement for r in results]) < 0.1
    assert max(r.agreement for r in results) < 0.55
    assert sum(r.flags == ("neighbours",) for r in results) >= 38


@pytest.mark.parametrize("inputs", [2, 4, 7])
def test_few_inputs_of_two_spaces_are_no_evidence(inputs: int) -> None:
    with pytest.raises(NotComparableError, match=f"at least {MIN_INPUTS}"):
        compare_vectors(ROWS[:inputs].tolist(), (ROWS[:inputs] * 2).tolist(), False, AUTO)


def test_declared_one_space_with_two_widths_is_a_divergence() -> None:
    assert compare_vectors([[1.0, 0.0]], [[1.0]], True, EmbeddingsSection(same_space=True)).flags == ("dimensions",)


def test_a_missing_vector_is_a_divergence_and_nonsense_is_refused() -> None:
    assert compare_vectors([[1.0]], [], True, AUTO).flags == ("vector_count",)
    with pytest.raises(NotComparableError):
        compare_vectors([[float("nan")]], [[1.0]], True, AUTO)
    with pytest.raises(NotComparableError):
        compare_vectors([[1.0], [1.0, 2.0]], [[1.0], [1.0]], True, AUTO)


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
