from __future__ import annotations

import pytest

from glidepath.config.comparison import ClassificationSection
from scorer.scoring.compare.tasks.classification import compare_labels, normalise

PLAIN = ClassificationSection()


@pytest.mark.parametrize(
    "written", ["Spam", "spam", " SPAM.\n", "**spam**", "“spam”", "Label: spam", "The category is spam."]
)
def test_different_spellings_of_a_class_agree(written: str) -> None:
    assert normalise(written, PLAIN) == "spam"


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("正面", "正面。"), ("正面", "「正面」"), ("正面", "正面！"), ("positif", "« positif »"), ("إيجابي", "إيجابي؟"),
        ("सकारात्मक", "सकारात्मक।"), ("sí", "¡sí!"), ("a+", "a+"), ("c#", "c#"), ("。", "。"), ("？！", "？！"),
    ],
)  # fmt: skip
def test_punctuation_of_any_script_around_a_class_is_ignored(plain: str, written: str) -> None:
    assert normalise(written, PLAIN) == plain


def test_normalisation_follows_the_configuration() -> None:
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


def test_a_class_under_matter_has_its_configured_name() -> None:
    settings = ClassificationSection(matter=("Card Fraud",))
    assert compare_labels("card fraud.", "Label: CARD  FRAUD", settings).labels == {
        "expected": "Card Fraud",
        "got": "Card Fraud",
    }
    assert compare_labels("Ham", "card fraud", settings).labels == {"expected": "ham", "got": "Card Fraud"}


@pytest.mark.parametrize(("one", "other"), [("!", "?"), ("<", ">"), ("*", "_"), ("[", "]"), ("😀", "😡")])
def test_a_punctuation_mark_can_be_the_label(one: str, other: str) -> None:
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
def test_a_label_in_json_or_with_decomposed_accents_is_the_same_label(one: str, other: str, agreement: float) -> None:
    assert compare_labels(one, other, ClassificationSection()).agreement == agreement
