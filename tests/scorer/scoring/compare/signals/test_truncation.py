"""Truncation and missing last sentences; cases/pairs/rewrites_and_changes.yaml holds further pairs."""

from __future__ import annotations

from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import compare_texts

CLOSE = Similarity(0.99, 0.98)  # a typical similarity of texts that differ in a word
TEXT = (
    "The bridge in Porto was opened in 1886 and is 385 meters long. It was designed by Théophile Seyrig, a partner of "
    "Gustave Eiffel. The upper deck carries the metro and should be used by pedestrians before noon. About 5 million "
    "people cross it every year, more than ever. Cars are not allowed on the upper deck."
)


def test_the_finish_reason_length_is_truncation() -> None:
    result = compare_texts(Document(TEXT), Document(TEXT[:200], cut=True), CLOSE)
    assert "truncation" in result.flags


def test_an_added_sentence_of_the_candidate_is_not_truncation_of_the_baseline() -> None:
    result = compare_texts(TEXT, TEXT + " In the evening the light is best.", CLOSE)
    assert result.flags == ()
    assert result.agreement > 0.8


def test_a_word_that_breaks_off_is_truncation() -> None:
    said = "The process speeds up when the temperature rises, and it ends with the evaporation of all the water"
    cut = compare_texts(said + ".", said[:-8], CLOSE)
    assert "truncation" in cut.flags
    half = compare_texts(said, said[:-2], CLOSE)
    assert half.details["truncation"] == "the last word is cut"


def test_a_long_last_sentence_left_out_is_an_omission() -> None:
    said = TEXT[: TEXT.index(" It was")]
    long = " Whoever wants to see it in full has to go down to the river early in the morning and look up from there."
    result = compare_texts(said + long, said, CLOSE)
    assert ("omission" in result.flags, "truncation" in result.flags) == (True, False)


def test_a_closing_line_missing_by_the_length_limit_is_truncation() -> None:
    cut = compare_texts(Document(TEXT + " Have a great day!"), Document(TEXT, cut=True), CLOSE)
    assert "truncation" in cut.flags


def test_a_list_with_another_closing_offer_is_not_truncated() -> None:
    planets = "These are the planets:\n\n" + "\n".join(f"{i}. {p}" for i, p in enumerate(("Venus", "Mars", "Pluto"), 1))
    left = planets + "\n\nFeel free to let me know which planet you would like to know more about!"
    right = planets + "\n\nChoose any of these planets and then I can provide a lot more information about it!"
    assert compare_texts(left, right, CLOSE).signals["truncation"] == 0.0
