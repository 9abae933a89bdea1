"""Estimate the tokens of a model whose tokenizer is not installed. The estimate is on the high side."""

from __future__ import annotations

import re

from scorer.scoring.embed.engine_protocol import Span

# In common vocabularies English has more than four characters a token; other scripts may need a token a character.
_PIECE = re.compile(r"[A-Za-z]{1,4}|[0-9]{1,2}|\w|[^\w\s]")


def approximate_spans(text: str) -> list[Span]:
    """Return the character spans of the estimated tokens."""
    return [match.span() for match in _PIECE.finditer(text)]
