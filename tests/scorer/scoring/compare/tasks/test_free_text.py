"""The comparison of free text: defects, truncation, the noise floor, and properties of the agreement score.

The pairs in cases/pairs/ test each signal separately.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.learned_parameters import LearnedParameters
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity
from scorer.scoring.compare.tasks.free_text import PARTLY_COMPARED, compare_text, needs_embedding
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import SETTINGS, compare_texts

CLOSE = Similarity(0.99, 0.98)  # a typical similarity of texts that differ in a word
TEXT = (
    "The bridge in Porto was opened in 1886 and is 385 meters long. It was designed by Théophile Seyrig, a partner of "
    "Gustave Eiffel. The upper deck carries the metro and should be used by pedestrians before noon. About 5 million "
    "people cross it every year, more than ever. Cars are not allowed on the upper deck."
)


def test_freely_different_answers_are_not_flagged_for_their_names_and_numbers() -> None:
    left = (
        "For a weekend in Rome I would begin with the Colosseum at 9:00 and then walk to the Forum. Have lunch "
        "in Monti, "
        "see the Pantheon in the afternoon, and end the day in Trastevere. Bring good shoes and book the tickets early."
    )
    right = (
        "Rome deserves at least two days. On Saturday visit the Vatican Museums, which open at 8:30, and St. Peter's. "
        "On Sunday stroll through Villa Borghese and stop at the Trevi Fountain. Reserve online, since queues "
        "can take 90 minutes."
    )
    result = compare_texts(left, right, Similarity(0.86, 0.86))
    assert result.flags == ()
    assert result.signals["numbers"] > 0.5
    assert result.signals["names"] > 0.5


def test_a_defect_of_the_baseline_is_flagged_with_a_prefix() -> None:
    result = compare_texts("I'm sorry, but I can't help with that.", TEXT, Similarity(0.1, 0.1))
    assert "baseline_refusal" in result.flags
    assert "refusal" not in result.flags


def test_two_refusals_in_other_words_agree() -> None:
    result = compare_text(
        Document("I'm sorry, but I can't help with that."),
        Document("I cannot assist with this request."),
        SETTINGS,
        Similarity(0.4, 0.4),
    )
    assert result.flags == ()
    assert result.agreement >= 0.95


def test_confidence_is_compared_if_both_sides_have_logprobs() -> None:
    sure, unsure = Document(TEXT, logprobs=(-0.05, -0.1)), Document(TEXT, logprobs=(-2.0, -2.2))
    result = compare_text(sure, unsure, SETTINGS, CLOSE)
    assert result.signals["confidence"] == 1.0
    assert result.agreement == pytest.approx(0.9)


def test_a_high_noise_floor_lowers_the_effect_of_a_signal_and_a_low_one_raises_it() -> None:
    changed = TEXT.replace("1886", "1896")
    loud = sum((NoiseFloor().fold({"numbers": 1.0}, 0.8) for _ in range(40)), NoiseFloor())
    left, right = Document(TEXT), Document(changed)
    plain = compare_text(left, right, SETTINGS, CLOSE)
    discounted = compare_text(left, right, SETTINGS, CLOSE, LearnedParameters(loud))
    assert "numbers" not in discounted.flags
    assert discounted.agreement > plain.agreement

    quiet = sum((NoiseFloor().fold({"numbers": 0.0}, 1.0) for _ in range(40)), NoiseFloor())
    half = (
        TEXT[: len(TEXT) // 2]
        + " The rest of the answer is told in very different words by each of the two models here, at length."
    )
    other = (
        TEXT[: len(TEXT) // 2].replace("1886", "1896")
        + " Whatever follows has been phrased anew and goes on about wholly other matters."
    )
    unknown = compare_text(Document(half), Document(other), SETTINGS, CLOSE)
    known = compare_text(Document(half), Document(other), SETTINGS, CLOSE, LearnedParameters(quiet))
    assert known.agreement <= unknown.agreement


def test_the_compared_share_of_a_long_answer_is_shown() -> None:
    long = "word " * 9000
    result = compare_text(Document(long + "end."), Document(long + "stop."), SETTINGS, SAME_TEXT)
    assert 0.6 < result.signals["compared_share"] < 0.7
    assert "only the first" in result.details["compared_share"]
    assert "compared_share" not in compare_texts("One sentence.", "Another sentence.").signals


@pytest.mark.parametrize(
    ("left", "right", "flagged"),
    [
        ("The fee is 40 euros.", "The fee is 90 euros.", True),
        ("The fee is 40 euros.", "", True),
        ("The fee is 40 euros.", "The fee is 40 euros.", False),
    ],
)
def test_a_difference_after_the_compared_words_is_flagged(left: str, right: str, flagged: bool) -> None:
    long = "The hall opens at nine. " * 1500
    for one, other in ((left, right), (right, left)):
        result = compare_text(Document("So. " + long + one), Document("Well. " + long + other), SETTINGS, SAME_TEXT)
        assert (PARTLY_COMPARED in result.flags) is flagged
    assert PARTLY_COMPARED not in compare_texts("One sentence.", "Another sentence.").flags


def test_equal_beginnings_of_long_answers_with_other_ends_do_not_agree_wholly() -> None:
    long = "The hall opens at nine. " * 1500
    left, right = Document(long + "The fee is 40 euros."), Document(long + "Prime numbers have no divisors.")
    alike = compare_text(left, right, SETTINGS, Similarity(0.97, 0.97, sampled=True))
    apart = compare_text(left, right, SETTINGS, Similarity(0.3, 0.3, sampled=True))
    assert apart.agreement < 0.5 < alike.agreement < 1


@pytest.mark.parametrize("sampled", [False, True])
def test_a_sampled_embedding_is_shown(sampled: bool) -> None:
    result = compare_text(Document("One."), Document("Another."), SETTINGS, Similarity(0.9, 0.9, sampled=sampled))
    assert ("embedding_sampled" in result.signals) is sampled


_WORDS = ["the", "a", "not", "never", "5", "12", "million", "Paris", "Rome", "more", "less", "**bold**", "-", "1."]
_WORDS += ["<|im_end|>", "I", "cannot", "help", ".", "!", "```\n", "über", "你好"]
TEXTS = st.one_of(st.lists(st.sampled_from(_WORDS), max_size=30).map(" ".join), st.text(max_size=200))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
def test_agreement_and_signals_are_bounded(left: str, right: str) -> None:
    result = compare_texts(left, right, CLOSE)
    assert 0.0 <= result.agreement <= 1.0
    assert all(-1.0 <= value <= 1.0 for value in result.signals.values())


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_text_agrees_with_itself(text: str) -> None:
    assert compare_texts(text, text).agreement == 1.0
    assert compare_texts(text, text).flags == ()
    assert not needs_embedding(Document(text), Document(text))


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_agreement_never_falls_when_the_similarity_rises(low: float, step: float, worst: float) -> None:
    left, right = Document("One way to say it is this."), Document("Completely other words are used over there now.")
    high = low + (1 - low) * step
    a = compare_text(left, right, SETTINGS, Similarity(low, low * worst))
    b = compare_text(left, right, SETTINGS, Similarity(high, low * worst))
    assert b.agreement >= a.agreement - 1e-12


def test_a_signal_of_weight_zero_does_not_change_the_agreement() -> None:
    silent = ScoringSection(weights={"numbers": 0.0, "wording": 0.0})
    changed = Document(TEXT.replace("1886", "1896"))
    assert compare_text(Document(TEXT), changed, silent, CLOSE).agreement > 0.85
    assert compare_text(Document(TEXT), changed, SETTINGS, CLOSE).agreement < 0.3
