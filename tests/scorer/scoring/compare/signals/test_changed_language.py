"""The language signal: an answer, or only its end, is in a language other than the other answer's."""

from __future__ import annotations

from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.form_signals import language
from scorer.scoring.compare.text.parsed_document import Document


def test_another_language_is_found_only_in_texts_that_are_long_enough() -> None:
    english = "The weather is nice today and we will go to the lake in the afternoon."
    german = "Das Wetter ist heute schön und wir fahren am Nachmittag an den See."
    assert language(DocumentPair(Document(english), Document(german))).divergence == 1.0
    assert language(DocumentPair(Document(english), Document(english + " Really."))).divergence == 0.0
    assert language(DocumentPair(Document("Oui"), Document("Yes"))).divergence == 0.0
    assert language(DocumentPair(Document(english), Document("今天天气很好，我们下午去湖边。"))).divergence == 1.0
