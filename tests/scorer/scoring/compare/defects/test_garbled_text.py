"""Garbled text: detected texts, and texts in any language that are not garbled."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.defects.garbled_text import garbled_text
from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.form_signals import garbling
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import cases

PLAIN = Document("It opens at nine, and the tickets are sold at the door of the museum.")


def garbled(left: str, right: str) -> Signal:
    return garbling(DocumentPair(Document(left), Document(right)))


def test_mojibake_and_random_letters_are_garbled_and_technical_words_are_not() -> None:
    for broken in ("Ã©tÃ© â€™ naÃ¯ve franÃ§ais Ã©cole", "xqzk vjwq plmkz qqjh zzxk wvbq", "It op\ufffdns at nine."):
        assert garbled_text(PLAIN, Document(broken))[1].severity == 1.0
        assert garbled_text(Document(broken), PLAIN)[0].severity == 1.0
    fine = Document("Kubernetes schedules pods; OAuth2, IPv6 and PostgreSQL are fine, so is GitHub.")
    assert [side.severity for side in garbled_text(PLAIN, fine)] == [0.0, 0.0]


def test_a_single_unusual_word_is_not_garbled() -> None:
    text = Document("The city has 450,000 people. Zweite Zeile größer.")
    assert [side.severity for side in garbled_text(text, PLAIN)] == [0.0, 0.0]


@pytest.mark.parametrize(("left", "right"), cases("garbled_text.yaml", "two_answers_in_one_language"))
def test_text_in_any_language_is_not_garbled(left: str, right: str) -> None:
    assert garbled(left, right).effect < 0.3
    assert garbled(right, left).effect < 0.3


@pytest.mark.parametrize(("british", "american"), cases("garbled_text.yaml", "british_and_american"))
def test_british_and_american_spellings_are_not_garbled(british: str, american: str) -> None:
    assert garbled(british, american).effect == 0.0
