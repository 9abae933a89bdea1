"""Answers that end within a sentence or a code block."""

from __future__ import annotations

from scorer.scoring.compare.defects.unfinished_text import unfinished_text
from scorer.scoring.compare.text.parsed_document import Document


def test_an_open_sentence_or_code_block_is_unfinished() -> None:
    assert unfinished_text(Document("This sentence has no end because the")).severity == 1.0
    assert unfinished_text(Document("Here:\n```python\nx = 1")).severity == 1.0
    assert unfinished_text(Document("It ends well.")).severity == 0.0
    assert unfinished_text(Document("- apples\n- pears")).severity == 0.0
