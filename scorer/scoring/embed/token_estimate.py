"""Tokens of a model whose tokenizer is not here, rather too many than too few."""

from __future__ import annotations

import re

from scorer.scoring.embed.engine_protocol import Span

# English averages more than four characters a token in every common vocabulary; other scripts may need one for each.
_PIECE = re.compile(r"[A-Za-z]{1,4}|[0-9]{1,2}|\w|[^\w\s]")


def approximate_spans(text: str) -> list[Span]:
    return [match.span() for match in _PIECE.finditer(text)]
