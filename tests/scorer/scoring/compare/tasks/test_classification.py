from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import ClassificationSection
from scorer.scoring.compare.confusion_matrix import MAX_CLASSES, OTHER, ClassFigures, Confusion
from scorer.scoring.compare.tasks.classification import compare_labels, normalise

PLAIN = ClassificationSection()


@pytest.mark.parametrize(
    "written", ["Spam", "spam", " SPAM.\n", "**spam**", "“spam”", "Label: spam", "The category is spam."]
)
def test_one_class_in_many_spellings(written: str) -> None:
    assert normalise(written, PLAIN) == "spam"


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("正面", "正面。"), ("正面", "「正面」"), ("正面", "正面！"), ("positif", "« positif »"), ("إيجابي", "إيجابي؟"),
        ("सकारात्मक", "सकारात्मक।"), ("sí", "¡sí!"), ("a+", "a+"), ("c#", "c#"), ("。", "。"), ("？！", "？！"),
    ],
)  # fmt: skip
def test_marks_of_any_script_around_a_class_say_nothing(plain: str, written: str) -> None:
    assert normalise(written, PLAIN) == plain


def test_normalisation_is_as_declared() -> None:
    exact = ClassificationSection(ignore_case=False, ignore_punctuation=False)
    assert compare_labels("Spam", "spam", exact).agreement == 0.0
    mapped = ClassificationSection(labels={"junk": "spam", "unwanted mail": "spam"})
    assert compare_labels("Junk", "unwanted mail", mapped).agreement == 1.0
    first = ClassificationSection(first_line=True)
    assert normalise("spam\nBecause it sells pills.", first) == "spam"
    pattern = ClassificationSection(pattern=r"<label>(.*?)</label>")
    assert normalise("I think <label>Ham</label> fits", pattern) == "ham"


def test_another_class_is_flagged_and_counted() -> None:
    result = compare_labels("ham", "spam", PLAIN)
    assert (result.agreement, result.flags, result.labels) == (0.0, ("label",), {"expected": "ham", "got": "spam"})
    assert result.details["label"] == "“ham” → “spam”"


def test_a_minority_class_that_gets_lost_shows_in_its_recall_though_the_total_is_fine() -> None:
    matrix = Confusion()
    for expected, got, times in (("common", "common", 970), ("rare", "rare", 20), ("rare", "common", 10)):
        matrix = sum((Confusion().fold({"expected": expected, "got": got}) for _ in range(times)), matrix)
    assert matrix.accuracy == pytest.approx(0.99)
    assert matrix.figures("rare") == ClassFigures(30, 1.0, pytest.approx(2 / 3))
    assert matrix.figures("common").recall == 1.0
    assert matrix.figures("never seen") == ClassFigures(0, None, None)


PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=30)


def folded(pairs: list[tuple[str, str]]) -> Confusion:
    matrix = Confusion()
    for expected, got in pairs:
        matrix = matrix.fold({"expected": expected, "got": got})
    return matrix


@given(PAIRS, PAIRS)
def test_matrices_add_up_and_survive_json(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    together = folded(one + other)
    assert folded(one) + folded(other) == together
    assert Confusion.from_json(together.to_json()) == together


def test_free_text_does_not_grow_the_matrix_without_bound() -> None:
    matrix = folded([(f"class {i}", "x" * 500) for i in range(MAX_CLASSES + 50)])
    assert len(matrix.classes) <= MAX_CLASSES + 2
    assert OTHER in matrix.classes
    assert max(map(len, matrix.classes)) <= 80


def test_a_class_that_matters_has_its_place_after_any_number_of_others() -> None:
    matrix = Confusion(matter=frozenset({"fraud"}))
    for i in range(MAX_CLASSES + 50):
        matrix = matrix.fold({"expected": f"class {i}", "got": f"class {i}"})
    matrix = matrix.fold({"expected": "fraud", "got": "class 1"}).fold({"expected": "fraud", "got": "fraud"})
    matrix = matrix.fold({"expected": "late", "got": "late"})
    assert matrix.figures("fraud") == ClassFigures(2, 1.0, 0.5)
    assert matrix.figures("late").support == 0
    assert (Confusion() + matrix).matter == matrix.matter


def test_a_pair_without_labels_counts_nothing() -> None:
    assert Confusion().fold({}) == Confusion()


def test_a_class_that_matters_goes_by_the_name_that_the_configuration_gives_it() -> None:
    settings = ClassificationSection(matter=("Card Fraud",))
    assert compare_labels("card fraud.", "Label: CARD  FRAUD", settings).labels == {
        "expected": "Card Fraud",
        "got": "Card Fraud",
    }
    assert compare_labels("Ham", "card fraud", settings).labels == {"expected": "ham", "got": "Card Fraud"}


@pytest.mark.parametrize(("one", "other"), [("!", "?"), ("<", ">"), ("*", "_"), ("[", "]"), ("😀", "😡")])
def test_a_mark_may_be_the_label(one: str, other: str) -> None:
    assert compare_labels(one, other, ClassificationSection()).agreement == 0.0
    assert compare_labels(one, f" {one}\n", ClassificationSection()).agreement == 1.0


@pytest.mark.parametrize(
    ("one", "other", "agreement"),
    [
        ('{"label":"spam"}', '{"label": "Spam"}', 1.0),
        ('{"label":"spam"}', "spam", 1.0),
        ('{"label": "spam"}', '{"label": "ham"}', 0.0),
        ('{"label": "spam", "sure": 1}', '{"sure":1,"label":"spam"}', 1.0),
        ("{spam}", "spam", 1.0),
        ("caf\u00e9", "cafe\u0301", 1.0),
    ],
)
def test_a_label_in_json_or_in_another_spelling_of_its_accents_is_the_label(
    one: str, other: str, agreement: float
) -> None:
    assert compare_labels(one, other, ClassificationSection()).agreement == agreement
