"""Each feature has the name, the sign and the range that the weights rely on."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.agreement_weights import FEATURE_SIGNS
from glidepath.config.comparison import CONTENT_SIGNALS, ScoringSection
from scorer.scoring.compare.calibrator.text_features import FEATURES, feature_values
from scorer.scoring.compare.combine_signals import compared_texts
from scorer.scoring.compare.noise_floor import UNKNOWN
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.tasks.free_text import found_differences
from scorer.scoring.compare.text.parsed_document import Document

TEXT = (
    "The museum opens at 9 and closes at 18. Visitors from Lyon should not bring large bags, because the lockers "
    "beside the entrance are small. A guide is available every hour."
)


def values(left: str, right: str, cosine: float = 0.95) -> dict[str, float]:
    section = ScoringSection()
    found = found_differences(
        Document(left, beside=right), Document(right, beside=left), section, Similarity(cosine, cosine), UNKNOWN
    )
    assert not isinstance(found, Comparison)
    return feature_values(compared_texts(found, section))


def test_there_are_at_most_twelve_and_each_has_a_sign() -> None:
    assert list(FEATURES) == list(FEATURE_SIGNS)
    assert len(FEATURES) <= 12


@pytest.mark.parametrize(
    ("feature", "right"),
    [
        ("numbers", TEXT.replace("18", "19")),
        ("numbers", TEXT + " See https://a.test/x."),
        ("negation", TEXT.replace("should not", "should")),
        ("swapped_words", TEXT.replace("small", "large")),
        ("one_word", TEXT.replace("guide", "brochure")),
        ("omission", TEXT.replace(", because the lockers beside the entrance are small", "")),
        ("names", TEXT.replace("Lyon", "Nice")),
        ("other_words", "All who come should know where the lockers are, since nobody can carry a large bag inside."),
        ("length", TEXT[: len(TEXT) // 2]),
    ],
)
def test_each_change_has_a_feature_that_shows_it(feature: str, right: str) -> None:
    left = TEXT + " See https://b.test/y." if "https" in right else TEXT
    assert abs(values(left, right)[feature]) > 0.25


def test_equivalent_code_is_evidence_of_the_same_meaning_and_changed_code_of_another() -> None:
    code = "```python\ntotal = price * count\nprint(total)\n```"
    assert values(code, code.replace("print(total)", "print(total)  # shown"))["code"] == 1.0
    assert values(code, code.replace("*", "+"))["code"] < 0


def test_words_that_the_candidate_adds_count_less_than_words_that_it_leaves_out() -> None:
    short = "Tag 82 names the interchange profile."
    long = f"{short} It lists what the card can do, such as offline checks. The terminal reads it first of all."
    assert values(short, long)["other_words"] < 0.1 < values(long, short)["other_words"]


def test_numbers_in_freely_worded_texts_count_elsewhere() -> None:
    found = values("It took 12 people and 3 weeks to paint the hall.", "Painting cost 900 euros, said the owner.", 0.5)
    assert found["numbers_elsewhere"] > 0.5


def test_one_word_counts_only_if_it_is_the_only_edit() -> None:
    assert values(TEXT, TEXT.replace("guide", "brochure").replace("museum", "gallery"))["one_word"] == 0.0


def test_a_name_in_a_short_text_counts_less() -> None:
    short = values("Meet Anna there.", "Meet Lena there.")["names"]
    assert short < values(TEXT, TEXT.replace("Lyon", "Nice"))["names"]


WORDS = [
    "the",
    "not",
    "never",
    "5",
    "12",
    "Paris",
    "Rome",
    "more",
    "less",
    "**bold**",
    "-",
    ".",
    "```\n",
    "x = 1",
    "你好",
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.floats(-1, 1))
def test_features_are_bounded_and_symmetric_but_for_additions(left: str, right: str, cosine: float) -> None:
    section, similarity = ScoringSection(), Similarity(cosine, cosine)
    both = [
        found_differences(Document(a, beside=b), Document(b, beside=a), section, similarity, UNKNOWN)
        for a, b in ((left, right), (right, left))
    ]
    if any(isinstance(found, Comparison) for found in both):
        return
    one, other = (feature_values(compared_texts(f, section)) for f in both if not isinstance(f, Comparison))
    for name, value in one.items():
        assert math.isfinite(value)
        assert -1 <= value <= (math.inf if name == "length" else 1)
        if name not in ("omission", "other_words"):
            assert value == pytest.approx(other[name])


def test_every_content_signal_has_a_default_weight_of_one() -> None:
    assert all(ScoringSection().weight(name) == 1.0 for name in CONTENT_SIGNALS)
