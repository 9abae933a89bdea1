"""Estimate the tokens of a text when the model's tokenizer is not installed.

The estimate tends to be higher than the true number of tokens.
"""

from __future__ import annotations

import re

from scorer.scoring.embed.engine_protocol import Span

# In common vocabularies, an English token has more than four characters on average. In other scripts, each character
# may be a token.
_PIECE = re.compile(r"[A-Za-z]{1,4}|[0-9]{1,2}|\w|[^\w\s]")


def approximate_spans(text: str) -> list[Span]:
    """Return the character span of each estimated token of ``text``, in order."""
    return [match.span() for match in _PIECE.finditer(text)]
