"""Repetition within an answer."""

from __future__ import annotations

from scorer.scoring.compare.defects.repeated_passages import repeated_passages
from scorer.scoring.compare.text.parsed_document import Document


def test_repetition_is_counted_in_words() -> None:
    assert repeated_passages(Document("one two three four five six seven eight nine ten")).count == 0
    assert repeated_passages(Document("go " * 20)).run == 19
    sentence = "The cat sat on the mat today. "
    assert repeated_passages(Document(sentence * 3)).count >= 14
