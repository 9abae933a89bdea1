from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.confusion_matrix import MAX_CLASSES, OTHER, ClassFigures, Confusion

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=30)


def folded(pairs: list[tuple[str, str]]) -> Confusion:
    matrix = Confusion()
    for expected, got in pairs:
        matrix = matrix.fold({"expected": expected, "got": got})
    return matrix


def test_a_lost_minority_class_has_a_low_recall_at_a_high_accuracy() -> None:
    matrix = Confusion()
    for expected, got, times in (("common", "common", 970), ("rare", "rare", 20), ("rare", "common", 10)):
        matrix = sum((Confusion().fold({"expected": expected, "got": got}) for _ in range(times)), matrix)
    assert (matrix.count("common", "common") + matrix.count("rare", "rare")) / matrix.total == pytest.approx(0.99)
    assert matrix.figures("rare") == ClassFigures(30, 1.0, pytest.approx(2 / 3))
    assert matrix.figures("common").recall == 1.0
    assert matrix.figures("never seen") == ClassFigures(0, None, None)


@pytest.mark.slow
@given(PAIRS, PAIRS)
def test_matrices_add_up_and_keep_their_counts_in_json(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    together = folded(one + other)
    assert folded(one) + folded(other) == together
    assert Confusion.from_json(together.to_json()) == together


def test_free_text_cannot_grow_the_matrix_beyond_its_bound() -> None:
    matrix = folded([(f"class {i}", "x" * 500) for i in range(MAX_CLASSES + 50)])
    assert len(matrix.classes) <= MAX_CLASSES + 2
    assert OTHER in matrix.classes
    assert max(map(len, matrix.classes)) <= 80


def test_a_class_under_matter_is_kept_after_any_number_of_others() -> None:
    matrix = Confusion(matter=frozenset({"fraud"}))
    for i in range(MAX_CLASSES + 50):
        matrix = matrix.fold({"expected": f"class {i}", "got": f"class {i}"})
    matrix = matrix.fold({"expected": "fraud", "got": "class 1"}).fold({"expected": "fraud", "got": "fraud"})
    matrix = matrix.fold({"expected": "late", "got": "late"})
    assert matrix.figures("fraud") == ClassFigures(2, 1.0, 0.5)
    assert matrix.figures("late").support == 0
    assert (Confusion() + matrix).matter == matrix.matter


def test_a_pair_without_labels_changes_nothing() -> None:
    assert Confusion().fold({}) == Confusion()
