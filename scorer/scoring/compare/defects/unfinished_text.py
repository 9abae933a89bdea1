"""Detect whether a text was cut off, judged only by its form."""

from __future__ import annotations

import re

from scorer.scoring.compare.defects.defect import NO_DEFECT, Defect
from scorer.scoring.compare.result import excerpt
from scorer.scoring.compare.text.canonical_text import plain
from scorer.scoring.compare.text.parsed_document import Document

_ENDS_OPEN = re.compile(  # "A" alone is an option, not an article
    r"(?:[,;(\[{/&+=-]|\b(?:and|or|the|(?-i:a)|an|of|to|in|for|with|by|is|are|was|that|which|as|from|because|but|if|your"
    r"|their|its|can|will))$",
    re.IGNORECASE,
)
_LONGEST_ENDING = 8  # characters of a match of _ENDS_OPEN
_ENDS_CLOSED = re.compile(r"[.!?:…。！？；;)\]}\"'`*_>|~%][\s\"')\]*_`]*$|[^\w\s]$")


def unfinished_text(document: Document) -> Defect:
    """Return a defect if the text ends inside a code block or in the middle of a sentence; else NO_DEFECT."""
    text = document.text.rstrip()
    if not text:
        return NO_DEFECT
    if not all(block.closed for block in document.code_blocks):
        return Defect(1.0, "a code block is not closed")
    last = plain(text[-2000:].rsplit("\n", 1)[-1]).strip()
    if _ENDS_OPEN.search(last, max(0, len(last) - _LONGEST_ENDING)):
        return Defect(1.0, f"ends with “{excerpt(last[-40:])}”")
    if not _ENDS_CLOSED.search(text[-60:]) and len(re.split(r"[.:!?] ", last)[-1].split()) >= 6:
        return Defect(0.8, f"ends with “{excerpt(last[-40:])}”")
    return NO_DEFECT
