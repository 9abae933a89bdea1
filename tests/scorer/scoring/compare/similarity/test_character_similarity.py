"""Scripts that the embedding model does not know: no cosine, no confident score; equal texts still agree."""

from __future__ import annotations

import pytest

from glidepath.config.processes import EmbedderSection
from scorer.scoring.compare import Comparison
from scorer.scoring.compare.similarity.character_similarity import character_similarity
from scorer.scoring.embed import Embedder, load_embedder
from tests.support.comparison_cases import cases, compare_answers, text_answer

TEXTS = {param.id: param.values for param in cases("unknown_scripts.yaml", "three_texts")}


@pytest.fixture(scope="module")
def engine() -> Embedder:
    return load_embedder(EmbedderSection())


def compared(engine: Embedder, left: str, right: str) -> Comparison:
    return compare_answers(text_answer(left), text_answer(right), embedder=engine)


@pytest.mark.parametrize("language", TEXTS)
def test_an_unknown_script_never_gets_a_high_score_for_another_text(language: str, engine: Embedder) -> None:
    text, paraphrase, unrelated = TEXTS[language]
    apart = compared(engine, text, unrelated)
    assert apart.agreement < 0.2
    assert "unknown_script" in apart.flags
    assert "cosine" not in apart.signals
    assert "does not cover this script" in apart.details["unknown_script"]
    other_words = compared(engine, text, paraphrase)
    assert apart.agreement < other_words.agreement < 0.6
    assert "unknown_script" in other_words.flags
    assert "meaning" not in other_words.flags  # it is not known whether the meaning differs


@pytest.mark.parametrize("language", TEXTS)
def test_equal_texts_in_an_unknown_script_agree(language: str, engine: Embedder) -> None:
    text = TEXTS[language][0]
    assert compared(engine, text, text).agreement == 1.0
    assert compared(engine, text, f"**{text}**\n").agreement == 1.0
    near = compared(engine, text, text.rstrip(".。።").replace(". ", ".\n") + " ")
    assert near.agreement > 0.95
    assert near.flags == ()


@pytest.mark.parametrize("other", [1, 2])
def test_a_known_script_on_one_side_only_lowers_the_agreement(other: int, engine: Embedder) -> None:
    english = "The museum opens at 9 and closes at 18. Tickets cost 12 euros. Photographs are forbidden."
    assert compared(engine, english, TEXTS["Thai"][other]).agreement < 0.1


def test_words_that_the_model_cannot_split_are_compared_by_their_characters(engine: Embedder) -> None:
    one, other = ("".join(f"{(i * i * step + 7) % 9973:04x}" for i in range(60)) for step in (31, 57))
    assert compared(engine, one, other).agreement < 0.3
    assert "unknown_script" in compared(engine, one, other).flags


def test_shared_characters_are_counted_without_blanks_and_punctuation() -> None:
    assert character_similarity("это, да", "это да").score == 1.0
    assert character_similarity("", "да").score == 0.0
    assert character_similarity("да", "нет").score == character_similarity("нет", "да").score == 0.0
