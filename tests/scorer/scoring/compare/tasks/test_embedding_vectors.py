from __future__ import annotations

import numpy as np
import pytest

from glidepath.config.comparison import EmbeddingsSection
from scorer.scoring.compare.tasks.embedding_vectors import MIN_INPUTS, NotComparableError, compare_vectors

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


def test_two_spaces_are_compared_by_nearest_neighbours() -> None:
    rotation, _ = np.linalg.qr(RNG.normal(size=(24, 24)))
    wider = np.hstack([ROWS, np.zeros((12, 8))]) @ rotation  # another space, other dimensions, the same geometry
    same = compare_vectors(ROWS.tolist(), wider.tolist(), False, AUTO)
    assert same.agreement == pytest.approx(1.0)
    assert "cosine" not in same.signals
    unrelated = compare_vectors(ROWS.tolist(), RNG.normal(size=(12, 24)).tolist(), False, AUTO)
    assert unrelated.flags == ("neighbours",)
    assert unrelated.agreement < 0.5


def test_vectors_of_two_models_cannot_be_compared_without_neighbours() -> None:
    with pytest.raises(NotComparableError, match="different vector spaces"):
        compare_vectors([[1.0, 0.0]], [[1.0, 0.0]], False, AUTO)
    assert compare_vectors([[1.0, 0.0]], [[1.0, 0.0]], False, EmbeddingsSection(same_space=True)).agreement == 1.0


@pytest.mark.parametrize("inputs", [8, 12, 30])
def test_unrelated_vectors_agree_only_by_chance(inputs: int) -> None:
    rng = np.random.default_rng(inputs)
    results = [
        compare_vectors(rng.normal(size=(inputs, 32)).tolist(), rng.normal(size=(inputs, 48)).tolist(), False, AUTO)
        for _ in range(40)
    ]
    assert np.mean([r.agreement for r in results]) < 0.1
    assert max(r.agreement for r in results) < 0.55
    assert sum(r.flags == ("neighbours",) for r in results) >= 38


@pytest.mark.parametrize("inputs", [2, 4, 7])
def test_few_inputs_of_two_models_cannot_be_compared(inputs: int) -> None:
    with pytest.raises(NotComparableError, match=f"at least {MIN_INPUTS}"):
        compare_vectors(ROWS[:inputs].tolist(), (ROWS[:inputs] * 2).tolist(), False, AUTO)


def test_two_widths_in_a_space_configured_as_one_are_a_divergence() -> None:
    assert compare_vectors([[1.0, 0.0]], [[1.0]], True, EmbeddingsSection(same_space=True)).flags == ("dimensions",)


def test_a_missing_vector_is_a_divergence_and_invalid_vectors_cannot_be_compared() -> None:
    assert compare_vectors([[1.0]], [], True, AUTO).flags == ("vector_count",)
    with pytest.raises(NotComparableError):
        compare_vectors([[float("nan")]], [[1.0]], True, AUTO)
    with pytest.raises(NotComparableError):
        compare_vectors([[1.0], [1.0, 2.0]], [[1.0], [1.0]], True, AUTO)
